/**
 * Ids of events: unique, and in the order in which they were made, so that those of one second are listed in that order
 * too (kubectl sorts by seconds and leaves the rest as it comes).
 *
 * `random` gives a fresh UUID.
 */
export function eventIds(random: () => string): (at: number) => string {
  let last = 0
  let count = 0
  return (at) => {
    // A clock that goes back must not put what comes later before what was.
    count = at > last ? 0 : count + 1
    last = Math.max(last, at)
    const order = last.toString(16).padStart(12, '0') + count.toString(16).padStart(4, '0')
    return `${order}-${random().slice(0, 8)}`
  }
}
