import { amountOf } from './quantity.ts'
import { asArray, asObject, isObject, type Json } from './schema.ts'

export type QosClass = 'Guaranteed' | 'Burstable' | 'BestEffort'

/**
 * The quality of service class of a pod spec, by Kubernetes' rules: Guaranteed when every container has equal requests and
 * limits of cpu and memory (a missing request counts as the limit), BestEffort when none has any, else Burstable.
 */
export function qosClass(spec: Json): QosClass {
  const containers = [...asArray(spec.containers), ...asArray(spec.initContainers)].filter(isObject)
  const resources = containers.map((container) => asObject(container.resources))
  if (!resources.some((one) => hasAny(one.requests) || hasAny(one.limits))) return 'BestEffort'
  const guaranteed = resources.every(({ requests, limits }) =>
    ['cpu', 'memory'].every((name) => {
      const limit = amountOf(asObject(limits)[name]) ?? 0
      return limit > 0 && (amountOf(asObject(requests)[name]) ?? limit) === limit
    }),
  )
  return guaranteed ? 'Guaranteed' : 'Burstable'
}

function hasAny(amounts: unknown): boolean {
  return ['cpu', 'memory'].some((name) => (amountOf(asObject(amounts)[name]) ?? 0) > 0)
}
