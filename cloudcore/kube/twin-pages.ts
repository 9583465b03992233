import { type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import { deviceStatus, type LiveDevice, type StatusTwin, twinsIn } from './device-status.ts'
import { nodeOf } from './trim.ts'

/** The newest values of a device, on the pages `/devices/<namespace>/<name>` and `/nodes/<node>/twins`. */
export interface TwinPage {
  namespace: string
  name: string
  node: string | null
  /** Whether its node has reported since cloudcore started; otherwise these are the values of `Device.status`. */
  live: boolean
  state: string | null
  lastOnlineTime: string | null
  twins: StatusTwin[]
}

export interface TwinPageParts {
  catalog: {
    get(key: Key): { object: KubeObject } | undefined
    devicesOn(node: string): Iterable<KubeObject>
    node(name: string): KubeObject | undefined
  }
  live(device: Key): Readonly<LiveDevice> | undefined
}

/**
 * What the status server shows of devices: the values as their nodes reported them last, whether they are written to
 * Kubernetes yet or not.
 */
export function twinPages({ catalog, live }: TwinPageParts) {
  const pageOf = (device: KubeObject): TwinPage => {
    const { namespace = '', name, uid } = device.metadata
    const known = live(keyOf('devices', namespace, name))
    const current = known?.uid === uid ? known : undefined
    const status = deviceStatus(device.status ?? {}, current, [], '')
    return {
      ...{ namespace, name, node: nodeOf(device) ?? null, live: current !== undefined },
      state: text(status.state),
      lastOnlineTime: text(status.lastOnlineTime),
      twins: twinsIn(status),
    }
  }
  return (path: string): TwinPage | TwinPage[] | undefined => {
    const [, kind, first = '', second = '', ...rest] = path.split('/')
    if (rest.length > 0) return undefined
    if (kind === 'devices') {
      const device = catalog.get(keyOf('devices', first, second))?.object
      return device && pageOf(device)
    }
    if (kind !== 'nodes' || second !== 'twins' || catalog.node(first) === undefined) return undefined
    return [...catalog.devicesOn(first)].map(pageOf)
  }
}

function text(value: unknown): string | null {
  return typeof value === 'string' ? value : null
}
