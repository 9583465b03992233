import type { Scheduler } from '@kedge/edgecore/pods/scheduler'
import type { Clock } from '@kedge/shared/clock'

/** A clock that stands still until it is turned, and rings the timers that it passes. */
export class HandClock implements Clock, Scheduler {
  #now: number
  #monotonic = 0
  #timers: { at: number; run: () => void }[] = []

  constructor(start = Date.UTC(2026, 0, 1)) {
    this.#now = start
  }

  now(): number {
    return this.#now
  }

  monotonic(): number {
    return this.#monotonic
  }

  after(ms: number, run: () => void): () => void {
    const timer = { at: this.#monotonic + Math.max(0, ms), run }
    this.#timers.push(timer)
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer)
    }
  }

  /** Turns to the next timer, at most `ms` further, and rings it; returns how far it turned. */
  tick(ms: number): number {
    const next = this.#timers.toSorted((a, b) => a.at - b.at)[0]
    const step = next === undefined ? ms : Math.min(ms, Math.max(0, next.at - this.#monotonic))
    this.#monotonic += step
    this.#now += step
    const due = this.#timers.filter(({ at }) => at <= this.#monotonic)
    this.#timers = this.#timers.filter(({ at }) => at > this.#monotonic)
    for (const { run } of due) run()
    return step
  }

  /** The wall time alone changes, as when a board without a battery learns the time. */
  jump(ms: number): void {
    this.#now += ms
  }

  /** Forgets all timers, as a process that is killed does. */
  forget(): void {
    this.#timers = []
  }
}
