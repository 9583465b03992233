import type { Clock } from '@kedge/shared/clock'
import { cycleOf } from './cycles.ts'
import type { DriverDevice, DriverHost } from './driver.ts'

export interface PollerOptions {
  /** Milliseconds between two readings, by property. */
  cycles: ReadonlyMap<string, number>
  /** Reads properties and reports them; must not reject. */
  poll: (due: readonly string[]) => Promise<void>
  clock: Clock
  /** A draw from [0, 1). */
  random: () => number
}

/**
 * Reads the properties of one device, each in its cycle.
 *
 * Invariants: one reading is under way at a time; a slow device makes readings rarer and never piles them up; properties
 * of the same cycle stay together.
 */
export class Poller {
  readonly #options: PollerOptions
  /** When each property is due next, monotonic milliseconds. */
  readonly #dueAt = new Map<string, number>()
  #busy: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: PollerOptions) {
    this.#options = options
  }

  /** Begins at some moment of the first cycle, so that devices that start together are not all read together. */
  start(): void {
    const { cycles, clock, random } = this.#options
    const spread = random() * Math.min(1000, ...cycles.values())
    for (const name of cycles.keys()) this.#dueAt.set(name, clock.monotonic() + spread)
    this.#plan()
  }

  /** Reads these properties at once. */
  soon(names: Iterable<string>): void {
    const now = this.#options.clock.monotonic()
    for (const name of names) if (this.#dueAt.has(name)) this.#dueAt.set(name, now)
    this.#plan()
  }

  /** Reads nothing for so many milliseconds. */
  pause(ms: number): void {
    const until = this.#options.clock.monotonic() + ms
    for (const [name, at] of this.#dueAt) this.#dueAt.set(name, Math.max(at, until))
    this.#plan()
  }

  /** Resolves when no reading is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#busy
  }

  #plan(): void {
    clearTimeout(this.#timer)
    if (this.#stopped || this.#busy !== undefined || this.#dueAt.size === 0) return
    const wait = Math.min(...this.#dueAt.values()) - this.#options.clock.monotonic()
    this.#timer = setTimeout(() => this.#poll(), Math.max(0, wait))
  }

  #poll(): void {
    const { cycles, clock, poll } = this.#options
    const now = clock.monotonic()
    const due = [...this.#dueAt].filter(([, at]) => at <= now).map(([name]) => name)
    if (due.length === 0) return this.#plan()
    for (const name of due) {
      const cycle = cycles.get(name) ?? 0
      const at = (this.#dueAt.get(name) ?? now) + cycle
      // What was missed is left out, and the beat is kept.
      this.#dueAt.set(name, at > now ? at : now + cycle - ((now - at) % cycle))
    }
    this.#busy = poll(due).finally(() => {
      this.#busy = undefined
      this.#plan()
    })
  }
}

/** The `collectCycle` of each of these properties. */
export function collectCycles(
  { spec }: Pick<DriverDevice, 'spec'>,
  names: Iterable<string>,
  host: Pick<DriverHost, 'tell'>,
): Map<string, number> {
  const given = new Map(spec.properties?.map(({ name, collectCycle }) => [name, collectCycle]))
  const warn = (message: string) => host.tell('CycleChanged', message)
  return new Map([...names].map((name) => [name, cycleOf(`property ${name}: collectCycle`, given.get(name), warn)]))
}
