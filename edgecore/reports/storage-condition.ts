import { basename } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { rfc3339 } from '@kedge/shared/clock'
import type { EventReport } from '@kedge/shared/reports'
import type { Outbox } from '../store/outbox.ts'
import { type Damage, damageTold, untoldDamage } from '../store/replacement.ts'
import { setAsideOf } from '../store/set-aside.ts'
import type { Store } from '../store/store.ts'
import { newEventId } from './event-id.ts'
import type { NodeCondition } from './node-conditions.ts'

/** The node's condition `StorageHealthy`. */
export function storageCondition({ fault, inMemory, path }: Store): NodeCondition {
  const type = 'StorageHealthy'
  if (fault !== undefined) {
    const goesOn = inMemory ? 'edgecore runs from what it held before' : 'edgecore goes on with what it holds'
    return { type, status: 'False', reason: fault.reason, message: `${fault.message}; ${goesOn}, nothing new is kept` }
  }
  const [aside] = setAsideOf(path)
  if (aside === undefined) {
    return { type, status: 'True', reason: 'StorageHealthy', message: 'edgecore keeps what it acknowledges' }
  }
  const message = `a damaged database was replaced; it lies beside the new one as ${basename(aside)}: remove it when it is no longer needed`
  return { type, status: 'True', reason: 'DatabaseReplaced', message }
}

export interface TellDamage {
  store: Store
  outbox: Outbox
  clock: Clock
  nodeName: string
}

/** Writes an Event on the node when its database was replaced and nobody has been told yet: once, also over a crash. */
export async function tellDamage({ store, outbox, clock, nodeName }: TellDamage): Promise<void> {
  const damage = untoldDamage(store.db)
  if (damage === undefined || store.fault !== undefined) return
  const at = clock.now()
  const event: EventReport = {
    is: 'event',
    id: newEventId(at),
    // As kubelet does: the Node's Events name it by its name, also where they ask for the uid.
    regarding: { apiVersion: 'v1', kind: 'Node', name: nodeName, uid: nodeName },
    type: 'Warning',
    reason: 'DatabaseReplaced',
    message: sentence(damage).slice(0, 1024),
    at,
    by: 'storage',
  }
  await store.commit(() => {
    outbox.add(event)
    damageTold(store.db)
  })
}

/** What was lost cannot be counted, only what was not. */
function sentence({ at, reason, aside, rows, incomplete }: Damage): string {
  const kept = ['objects', 'twins', 'outbox', 'pods'].map((table) => `${rows[table] ?? 0} rows of ${table}`).join(', ')
  const lost = incomplete.length > 0 ? `; of ${incomplete.join(', ')} some may be lost` : '; nothing readable was lost'
  return `the database was found damaged at ${rfc3339(at)} (${reason}) and set aside as ${basename(aside)}; taken over: ${kept}${lost}. The cloud sends again what is missing`
}
