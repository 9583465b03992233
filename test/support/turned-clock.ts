import type { Clock } from '@kedge/shared/clock'

/** The machine's time, with a wall clock that is set ahead by hand. */
export class TurnedClock implements Clock {
  #ahead = 0

  now(): number {
    return Date.now() + this.#ahead
  }

  monotonic(): number {
    return performance.now()
  }

  turn(ms: number): void {
    this.#ahead += ms
  }
}
