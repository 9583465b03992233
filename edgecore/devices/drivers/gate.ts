import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'

export interface GateOptions {
  /** Keeps values; resolves with the reasons for those that are refused, by property. */
  keep: (values: Readonly<Record<string, string>>) => Promise<ReadonlyMap<string, string>>
  /** Milliseconds between two reports of a property, for those that have such a cycle. */
  cycles: ReadonlyMap<string, number>
  clock: Clock
  /** Called, not too often, with how many values were replaced by newer ones because the device reports too fast. */
  onFlood: (replaced: number) => void
}

interface Waiter {
  /** How many of its properties are not kept yet. */
  left: number
  faults: string[]
  resolve: () => void
  reject: (error: unknown) => void
}

/** A value that waits, and who waits for it or for one that it replaced. */
interface Slot {
  value: string
  waiters: Waiter[]
}

/** Reports of one device per second, and how many may come at once after a pause. */
const perSecond = 50
const burst = 100
/** A device is told to flood when so many of its values were replaced within a second. */
const flood = 1000
/** No more than so many wait for one value: a driver that does not wait must not fill the memory. */
const maxWaiters = 1000

/**
 * What stands between the driver of one device and the database that all share.
 *
 * Invariants:
 * - One report is under way at a time; meanwhile at most one value per property waits, the newest.
 * - The last value of a property always goes on, and whoever reported it hears of that.
 * - Nothing passes after `close`.
 */
export class Gate {
  readonly #options: GateOptions
  readonly #pending = new Map<string, Slot>()
  readonly #keptAt = new Map<string, number>()
  #tokens = burst
  #filledAt: number
  #busy = false
  #closed = false
  #timer: NodeJS.Timeout | undefined
  #replaced = 0
  #countedSince: number

  constructor(options: GateOptions) {
    this.#options = options
    this.#filledAt = this.#countedSince = options.clock.monotonic()
  }

  /** Resolves once the values, or newer ones in their place, are kept. */
  put(values: Readonly<Record<string, string>>): Promise<void> {
    const entries = Object.entries(values)
    if (this.#closed || entries.length === 0) return Promise.resolve()
    return new Promise((resolve, reject) => {
      const waiter: Waiter = { left: entries.length, faults: [], resolve, reject }
      for (const [name, value] of entries) this.#wait(name, value, waiter)
      this.#turn()
    })
  }

  /** Ends it: what waits is dropped, and nobody waits in vain. */
  close(): void {
    this.#closed = true
    clearTimeout(this.#timer)
    for (const { waiters } of this.#pending.values()) settle(waiters)
    this.#pending.clear()
  }

  #wait(name: string, value: string, waiter: Waiter): void {
    const slot = this.#pending.get(name)
    if (slot === undefined) return void this.#pending.set(name, { value, waiters: [waiter] })
    this.#count()
    slot.value = value
    slot.waiters.push(waiter)
    if (slot.waiters.length > maxWaiters) {
      settle(slot.waiters.splice(0, 1), `${name}: reported too often, replaced before it was kept`)
    }
  }

  #turn(): void {
    if (this.#busy || this.#closed || this.#pending.size === 0) return
    const now = this.#options.clock.monotonic()
    const due = this.#due(now)
    const wait = due.length === 0 ? this.#nextDue(now) : this.#spend(now)
    if (wait > 0) return this.#later(wait)
    const values: Record<string, string> = {}
    const waiting: [string, Waiter[]][] = []
    for (const name of due) {
      const slot = this.#pending.get(name)
      if (slot === undefined) continue
      values[name] = slot.value
      waiting.push([name, slot.waiters])
      this.#pending.delete(name)
      this.#keptAt.set(name, now)
    }
    this.#busy = true
    const done = (faultOf: (name: string) => string | undefined) => {
      this.#busy = false
      for (const [name, waiters] of waiting) settle(waiters, faultOf(name))
      this.#turn()
    }
    this.#options.keep(values).then(
      (refused) => done((name) => (refused.has(name) ? `${name}: ${refused.get(name)}` : undefined)),
      (error: unknown) => done(() => explain(error)),
    )
  }

  #due(now: number): string[] {
    return [...this.#pending.keys()].filter((name) => this.#dueAt(name) <= now)
  }

  #dueAt(name: string): number {
    return (this.#keptAt.get(name) ?? -Infinity) + (this.#options.cycles.get(name) ?? 0)
  }

  #nextDue(now: number): number {
    return Math.max(1, Math.min(...[...this.#pending.keys()].map((name) => this.#dueAt(name))) - now)
  }

  /** Takes a token, or says how many milliseconds there is none. */
  #spend(now: number): number {
    this.#tokens = Math.min(burst, this.#tokens + ((now - this.#filledAt) * perSecond) / 1000)
    this.#filledAt = now
    if (this.#tokens < 1) return Math.ceil(((1 - this.#tokens) * 1000) / perSecond)
    this.#tokens--
    return 0
  }

  #later(ms: number): void {
    clearTimeout(this.#timer)
    this.#timer = setTimeout(() => this.#turn(), ms)
  }

  #count(): void {
    this.#replaced++
    const now = this.#options.clock.monotonic()
    if (now - this.#countedSince < 1000) return
    if (this.#replaced >= flood) this.#options.onFlood(this.#replaced)
    this.#replaced = 0
    this.#countedSince = now
  }
}

/** One property of each waiter is done with; `fault` says why it is not kept. */
function settle(waiters: readonly Waiter[], fault?: string): void {
  for (const waiter of waiters) {
    waiter.left--
    if (fault !== undefined && !waiter.faults.includes(fault)) waiter.faults.push(fault)
    if (waiter.left > 0) continue
    if (waiter.faults.length === 0) waiter.resolve()
    else waiter.reject(new Error(waiter.faults.slice(0, 5).join('; ')))
  }
}
