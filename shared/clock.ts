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

/**
 * RFC 3339 in milliseconds, UTC: what a Date's `toISOString` gives, which in V8 has the names of the time zones loaded
 * before, a megabyte. Throws a RangeError for what is no time.
 */
export function isoTime(ms: number): string {
  const date = new Date(ms)
  const year = date.getUTCFullYear()
  if (!(year >= 0 && year <= 9999)) return date.toISOString()
  const day = `${digits(year, 4)}-${digits(date.getUTCMonth() + 1)}-${digits(date.getUTCDate())}`
  const time = `${digits(date.getUTCHours())}:${digits(date.getUTCMinutes())}:${digits(date.getUTCSeconds())}`
  return `${day}T${time}.${digits(date.getUTCMilliseconds(), 3)}Z`
}

function digits(value: number, count = 2): string {
  return String(value).padStart(count, '0')
}

/** RFC 3339 in whole seconds, UTC: the form of Kubernetes' `metav1.Time`. */
export function rfc3339(ms: number): string {
  return `${isoTime(ms).slice(0, 19)}Z`
}

/** RFC 3339 in microseconds, UTC: the form of Kubernetes' `metav1.MicroTime` (Lease, Event). */
export function rfc3339Micro(ms: number): string {
  return `${isoTime(ms).slice(0, 23)}000Z`
}
