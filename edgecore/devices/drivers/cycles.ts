/** Milliseconds between two values of a property that names no cycle, as in KubeEdge's mapper framework. */
const defaultCycle = 1000
const shortestCycle = 10
const longestCycle = 24 * 60 * 60 * 1000

/** A `collectCycle` or `reportCycle` in milliseconds; `warn` hears of one that cannot be kept. */
export function cycleOf(what: string, given: number | undefined, warn: (reason: string) => void): number {
  if (given === undefined || given <= 0) return defaultCycle
  if (given < shortestCycle) {
    warn(`${what} of ${given} ms is too short: ${shortestCycle} ms is used`)
    return shortestCycle
  }
  if (given > longestCycle) {
    // Manifests of old KubeEdge releases count in nanoseconds.
    warn(`${what} of ${given} ms is longer than a day: a day is used; cycles are milliseconds`)
    return longestCycle
  }
  return given
}
