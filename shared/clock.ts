/** Time as an argument: wall time for what people read, monotonic time for every interval. */
export interface Clock {
  /** Milliseconds since the Unix epoch; may jump. */
  now(): number
  /** Milliseconds from an arbitrary start; never goes back. */
  monotonic(): number
  /**
   * What a wall time that this process wrote down is by the wall clock of now, which may have been set since. A clock
   * without it is never set.
   */
  corrected?(time: number): number
}

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
}

/** RFC 3339 in whole seconds, UTC: the form of Kubernetes' `metav1.Time`. */
export function rfc3339(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 19)}Z`
}

/** RFC 3339 in microseconds, UTC: the form of Kubernetes' `metav1.MicroTime` (Lease, Event). */
export function rfc3339Micro(ms: number): string {
  return `${new Date(ms).toISOString().slice(0, 23)}000Z`
}
