import type { Clock } from '@kedge/shared/clock'
import { asObject } from '@kedge/shared/kubeapi/schema'
import type { Entry, ObjectKey } from '@kedge/shared/kubeapi/storage'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { type Background, startBackground } from './background.ts'
import type { LogStore } from './log-store.ts'

export interface RetentionOptions {
  store: LogStore
  clock: Clock
  log: Log
  /** An Event goes when it was last seen this long ago, in milliseconds. Kubernetes' default is an hour. */
  keepMs: number
  /** How often to look, in milliseconds. */
  everyMs: number
}

/** How many Events are looked at, and removed, at once. */
const page = 200

/** Removes Events that nobody has seen for a while, in the background. */
export function startEventRetention({ store, clock, log, keepMs, everyMs }: RetentionOptions): Background {
  const round = async (stopped: () => boolean) => {
    const before = clock.now() - keepMs
    let removed = 0
    for (let last: Entry | undefined; !stopped(); ) {
      const entries = store.list({ resource: 'events', limit: page, ...(last === undefined ? {} : { after: last }) })
      const old = entries.filter(({ object }) => lastSeen(object) < before)
      removed += old.length
      await Promise.all(old.map((entry) => removeUnchanged(store, entry)))
      if (entries.length < page) break
      last = entries.at(-1)
    }
    if (removed > 0) log.debug({ removed }, 'old events removed')
  }
  return startBackground({ name: 'event retention', round, log, everyMs })
}

/** Milliseconds since the epoch; whatever the Event says of its time last. */
export function lastSeen(event: KubeObject): number {
  const times = [event.lastTimestamp, asObject(event.series).lastObservedTime, event.eventTime]
  const stamps = [...times, event.metadata.creationTimestamp].map((time) => Date.parse(String(time)))
  return Math.max(0, ...stamps.filter((stamp) => !Number.isNaN(stamp)))
}

/** An Event that was seen again since it was read stays. */
function removeUnchanged(store: LogStore, { resource, namespace, name, rv }: Entry): Promise<void> {
  const key: ObjectKey = { resource, namespace, name }
  return store.commit((tx) => {
    if (tx.get(key)?.rv === rv) tx.remove(key)
  })
}
