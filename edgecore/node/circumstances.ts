import type { NodeStatus } from '../reports/node-status.ts'
import type { Store } from '../store/store.ts'
import type { NodeClock } from '../time/node-clock.ts'
import { clockCondition } from '../time/timekeeping.ts'
import type { Circumstances } from './offline-watch.ts'

export interface CircumstanceParts {
  store: Pick<Store, 'fault'>
  clock: NodeClock
  /** Undefined until they are started. */
  nodeStatus: Pick<NodeStatus, 'pressures'> | undefined
  cloud: { keeper: { endsAt: number } | undefined } | undefined
}

/** What other parts of edgecore know about whether this node would come back. */
export function circumstancesOf({ store, clock, nodeStatus, cloud }: CircumstanceParts): Circumstances {
  const { fault } = store
  const { status, message } = clockCondition(clock)
  const ends = cloud?.keeper?.endsAt
  return {
    diskFull: nodeStatus?.pressures?.disk ?? false,
    ...(fault && { storageFault: fault.message }),
    ...(status !== 'True' && { clockFault: message }),
    ...(ends !== undefined && { certificateEndsAt: ends }),
  }
}
