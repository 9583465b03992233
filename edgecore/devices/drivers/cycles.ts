/** Milliseconds between two values of a property that names no cycle, as in KubeEdge's mapper framework. */
export const defaultCycle = 1000
const shortestCycle = 10
const longestCycle = 24 * 60 * 60 * 1000
/** From here on a number cannot be meant in milliseconds: it would be eleven days. */
const nanoseconds = 1e9

/**
 * A `collectCycle` or `reportCycle` in milliseconds; `warn` hears of one that cannot be kept. KubeEdge's older manifests
 * count in nanoseconds, which shows in their size.
 */
export function cycleOf(what: string, given: number | undefined, warn: (reason: string) => void): number {
  if (given === undefined || given <= 0) return defaultCycle
  if (given >= nanoseconds) {
    const ms = Math.min(longestCycle, Math.max(shortestCycle, Math.round(given / 1e6)))
    warn(`${what} of ${given} is taken as nanoseconds, ${ms} ms: cycles are milliseconds`)
    return ms
  }
  if (given < shortestCycle) {
    warn(`${what} of ${given} ms is too short: ${shortestCycle} ms is used`)
    return shortestCycle
  }
  if (given > longestCycle) {
    warn(`${what} of ${given} ms is longer than a day: a day is used; cycles are milliseconds`)
    return longestCycle
  }
  return given
}
