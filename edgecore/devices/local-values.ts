import type { Device } from '@kedge/shared/devices'
import type { TwinReport } from '@kedge/shared/reports'
import { type Change, shows, type Twin, twinReport } from '@kedge/shared/twin'

/**
 * `reportToCloud: false`: what a property reports stays on the node, in its twin and on the topics. Its desired value,
 * which came from the cloud, is told as ever. Without the field values are reported.
 */
const none: ReadonlySet<string> = new Set()
const known = new WeakMap<Device, ReadonlySet<string>>()

/** The properties whose reported values stay here. */
export function localProperties(device: Device | undefined): ReadonlySet<string> {
  if (device === undefined) return none
  const found = known.get(device)
  if (found !== undefined) return found
  const local = (device.spec?.properties ?? []).filter(({ reportToCloud }) => reportToCloud === false)
  const names = local.length === 0 ? none : new Set(local.map(({ name }) => name))
  known.set(device, names)
  return names
}

/** Whether the state of the device stays here as well: `stateReport.reportToCloud: false`. */
export function isStateLocal(device: Device | undefined): boolean {
  return device?.spec?.stateReport?.reportToCloud === false
}

/** Properties of which the cloud must hear anew, because they are local now and were not before, or the other way. */
export function localityChanged(before: Device | undefined, after: Device | undefined): string[] {
  const [old, fresh] = [localProperties(before), localProperties(after)]
  return [...new Set([...old, ...fresh])].filter((name) => old.has(name) !== fresh.has(name))
}

/** Whether the cloud sees anything of a change. */
export function showsInCloud(change: Change, local: boolean): boolean {
  if (!local) return shows(change)
  const { before, after } = change
  if (before === undefined) return after.desired.value !== undefined
  return shows({ ...change, after: { ...after, reported: before.reported } })
}

/** What the cloud is told of a twin. */
export function cloudReport(twin: Twin, local: boolean): TwinReport {
  const report = twinReport(twin)
  if (!local) return report
  const { reported: _, ...rest } = report
  return rest
}
