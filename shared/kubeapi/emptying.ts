import type { Clock } from '../clock.ts'
import { explain } from '../errors.ts'
import type { Log } from '../log.ts'
import { type Service, sleep } from '../service.ts'
import type { ApiKind } from './kinds.ts'
import { atOnce, contents, terminate } from './lifecycle.ts'
import type { Change, Entry, Storage } from './storage.ts'
import { definitionResource } from './write.ts'

export interface EmptyingOptions {
  storage: Storage
  registry: { readonly kinds: readonly ApiKind[] }
  clock: Pick<Clock, 'now'>
  log: Log
}

const holders = ['namespaces', definitionResource]
/** Milliseconds until storage that failed is asked again. */
const pause = 1000

/**
 * Empties the namespaces and definitions that are being deleted, in transactions so short that nobody waits for them, and
 * goes on with what an earlier run left. What it does is in the storage alone, so it may end at any point.
 */
export function startEmptying(options: EmptyingOptions): Service {
  const { storage } = options
  const stop = new AbortController()
  let running: Promise<void> = Promise.resolve()
  const begin = (holder: Entry) => {
    running = running.then(() => emptied(options, holder, stop.signal))
  }
  for (const resource of holders) storage.list({ resource }).filter(isLeaving).forEach(begin)
  const unsubscribe = storage.subscribe((changes) => {
    for (const change of changes) if (beganToLeave(change)) begin(change.entry)
  })
  return {
    async stop() {
      unsubscribe()
      stop.abort()
      await running
    },
  }
}

function isLeaving({ object }: Entry): boolean {
  return object.metadata.deletionTimestamp !== undefined
}

function beganToLeave({ type, entry, previous }: Change): boolean {
  if (type !== 'MODIFIED' || !holders.includes(entry.resource)) return false
  return isLeaving(entry) && previous !== undefined && !isLeaving(previous)
}

/** Deletes all that a holder holds. Trouble is told, and tried again. */
async function emptied(options: EmptyingOptions, holder: Entry, signal: AbortSignal): Promise<void> {
  while (!signal.aborted) {
    try {
      for (const collection of contents(options.registry.kinds, holder)) {
        for (let last: Entry | undefined; !signal.aborted; ) {
          const after = last === undefined ? {} : { after: last }
          const entries = options.storage.list({ ...collection, ...after, limit: atOnce })
          if (entries.length === 0) break
          if (!(await slice(options, holder, entries))) return
          last = entries.at(-1)
        }
      }
      return
    } catch (error) {
      options.log.error({ holder: holder.name, reason: explain(error) }, 'emptying failed')
      await sleep(pause, signal)
    }
  }
}

/** Deletes these of a holder's objects; false when the holder is gone, whatever has its name now. */
function slice({ storage, registry, clock }: EmptyingOptions, holder: Entry, entries: Entry[]): Promise<boolean> {
  return storage.commit((tx) => {
    const isThere = () => tx.get(holder)?.object.metadata.uid === holder.object.metadata.uid
    if (!isThere()) return false
    for (const each of entries) {
      const entry = tx.get(each)
      if (entry !== undefined) terminate({ tx, kinds: registry.kinds, now: clock.now() }, entry, {})
    }
    return isThere()
  })
}
