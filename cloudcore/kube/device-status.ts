import { canonical } from '@kedge/shared/canonical'
import type { DeviceReport, TwinReport } from '@kedge/shared/reports'
import { type Condition, conditionsIn, withConditions } from './conditions.ts'
import { isJson, type Json } from './merge-patch.ts'

/** What the edge has said of a device since cloudcore started, newest values only. */
export interface LiveDevice {
  uid: string
  /** null for a property that was deleted. */
  twins: Map<string, TwinReport | null>
  state?: string
  lastOnlineTime?: string
}

/** One entry of `Device.status.twins`, in KubeEdge's form. */
export interface StatusTwin extends Json {
  propertyName: string
  observedDesired?: StatusValue
  reported?: StatusValue
}

interface StatusValue extends Json {
  value: string
  metadata?: Record<string, string>
}

/** What is known of a device after one more report on it. */
export function withReport(live: LiveDevice | undefined, report: DeviceReport): LiveDevice {
  const before = live?.uid === report.uid ? live : undefined
  return {
    uid: report.uid,
    twins: new Map([...(before?.twins ?? []), ...Object.entries(report.twins ?? {})]),
    state: report.state ?? before?.state,
    lastOnlineTime: report.lastOnlineTime ?? before?.lastOnlineTime,
  }
}

/** The twins of a status; anything else in that place is left out. */
export function twinsIn(status: Json | undefined): StatusTwin[] {
  return Array.isArray(status?.twins) ? status.twins.filter(isStatusTwin) : []
}

/** `Device.status` with what the edge has said and what cloudcore has to say; everything else stays. */
export function deviceStatus(held: Json, live: LiveDevice | undefined, conditions: Condition[], now: string): Json {
  const status: Json = { ...held }
  const twins = mergedTwins(twinsIn(held), live?.twins ?? new Map())
  if (twins.length > 0 || held.twins !== undefined) status.twins = twins
  if (live?.state !== undefined) status.state = live.state
  if (live?.lastOnlineTime !== undefined) status.lastOnlineTime = live.lastOnlineTime
  const merged = withConditions(conditionsIn(held), conditions, now)
  if (merged.length > 0) status.conditions = merged
  return status
}

/** By property: the held ones in their order, then the new ones. */
export function mergedTwins(held: StatusTwin[], live: ReadonlyMap<string, TwinReport | null>): StatusTwin[] {
  const merged = new Map(held.map((twin) => [twin.propertyName, twin]))
  for (const [property, twin] of live) {
    if (twin === null) merged.delete(property)
    else merged.set(property, settled(merged.get(property), statusTwin(property, twin)))
  }
  return [...merged.values()]
}

/** The same value at another time is the same value. */
function settled(held: StatusTwin | undefined, next: StatusTwin): StatusTwin {
  return held !== undefined && says(held) === says(next) ? held : next
}

function says({ observedDesired, reported }: StatusTwin): string {
  return canonical([observedDesired, reported].map((value) => value && [value.value, value.metadata?.type]))
}

function statusTwin(propertyName: string, { type, desired, reported }: TwinReport): StatusTwin {
  const valued = ({ value, at }: { value: string; at: number }) => ({
    value,
    metadata: { timestamp: String(Math.trunc(at)), type },
  })
  const twin: StatusTwin = { propertyName }
  if (desired !== undefined) twin.observedDesired = valued(desired)
  if (reported !== undefined) twin.reported = valued(reported)
  return twin
}

function isStatusTwin(value: unknown): value is StatusTwin {
  return isJson(value) && typeof value.propertyName === 'string'
}
