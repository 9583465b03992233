import { conditionsIn, withConditions } from './conditions.ts'
import type { Json } from './merge-patch.ts'

/** What the scheduler and the API server say of a pod; an edge has no word in it. */
const cloudFields = ['nominatedNodeName', 'qosClass', 'resize'] as const

/**
 * `Pod.status` after an edge's report: the report replaces what a kubelet would write, the conditions of others
 * (PodScheduled, readiness gates) stay.
 */
export function podStatus(held: Json, reported: Json, now: string): Json {
  const status: Json = { ...reported }
  for (const field of cloudFields) status[field] = held[field] ?? reported[field]
  const conditions = withConditions(conditionsIn(held), conditionsIn(reported), now)
  if (conditions.length > 0) status.conditions = conditions
  return status
}
