import type { Clock } from '@kedge/shared/clock'
import type { Scheduler } from '../pods/scheduler.ts'

/** Calls `act` soon after it was asked for: at once after a quiet moment, otherwise when a gap has passed. */
export class Pace {
  readonly #options: { clock: Clock; scheduler: Scheduler; gap: number; act: () => void }
  #cancel: (() => void) | undefined
  /** When the next call is due, monotonic. */
  #dueAt = Number.POSITIVE_INFINITY
  #lastAt = Number.NEGATIVE_INFINITY

  /** `gap`: the least milliseconds from what `done` was said of to the next call. */
  constructor(options: { clock: Clock; scheduler: Scheduler; gap: number; act: () => void }) {
    this.#options = options
  }

  /** Asks for a call, `least` ms from now or later. */
  soon(least = 0): void {
    const { clock, scheduler, gap, act } = this.#options
    const now = clock.monotonic()
    const at = Math.max(now + least, this.#lastAt + gap)
    if (at >= this.#dueAt) return
    this.#cancel?.()
    this.#dueAt = at
    this.#cancel = scheduler.after(Math.max(0, at - now), () => {
      this.#dueAt = Number.POSITIVE_INFINITY
      act()
    })
  }

  /** What the gap is counted from was done just now. */
  done(): void {
    this.#lastAt = this.#options.clock.monotonic()
  }

  stop(): void {
    this.#cancel?.()
    this.#dueAt = Number.POSITIVE_INFINITY
  }
}
