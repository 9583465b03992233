/** Milliseconds at least between two commits of what devices report, or `auto`: none until there have been too many. */
export type CommitInterval = number | 'auto'

/** With `auto`: so many commits go at once before they are spaced; a burst, a busy hour, but not every day of a year. */
const burst = 100_000
/** With `auto`: milliseconds in which one more may go at once, and between two once none may. */
const spacing = 200

/**
 * How far apart the commits of a store lie. Every commit writes pages, and an SD card bears only so many: under a load
 * that does not end, what comes in between shares a commit. Pure; times are monotonic milliseconds.
 *
 * Invariant: with `auto`, no stretch of `t` milliseconds has more than `burst + t / spacing` commits of spaced writes.
 */
export class CommitPace {
  readonly #interval: CommitInterval
  #left = burst
  #at: number | undefined
  #lastCommitAt = Number.NEGATIVE_INFINITY

  constructor(interval: CommitInterval) {
    this.#interval = interval
  }

  /** Milliseconds until a spaced write may be committed; 0 or less is now. */
  wait(now: number): number {
    if (this.#interval !== 'auto') return this.#lastCommitAt + this.#interval - now
    this.#refill(now)
    return this.#left >= 1 ? 0 : this.#lastCommitAt + spacing - now
  }

  committed(now: number): void {
    this.#refill(now)
    this.#left = Math.max(0, this.#left - 1)
    this.#lastCommitAt = now
  }

  #refill(now: number): void {
    this.#left = Math.min(burst, this.#left + (now - (this.#at ?? now)) / spacing)
    this.#at = now
  }
}
