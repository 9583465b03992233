import { rfc3339 } from '@kedge/shared/clock'
import { formatDuration, parseDuration } from '@kedge/shared/duration'
import { explain } from '@kedge/shared/errors'
import type { KubeObject } from '@kedge/shared/objects'
import { type Condition, conditionOf } from '../kube/conditions.ts'
import { isJson, type Json } from '../kube/merge-patch.ts'
import type { Standing } from './presence.ts'

/** On a Node: how long it may be out of reach and keep its pods, for instance `24h`. */
export const autonomyAnnotation = 'kedge.io/autonomy'
/** Keeps new pods off a node that is out of reach; what runs there stays. */
export const disconnectedTaint = 'kedge.io/disconnected'

export interface NodeFacts {
  node: KubeObject
  presence: Standing
  /** Milliseconds, for a node that declares none. */
  defaultAutonomy: number
  /** Wall time, milliseconds. */
  now: number
}

export interface NodePlan {
  /** Conditions to set; those not named stay. */
  conditions: Condition[]
  /** Whether the taint should be there; undefined leaves it as it is. */
  tainted: boolean | undefined
  /** Whether the lease is to be kept fresh. */
  renew: boolean
  /** Milliseconds until the plan may change by itself. */
  lookAgainIn?: number
}

/** A node lifecycle controller notices a lease that is not renewed within this; then cloudcore does its work. */
const controllerPatience = 60_000

/** What should be said of a node, and whether its lease goes on. */
export function nodePlan(facts: NodeFacts): NodePlan {
  const { node, presence, now } = facts
  const held = conditionOf(node.status, 'Connected')
  if (presence.is === 'connected') return { conditions: [linkUp(now)], tainted: false, renew: true }
  const since = held?.status === 'False' ? timeOf(held.lastTransitionTime, presence.since) : presence.since
  const { autonomy, complaint } = autonomyOf(node, facts.defaultAutonomy)
  const end = since + autonomy
  // Until it is known, what was so goes on.
  if (presence.is === 'unknown')
    return { conditions: [], tainted: undefined, renew: held?.status !== 'False' || now < end }
  return {
    conditions: [linkDown(since, { autonomy, end, complaint }), ...abandoned(node, { end, autonomy, now })],
    tainted: true,
    renew: now < end,
    lookAgainIn: [end, end + controllerPatience].map((at) => at - now).find((wait) => wait > 0),
  }
}

// A condition of a Node without a heartbeat shows one in the year 1. Ours move with what they say: the lease tells the rest.
function linkUp(now: number): Condition {
  const message = 'edgecore has a link to cloudcore'
  return { type: 'Connected', status: 'True', reason: 'LinkUp', message, lastHeartbeatTime: rfc3339(now) }
}

function linkDown(since: number, told: { autonomy: number; end: number; complaint: string }): Condition {
  const { autonomy, end, complaint } = told
  const message = `no link since ${rfc3339(since)}; pods stay bound until ${rfc3339(end)} (autonomy ${formatDuration(autonomy)})${complaint}`
  const [lastHeartbeatTime, lastTransitionTime] = [rfc3339(since), rfc3339(since)]
  return { type: 'Connected', status: 'False', reason: 'LinkDown', message, lastHeartbeatTime, lastTransitionTime }
}

/** What a node lifecycle controller would say; where there is one, it has said so by now. */
function abandoned(node: KubeObject, told: { end: number; autonomy: number; now: number }): Condition[] {
  const ready = conditionOf(node.status, 'Ready')
  if (told.now < told.end + controllerPatience || ready?.status === 'Unknown') return []
  const message = `out of reach for longer than its autonomy of ${formatDuration(told.autonomy)}`
  const heard = { lastHeartbeatTime: ready?.lastHeartbeatTime }
  return [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message, ...heard }]
}

/** An autonomy that cannot be read is told in the condition, beside the default that stands in for it. */
export function autonomyOf(node: KubeObject, defaultAutonomy: number): { autonomy: number; complaint: string } {
  const declared = node.metadata.annotations?.[autonomyAnnotation]
  if (declared === undefined) return { autonomy: defaultAutonomy, complaint: '' }
  try {
    return { autonomy: parseDuration(declared), complaint: '' }
  } catch (error) {
    return { autonomy: defaultAutonomy, complaint: `; annotation ${autonomyAnnotation}: ${explain(error)}` }
  }
}

function timeOf(text: string | undefined, otherwise: number): number {
  const time = Date.parse(text ?? '')
  return Number.isNaN(time) ? otherwise : time
}

/** `spec.taints` with ours there or not; those of others stay. */
export function withTaint(spec: Json, tainted: boolean | undefined): Json {
  if (tainted === undefined) return spec
  const taints = Array.isArray(spec.taints) ? (spec.taints as unknown[]) : []
  const isOurs = (taint: unknown) => isJson(taint) && taint.key === disconnectedTaint
  if (taints.some(isOurs) === tainted) return spec
  if (tainted) return { ...spec, taints: [...taints, { key: disconnectedTaint, effect: 'NoSchedule' }] }
  const others = taints.filter((taint) => !isOurs(taint))
  return { ...spec, taints: others.length > 0 ? others : undefined }
}
