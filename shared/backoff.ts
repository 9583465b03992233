export interface Backoff {
  /** Upper bound of the first delay, in milliseconds. */
  base: number
  /** No delay is longer than this, in milliseconds. */
  cap: number
}

/**
 * Milliseconds to wait before try number `attempt` (0 for the first retry): "full jitter", a uniform draw between 0 and
 * `min(cap, base * 2^attempt)`, so that clients cut off together do not come back together.
 * `random` is a draw from [0, 1).
 */
export function delay(attempt: number, { base, cap }: Backoff, random: number): number {
  return random * Math.min(cap, base * 2 ** Math.min(attempt, 30))
}
