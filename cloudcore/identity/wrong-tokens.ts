/** How often one source may show tokens that are none: so many at once, and one more in each `every` milliseconds. */
const burst = 10
const every = 6000
/** Sources that are remembered; of more, those that have been quiet for longest are forgotten. */
const mostSources = 10_000

interface Account {
  wrong: number
  /** Monotonic, of the last look. */
  at: number
  /** All that were ever wrong, for the log. */
  total: number
}

/**
 * Who has shown wrong tokens. A token's secret cannot be guessed; this keeps those who try from costing anything.
 *
 * Invariant: at most `mostSources` accounts, the one touched longest ago goes first.
 */
export class WrongTokens {
  readonly #accounts = new Map<string, Account>()

  /** Milliseconds that the source has to wait; 0 when its next token is looked at. `now` is monotonic. */
  wait(source: string, now: number): number {
    const account = this.#accounts.get(source)
    if (account === undefined) return 0
    const wrong = left(account, now)
    return wrong <= burst - 1 ? 0 : Math.ceil((wrong - burst + 1) * every)
  }

  /** A token of this source was wrong; returns how many were. */
  count(source: string, now: number): number {
    const account = this.#accounts.get(source)
    this.#accounts.delete(source)
    const next = { wrong: (account ? left(account, now) : 0) + 1, at: now, total: (account?.total ?? 0) + 1 }
    this.#accounts.set(source, next)
    const [oldest] = this.#accounts.keys()
    if (this.#accounts.size > mostSources && oldest !== undefined) this.#accounts.delete(oldest)
    return next.total
  }
}

function left({ wrong, at }: Account, now: number): number {
  return Math.max(0, wrong - (now - at) / every)
}
