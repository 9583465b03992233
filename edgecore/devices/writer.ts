import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { DeviceReport, EventReport } from '@kedge/shared/reports'
import type { Change } from '@kedge/shared/twin'
import type { Outbox } from '../store/outbox.ts'
import type { Store, Urgency } from '../store/store.ts'
import type { TwinTable } from '../store/twins.ts'
import { cloudReport, isStateLocal, localProperties, showsInCloud } from './local-values.ts'
import { lastOnlineText } from './messages.ts'
import type { Push } from './push/push.ts'
import type { Entry, Registry } from './registry.ts'

export interface WriterOptions {
  store: Store
  table: TwinTable
  outbox: Outbox
  registry: Registry
  /** Keeps what of a change goes elsewhere, in the same transaction. */
  push: Pick<Push, 'keep'>
  log: Log
  /** Called when a transaction failed: what the registry holds is no longer what the database holds. */
  onFailure: () => void
}

interface Job {
  work: (transaction: Transaction) => unknown
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/**
 * The one place where devices and twins are written.
 *
 * Invariants:
 * - Work runs in the order in which it was submitted, and its promise resolves in that order, after the commit.
 * - Everything that arrived together shares one transaction: one row per property and one report per device, however
 *   often they changed in it.
 * - Work that throws has changed nothing and does not touch its neighbours.
 */
export class Writer {
  readonly #options: WriterOptions
  #queue: Job[] = []
  #scheduled = false
  /** What is scheduled waits for nobody. */
  #hurries = false

  constructor(options: WriterOptions) {
    this.#options = options
  }

  /**
   * Runs `work`, which may read the registry and write through the transaction, and resolves once that is on disk. What
   * is not `spaced` takes along all that was submitted before it.
   */
  submit<T>(work: (transaction: Transaction) => T, urgency: Urgency = 'spaced'): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ work, resolve, reject })
      if (this.#scheduled && (urgency === 'spaced' || this.#hurries)) return
      this.#hurries = urgency === 'now'
      this.#commit(urgency)
    })
  }

  #commit(urgency: Urgency): void {
    if (this.#scheduled) return void this.#options.store.commit(() => undefined, urgency).catch(() => undefined)
    this.#scheduled = true
    let jobs: Job[] = []
    this.#options.store
      .commit(() => {
        // Taken here and not before: what arrived since then comes along.
        jobs = this.#take()
        return this.#run(jobs)
      }, urgency)
      .then(
        (settle) => {
          for (const each of settle) each()
        },
        (error: unknown) => {
          if (jobs.length === 0) jobs = this.#take()
          this.#recover()
          for (const { reject } of jobs) reject(error)
        },
      )
  }

  /** Nobody may wait in vain, whatever comes of this. */
  #recover(): void {
    try {
      this.#options.onFailure()
    } catch (error) {
      this.#options.log.error({ reason: explain(error) }, 'devices not read again')
    }
  }

  #take(): Job[] {
    const jobs = this.#queue
    this.#queue = []
    this.#scheduled = false
    this.#hurries = false
    return jobs
  }

  #run(jobs: readonly Job[]): (() => void)[] {
    const transaction = new Transaction(this.#options.registry)
    const settle = jobs.map(({ work, resolve, reject }) => {
      try {
        const value = work(transaction)
        return () => resolve(value as never)
      } catch (error) {
        this.#options.log.error({ reason: explain(error) }, 'device work failed')
        return () => reject(error)
      }
    })
    transaction.write(this.#options)
    return settle
  }
}

interface Dirty {
  entry: Entry
  /** Whether the row of the device itself changed. */
  row: boolean
  /** Properties whose rows changed, and whether that shows to others. */
  properties: Map<string, boolean>
  /** Whether state or time last online changed. */
  state: boolean
}

/** What the work of one transaction changes: at once in the registry, in the database when it ends. */
export class Transaction {
  readonly #registry: Registry
  readonly #dropped = new Set<string>()
  readonly #dirty = new Map<string, Dirty>()
  readonly #events: EventReport[] = []
  readonly #changes: { entry: Entry; change: Change }[] = []

  constructor(registry: Registry) {
    this.#registry = registry
  }

  add(entry: Entry): void {
    this.#registry.add(entry)
    this.#mark(entry).row = true
  }

  /** Forgets a device with its twins. */
  drop(id: string): void {
    this.#registry.remove(id)
    this.#dirty.delete(id)
    this.#dropped.add(id)
  }

  change(entry: Entry, changes: readonly Change[]): void {
    if (changes.length === 0) return
    const { properties } = this.#mark(entry)
    const local = localProperties(entry.device)
    for (const change of changes) {
      entry.twins.set(change.property, change.after)
      this.#changes.push({ entry, change })
      const seen = showsInCloud(change, local.has(change.property))
      properties.set(change.property, seen || properties.get(change.property) === true)
    }
  }

  /** The cloud hears of these properties anew. */
  tellAgain(entry: Entry, properties: readonly string[]): void {
    const held = properties.filter((property) => entry.twins.has(property))
    if (held.length === 0) return
    const { properties: told } = this.#mark(entry)
    for (const property of held) told.set(property, true)
  }

  setState(entry: Entry, state: string, lastOnline: number | null): void {
    entry.state = state
    entry.lastOnline = lastOnline
    const dirty = this.#mark(entry)
    dirty.row = true
    dirty.state = true
  }

  event(report: EventReport | undefined): void {
    if (report !== undefined) this.#events.push(report)
  }

  #mark(entry: Entry): Dirty {
    const known = this.#dirty.get(entry.id)
    if (known !== undefined) return known
    const fresh = { entry, row: false, properties: new Map<string, boolean>(), state: false }
    this.#dirty.set(entry.id, fresh)
    return fresh
  }

  write({ table, outbox, push }: Pick<WriterOptions, 'table' | 'outbox' | 'push'>): void {
    for (const id of this.#dropped) table.dropDevice(id)
    for (const { entry, row, properties, state } of this.#dirty.values()) {
      const { id, uid, lastOnline, twins } = entry
      if (row) table.putDevice({ device: id, uid, state: entry.state, lastOnline })
      for (const property of properties.keys()) {
        const twin = twins.get(property)
        if (twin !== undefined) table.putTwin(id, property, twin)
      }
      const report = reportOn(entry, { properties, state })
      if (report !== undefined) outbox.add(report)
    }
    for (const event of this.#events) outbox.add(event)
    for (const { entry, change } of this.#changes) push.keep(entry, change)
  }
}

function reportOn(
  { namespace, name, uid, device, twins, state, lastOnline }: Entry,
  dirty: Pick<Dirty, 'properties' | 'state'>,
): DeviceReport | undefined {
  const report: DeviceReport = { is: 'device', namespace, name, uid }
  for (const [property, shown] of dirty.properties) {
    const twin = twins.get(property)
    if (!shown || twin === undefined) continue
    report.twins ??= {}
    report.twins[property] = twin.deleted ? null : cloudReport(twin, localProperties(device).has(property))
  }
  if (dirty.state && !isStateLocal(device)) {
    report.state = state
    if (lastOnline !== null) report.lastOnlineTime = lastOnlineText(lastOnline)
  }
  return report.twins || report.state ? report : undefined
}
