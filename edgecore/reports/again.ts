import { type Key, parseKey } from '@kedge/shared/objects'
import type { DeviceReport, PodReport, Report, TwinReport } from '@kedge/shared/reports'
import { type Twin, twinReport } from '@kedge/shared/twin'
import { lastOnlineText } from '../devices/messages.ts'
import type { PodStatuses } from '../store/pods.ts'
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
}

/** The keys of all pods and devices that anything was reported of. */
export function allReported({ statuses, twins }: All): Key[] {
  return [
    ...statuses.all().map(({ pod }): Key => `pods/${pod as `${string}/${string}`}`),
    ...twins.devices().map(({ device }): Key => `devices/${device as `${string}/${string}`}`),
  ]
}

/** All that is known of the pods and devices `keys`, as reports: Kubernetes has lost what was said of them. */
export function reportsOn(keys: readonly Key[], { statuses, twins }: Known): Report[] {
  return keys.flatMap((key) => {
    const { resource, namespace = '', name = '' } = parseKey(key) ?? {}
    const id = `${namespace}/${name}`
    if (resource === 'pods') {
      const row = statuses.get(id)
      return row ? podReport({ namespace, name, uid: row.uid, status: row.status }) : []
    }
    const row = resource === 'devices' ? twins.device(id) : undefined
    return row ? (deviceReport({ namespace, name }, row, twins.twinsOf(id)) ?? []) : []
  })
}

function podReport(pod: Omit<PodReport, 'is'>): PodReport {
  return { is: 'pod', ...pod }
}

function deviceReport(
  named: Pick<DeviceReport, 'namespace' | 'name'>,
  { uid, state, lastOnline }: DeviceRow,
  held: ReadonlyMap<string, Twin>,
): DeviceReport | undefined {
  const twins: Record<string, TwinReport> = {}
  for (const [property, twin] of held) {
    const report = twinReport(twin)
    if (!twin.deleted && (report.desired ?? report.reported) !== undefined) twins[property] = report
  }
  const report: DeviceReport = { is: 'device', ...named, uid, state }
  if (Object.keys(twins).length > 0) report.twins = twins
  // Nobody has ever heard of it.
  else if (lastOnline === null) return undefined
  if (lastOnline !== null) report.lastOnlineTime = lastOnlineText(lastOnline)
  return report
}
