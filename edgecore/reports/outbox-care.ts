import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { isKey, type Key } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import { type Scheduler, systemScheduler } from '../pods/scheduler.ts'
import type { Outbox } from '../store/outbox.ts'
import { getMeta, type Store, setMeta } from '../store/store.ts'
import type { NodeCondition, NodeConditions } from './node-conditions.ts'

export interface OutboxCareOptions {
  store: Pick<Store, 'commit' | 'db'>
  outbox: Outbox
  /** What this node should hold. */
  objects: { get(key: Key): unknown }
  conditions: NodeConditions
  scheduler?: Scheduler
  log: Log
}

export interface OutboxCare extends Service {
  /** Whether a subject of the outbox is this node's: what is said of the pods and devices of others is moot. */
  isOurs(subject: string): boolean
  /** Reports were refused for good. */
  refused(reason: string): void
}

const everyMs = 60_000
/** Soon after a step of a large clearance. */
const soonMs = 1000
const toldName = 'refused-told'

/** Keeps the outbox tidy, with or without a cloud, and tells of what is set aside in it: `ReportsRefused`. */
export function startOutboxCare(options: OutboxCareOptions): OutboxCare {
  const { store, outbox, objects, conditions, log, scheduler = systemScheduler } = options
  let told = getMeta(store.db, toldName) !== undefined
  let dropped = 0
  let cancel = () => {}
  let stopped = false

  const isOurs = (subject: string) => !isKey(subject) || objects.get(subject) !== undefined

  function tidy(): boolean {
    const more = outbox.tidy()
    for (const { seq, subject } of outbox.aside()) if (!isOurs(subject)) outbox.remove(seq)
    return more
  }

  function look(): void {
    const aside = outbox.asideSum().reports
    const next = (more: boolean) => {
      if (!stopped) cancel = scheduler.after(more ? soonMs : everyMs, look)
    }
    store.commit(tidy).then(
      (more) => {
        tell()
        if (outbox.asideSum().reports !== aside) conditions.changed()
        next(more)
      },
      (error: unknown) => {
        log.warn({ reason: explain(error) }, 'outbox not tidied')
        next(false)
      },
    )
  }

  function tell(): void {
    const now = [...outbox.dropped.values()].reduce((sum, count) => sum + count, 0)
    if (now > dropped)
      log.warn({ reports: now - dropped, lanes: Object.fromEntries(outbox.dropped) }, 'reports dropped')
    dropped = now
  }

  conditions.add(() => (told ? refusedCondition(outbox) : undefined))
  cancel = scheduler.after(soonMs, look)
  return {
    isOurs,
    refused() {
      if (!told) {
        told = true
        store
          .commit(() => setMeta(store.db, toldName, '1'))
          .catch((error: unknown) => log.warn({ reason: explain(error) }, 'condition not remembered'))
      }
      conditions.changed()
    },
    async stop() {
      stopped = true
      cancel()
    },
  }
}

/** The condition `ReportsRefused`; shows how many are set aside and why the newest is. */
export function refusedCondition(outbox: Pick<Outbox, 'aside' | 'asideSum'>): NodeCondition {
  const type = 'ReportsRefused'
  const { reports } = outbox.asideSum()
  const [newest] = outbox.aside(1)
  if (newest === undefined) return { type, status: 'False', reason: 'NoneRefused', message: 'no report is set aside' }
  const what = reports === 1 ? '1 report is' : `${reports} reports are`
  const message = `${what} set aside, as Kubernetes will never take them (edgecore get outbox); the newest, ${newest.subject}: ${newest.refused}`
  return { type, status: 'True', reason: 'ReportsRefused', message: message.slice(0, 1024) }
}
