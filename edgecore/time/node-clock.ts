import type { Clock } from '@kedge/shared/clock'

/** No true clock shows less: this program was written later. Milliseconds since the epoch. */
export const earliest = Date.UTC(2026, 0, 1)

/** A change of the wall time against the monotonic one beyond this many milliseconds: somebody has set the clock. */
const leastStep = 2000
/** The cloud's time and ours may differ by so many milliseconds before it is said. */
const mostSkew = 60_000
/** So many settings of the clock are remembered. */
const mostSteps = 16

/** Why the machine's clock is not believed, or undefined when it is. */
export type Distrust = 'BeforeRelease' | 'BehindLastTime' | 'DiffersFromCloud'

export interface NodeClockOptions {
  /** The machine's clock. */
  system: Clock
  /** Whether the machine says that its clock is synchronized. */
  synchronized?: () => boolean
}

interface Step {
  /** The time that was counted when the run, or the stretch since the last step, began and ended. */
  from: number
  until: number
  by: number
}

/**
 * The time of a board that may have no battery for its clock, nor a network to ask.
 *
 * The machine's clock counts when it can be true: not before this program was written, and not before the last time that
 * this node knew, unless somebody has set it since or the machine says that it is synchronized. Otherwise the time goes
 * on from the last known one, or from the cloud's, by the monotonic clock.
 *
 * Invariants:
 * - `now` never shows less than `earliest`.
 * - While the machine's clock is not believed, `now` does not jump, except to the cloud's time.
 * - `monotonic` is the machine's: every interval is measured with it.
 */
export class NodeClock implements Clock {
  readonly #system: Clock
  readonly #synchronized: () => boolean
  /** Wall time less monotonic time, as seen last. */
  #offset: number
  /** The time to show less monotonic time, where the machine's clock is not believed. */
  #counted: number
  #distrust: Distrust | undefined
  /** The cloud's time less monotonic time. */
  #cloud: number | undefined
  /** What was shown when the present stretch without a step began. */
  #began: number
  readonly #steps: Step[] = []

  constructor({ system, synchronized = () => false }: NodeClockOptions) {
    this.#system = system
    this.#synchronized = synchronized
    const wall = system.now()
    const monotonic = system.monotonic()
    this.#offset = wall - monotonic
    this.#counted = Math.max(wall, earliest) - monotonic
    this.#distrust = wall < earliest ? 'BeforeRelease' : undefined
    this.#began = this.#counted + monotonic
  }

  monotonic(): number {
    return this.#system.monotonic()
  }

  now(): number {
    const wall = this.#system.now()
    const monotonic = this.#system.monotonic()
    const offset = wall - monotonic
    const shown = this.#counted + monotonic
    // Whoever sets the clock knows better than a file what time it is.
    if (Math.abs(offset - this.#offset) > leastStep) this.#distrust = wall < earliest ? 'BeforeRelease' : undefined
    else if (this.#distrust === 'BehindLastTime' && wall >= shown) this.#distrust = undefined
    this.#offset = offset
    if (this.#distrust === undefined) this.#move(offset, shown)
    return this.#counted + monotonic
  }

  /** The last time that this node knew before it started; call it once, before anybody asks for the time. */
  notBefore(lastKnown: number): void {
    const monotonic = this.#system.monotonic()
    if (this.#counted + monotonic >= lastKnown) return
    const wall = this.#offset + monotonic
    if (wall >= earliest && this.#synchronized()) return
    this.#distrust = wall < earliest ? 'BeforeRelease' : 'BehindLastTime'
    this.#counted = lastKnown - monotonic
    this.#began = lastKnown
  }

  /** The time by the cloud's clock, as it has just come over the link. */
  cloudSays(time: number): void {
    const shown = this.now()
    const monotonic = this.#system.monotonic()
    this.#cloud = time - monotonic
    if (this.#distrust !== undefined && time >= earliest) this.#move(this.#cloud, shown)
  }

  /** Why the machine's clock is not believed, or what speaks against it. */
  get distrust(): Distrust | undefined {
    if (this.#distrust === 'BehindLastTime' && this.#synchronized()) this.#distrust = undefined
    this.now()
    if (this.#distrust !== undefined) return this.#distrust
    const differs = this.#cloud !== undefined && Math.abs(this.#offset - this.#cloud) > mostSkew
    return differs ? 'DiffersFromCloud' : undefined
  }

  /** Whether the cloud's time stands in for the machine's. */
  get byCloud(): boolean {
    return this.#distrust !== undefined && this.#cloud !== undefined && this.#counted === this.#cloud
  }

  /**
   * What a time that this process wrote down is by the clock of now: it was another one if the clock was set since. Times
   * of earlier runs are as they are.
   */
  corrected(time: number): number {
    this.now()
    // What was written in whole seconds may show a little less than when the stretch began.
    const inside = (at: number, { from, until }: Step) => at > from - 1000 && at <= until
    return this.#steps.reduce((at, step) => (inside(at, step) ? at + step.by : at), time)
  }

  /** Takes another offset; `shown` is what the old one has shown last. */
  #move(offset: number, shown: number): void {
    const by = offset - this.#counted
    this.#counted = offset
    if (Math.abs(by) <= leastStep) return
    this.#steps.push({ from: this.#began, until: shown, by })
    if (this.#steps.length > mostSteps) this.#steps.shift()
    this.#began = shown + by
  }
}
