export interface Rate {
  /** Tokens a second, once those in store are used up. */
  perSecond: number
  /** Tokens in store at most, and at the start. */
  burst: number
}

/** Allows so much at once and so much a second. `now` is monotonic milliseconds. */
export class TokenBucket {
  readonly #rate: Rate
  #tokens: number
  #at: number

  constructor(rate: Rate, now: number) {
    this.#rate = rate
    this.#tokens = rate.burst
    this.#at = now
  }

  /** Takes a token; false when there is none. */
  take(now: number): boolean {
    const { perSecond, burst } = this.#rate
    this.#tokens = Math.min(burst, this.#tokens + (Math.max(0, now - this.#at) * perSecond) / 1000)
    this.#at = now
    if (this.#tokens < 1) return false
    this.#tokens--
    return true
  }
}
