import { type Device, parseDevice } from '@kedge/shared/devices'
import { type Key, parseKey } from '@kedge/shared/objects'
import type { DeviceReport, PodReport, Report, TwinReport } from '@kedge/shared/reports'
import type { Twin } from '@kedge/shared/twin'
import { cloudReport, isStateLocal, localProperties } from '../devices/local-values.ts'
import { lastOnlineText } from '../devices/messages.ts'
import type { PodName } from '../pods/runtime.ts'
import type { Objects } from '../store/objects.ts'
import type { PodRow, PodStatuses } from '../store/pods.ts'
import type { DeviceRow, TwinTable } from '../store/twins.ts'

/** Where all that was reported is kept. */
export interface All {
  statuses: Pick<PodStatuses, 'all'>
  twins: Pick<TwinTable, 'devices'>
}

/** Where what was reported is kept. */
export interface Known {
  statuses: Pick<PodStatuses, 'get'>
  twins: Pick<TwinTable, 'device' | 'twinsOf'>
  objects: Pick<Objects, 'get'>
}

/** The keys of all pods and devices that anything was reported of. */
export function allReported({ statuses, twins }: All): Key[] {
  return [
    ...statuses.all().map(({ pod }): Key => `pods/${pod as `${string}/${string}`}`),
    ...twins.devices().map(({ device }): Key => `devices/${device as `${string}/${string}`}`),
  ]
}

/** All that is known of the pods and devices `keys`, as reports: Kubernetes has lost what was said of them. */
export function reportsOn(keys: readonly Key[], { statuses, twins, objects }: Known): Report[] {
  return keys.flatMap((key) => {
    const { resource, namespace = '', name = '' } = parseKey(key) ?? {}
    const id = `${namespace}/${name}`
    if (resource === 'pods') {
      // Of a pod of the node's own folder the cloud knows nothing.
      const row = objects.get(key) && statuses.get(id)
      return row ? podReport({ namespace, name }, row) : []
    }
    const row = resource === 'devices' ? twins.device(id) : undefined
    return row ? (deviceReport({ namespace, name, device: deviceOf(objects, key) }, row, twins.twinsOf(id)) ?? []) : []
  })
}

function deviceOf(objects: Known['objects'], key: Key): Device | undefined {
  const parsed = parseDevice(objects.get(key)?.content)
  return parsed.ok ? parsed.device : undefined
}

function podReport(pod: PodName, { uid, status, stopped }: PodRow): PodReport {
  return { is: 'pod', ...pod, uid, status, ...(stopped && { stopped }) }
}

function deviceReport(
  { namespace, name, device }: Pick<DeviceReport, 'namespace' | 'name'> & { device: Device | undefined },
  { uid, state, lastOnline }: DeviceRow,
  held: ReadonlyMap<string, Twin>,
): DeviceReport | undefined {
  const twins: Record<string, TwinReport> = {}
  const local = localProperties(device)
  for (const [property, twin] of held) {
    const report = cloudReport(twin, local.has(property))
    if (!twin.deleted && (report.desired ?? report.reported) !== undefined) twins[property] = report
  }
  const report: DeviceReport = { is: 'device', namespace, name, uid }
  if (!isStateLocal(device)) report.state = state
  if (Object.keys(twins).length > 0) report.twins = twins
  // Nobody has ever heard of it.
  else if (lastOnline === null) return undefined
  if (lastOnline !== null && !isStateLocal(device)) report.lastOnlineTime = lastOnlineText(lastOnline)
  return report
}
