import type { Clock } from '@kedge/shared/clock'
import type { Frame } from '@kedge/shared/frames'

/** Milliseconds between two tellings of the time to one node. */
const every = 600_000

/**
 * Tells nodes what time it is, beside the answers to their reports: a board without a battery has nobody else to ask
 * where its network lets it out to cloudcore alone. Once for each run of an edge, which is a box, and then rarely.
 */
export class TimeTeller {
  readonly #clock: Clock
  readonly #told = new Map<string, { box: string; at: number }>()

  constructor(clock: Clock) {
    this.#clock = clock
  }

  /** The frame, with the time in it where it is due. */
  stamped(node: string, frame: Frame<'answered'>): Frame<'answered'> {
    const at = this.#clock.monotonic()
    const told = this.#told.get(node)
    if (told !== undefined && told.box === frame.box && at - told.at < every) return frame
    this.#told.set(node, { box: frame.box, at })
    return { ...frame, now: Math.round(this.#clock.now()) }
  }
}
