/** How often the time to wait doubles. */
const doublings = 4

/** When to ask again about what was not answered: after a while, and ever more rarely. Times are monotonic ms. Pure. */
export class Patience {
  readonly #base: number
  #since = 0
  #tries = 0

  constructor(base: number) {
    this.#base = base
  }

  /** Something was heard, or something new was asked: the waiting begins anew. */
  begin(now: number): void {
    this.#since = now
    this.#tries = 0
  }

  /** Whether to ask again now; the next time is then twice as far. */
  isOver(now: number): boolean {
    if (now - this.#since < this.#base * 2 ** Math.min(this.#tries, doublings)) return false
    this.#since = now
    this.#tries += 1
    return true
  }
}
