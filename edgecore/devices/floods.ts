import type { Entry } from './registry.ts'

/** More than any device has to say in a second. */
export const flood = 1000
const second = 1000

/**
 * Counts a request or report of a device; true when that makes it a flood, once a second. Each is carried out and
 * answered all the same: what slows its sender down is that answers, and acknowledgements, come in order and after the
 * disk. `at` is monotonic, in milliseconds.
 */
export function floods(entry: Pick<Entry, 'burst'>, at: number): boolean {
  const { burst } = entry
  if (burst === undefined || at - burst.since >= second) {
    entry.burst = { since: at, count: 1 }
    return false
  }
  burst.count++
  return burst.count === flood
}
