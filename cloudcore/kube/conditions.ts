import { canonical } from '@kedge/shared/canonical'
import { isJson, type Json } from './merge-patch.ts'

/** What every kind's conditions have in common. */
export interface Condition extends Json {
  type: string
  status: 'True' | 'False' | 'Unknown'
  reason?: string
  message?: string
  lastTransitionTime?: string
}

/** The conditions of a status; anything else in that place is left out. */
export function conditionsIn(status: Json | undefined): Condition[] {
  const given = status?.conditions
  return Array.isArray(given) ? given.filter(isCondition) : []
}

export function conditionOf(status: Json | undefined, type: string): Condition | undefined {
  return conditionsIn(status).find((condition) => condition.type === type)
}

/**
 * The conditions after `wanted` are set, each type by itself: those of others stay, in their order. The transition time
 * moves only with the status (to the one given, or `now`), and a condition that says nothing new but another heartbeat
 * stays as it was.
 */
export function withConditions(held: Condition[], wanted: Condition[], now: string): Condition[] {
  const merged = new Map(held.map((condition) => [condition.type, condition]))
  for (const condition of wanted) merged.set(condition.type, settled(merged.get(condition.type), condition, now))
  return [...merged.values()]
}

function settled(held: Condition | undefined, wanted: Condition, now: string): Condition {
  const moved = held?.status !== wanted.status
  const lastTransitionTime = moved ? (wanted.lastTransitionTime ?? now) : held.lastTransitionTime
  const next = { ...wanted, lastTransitionTime }
  return held !== undefined && says(held) === says(next) ? held : next
}

/** All that a condition says, but when it was last looked at. */
function says({ lastHeartbeatTime: _, lastProbeTime: __, ...rest }: Condition): string {
  return canonical(rest)
}

function isCondition(value: unknown): value is Condition {
  return isJson(value) && typeof value.type === 'string'
}
