import type { Clock } from '@kedge/shared/clock'
import type { UpFrame } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { type CloudAccessSettings, cloudAccess } from '../link/access.ts'
import type { NodeConditions } from '../reports/node-conditions.ts'
import { openIdentity } from './keep.ts'
import { IdentityKeeper } from './keeper.ts'

export interface OpenOptions {
  settings: CloudAccessSettings & { cloud?: string | undefined; data: string; nodeName: string }
  conditions: NodeConditions
  clock: Clock
  log: Log
  send: (frame: UpFrame) => boolean
}

/** Looks after the identity in the data folder, where there is one and the link is TLS. */
export function openKeeper({ settings, conditions, clock, log, send }: OpenOptions): IdentityKeeper | undefined {
  const { cloud, data, nodeName } = settings
  if (!cloud?.startsWith('mqtts:')) return undefined
  const { identity, faults, path } = openIdentity(data)
  for (const fault of faults) log.warn({ fault, used: path ?? 'none' }, 'identity passed over')
  if (identity === undefined) return undefined
  if (identity.node !== nodeName) {
    throw new Error(`${data} holds the identity of ${identity.node}, and this node is ${nodeName}`)
  }
  const keeper = new IdentityKeeper({
    ...{ dir: data, identity, clock, log, send },
    link: cloud,
    // Behind a broker of its own, cloudcore has a port for this alone: where the board joined.
    enrolment: identity.broker === undefined ? cloud : identity.cloud,
    moreRoots: cloudAccess(settings).ca,
    changed: () => conditions.changed(),
  })
  conditions.add(() => keeper.condition())
  return keeper
}
