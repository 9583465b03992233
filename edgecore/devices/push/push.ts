import type { Device } from '@kedge/shared/devices'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { Change } from '@kedge/shared/twin'
import { PushTable } from '../../store/pushes.ts'
import type { Store } from '../../store/store.ts'
import type { Entry } from '../registry.ts'
import { Pusher } from './pusher.ts'
import { type Pushed, targetsOf } from './targets.ts'

export interface PushOptions {
  store: Pick<Store, 'db' | 'commit'>
  /** Whether a mapper has the device: it pushes by itself. */
  mapped: (entry: Entry) => boolean
  /** A target refused a value for good. */
  onRefused: (pushed: Pushed, reason: string) => void
  random: () => number
  log: Log
}

/** Values that may wait for one target; the oldest make room. */
const maxWaiting = 100_000

/** What `pushMethod` says of the properties of a device: keys of targets by property. */
type Plan = ReadonlyMap<string, readonly string[]>

/**
 * `pushMethod` of devices that no mapper has: each new reported value is stored with the twin and taken to the targets,
 * now or when they can be reached again.
 */
export class Push implements Service {
  readonly #options: PushOptions
  readonly #table: PushTable
  readonly #pushers = new Map<string, Pusher>()
  readonly #waiting = new Map<string, number>()
  readonly #plans = new WeakMap<Device, Plan>()
  /** Values that were dropped because too many waited. */
  dropped = 0
  #stopped = false

  constructor(options: PushOptions) {
    this.#options = options
    this.#table = new PushTable(options.store.db)
    this.recount()
  }

  /** Takes up what the last run left. */
  start(): void {
    for (const key of this.#waiting.keys()) this.#pusher(key).wake()
  }

  /** A transaction failed: what it had added is not there. */
  recount(): void {
    this.#waiting.clear()
    for (const [key, rows] of this.#table.counts()) this.#waiting.set(key, rows)
  }

  get waiting(): number {
    let sum = 0
    for (const rows of this.#waiting.values()) sum += rows
    return sum
  }

  /** What is wrong with the `pushMethod`s of a device, by property. */
  faults(device: Device): string[] {
    return (device.spec?.properties ?? []).flatMap(({ name, pushMethod }) =>
      (pushMethod ? targetsOf(pushMethod).faults : []).map((fault) => `${name}: pushMethod.${fault}`),
    )
  }

  /** Keeps what is to be pushed of a change. Call it inside the transaction that keeps the change. */
  keep(entry: Entry, { property, before, after }: Change): void {
    const { device } = entry
    const { value, at } = after.reported
    if (device === undefined || value === undefined || at === undefined || before?.reported === after.reported) return
    const targets = this.#planOf(device).get(property)
    if (targets === undefined || this.#options.mapped(entry)) return
    const { namespace, name } = entry
    const pushed: Pushed = { namespace, name, property, value, type: after.type, at }
    for (const target of targets) this.#add(target, JSON.stringify(pushed))
  }

  #add(key: string, content: string): void {
    const waiting = (this.#waiting.get(key) ?? 0) + 1
    this.#table.add(key, content)
    if (waiting > maxWaiting) {
      this.dropped += this.#table.dropOldest(key, 1)
      if (this.dropped === 1 || this.dropped % maxWaiting === 0)
        this.#options.log.warn({ target: key, dropped: this.dropped }, 'push queue full, oldest dropped')
    } else this.#waiting.set(key, waiting)
    // After the transaction: until then there is nothing to read.
    setImmediate(() => this.#stopped || this.#pusher(key).wake())
  }

  #planOf(device: Device): Plan {
    const known = this.#plans.get(device)
    if (known !== undefined) return known
    const plan = new Map<string, string[]>()
    for (const { name, pushMethod } of device.spec?.properties ?? []) {
      const { targets } = pushMethod ? targetsOf(pushMethod) : { targets: [] }
      if (targets.length > 0)
        plan.set(
          name,
          targets.map((target) => JSON.stringify(target)),
        )
    }
    this.#plans.set(device, plan)
    return plan
  }

  #pusher(key: string): Pusher {
    const known = this.#pushers.get(key)
    if (known !== undefined) return known
    const { store, onRefused, random, log } = this.#options
    const pusher = new Pusher({
      ...{ key, table: this.#table, onRefused, random, log },
      commit: (write) => store.commit(write),
      onGone: (rows) => this.#waiting.set(key, Math.max(0, (this.#waiting.get(key) ?? 0) - rows)),
    })
    this.#pushers.set(key, pusher)
    return pusher
  }

  async stop(): Promise<void> {
    this.#stopped = true
    await Promise.all([...this.#pushers.values()].map((pusher) => pusher.stop()))
  }
}
