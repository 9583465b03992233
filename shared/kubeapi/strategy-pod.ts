import { required } from './causes.ts'
import { checkPodSpec } from './pod-check.ts'
import { applyPodDefaults } from './pod-defaults.ts'
import { checkPodUpdate } from './pod-update.ts'
import { qosClass } from './qos.ts'
import { asArray, asObject, isObject, type Json } from './schema.ts'
import type { Strategy } from './strategy.ts'

export const podStrategy: Strategy = {
  generation: true,
  metadataOnStatus: true,
  defaults: applyPodDefaults,
  prepare(pod) {
    const gated = asArray(pod.spec?.schedulingGates).length > 0
    pod.status = { phase: 'Pending', qosClass: qosClass(asObject(pod.spec)) }
    if (gated) pod.status.conditions = [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated' }]
  },
  check({ object, old, subresource }) {
    if (subresource !== undefined) return []
    if (!isObject(object.spec)) return [required('spec.containers')]
    const causes = checkPodSpec(object.spec)
    return old === undefined ? causes : [...causes, ...checkPodUpdate(object.spec, asObject(old.spec))]
  },
  warnings: (pod) => (isObject(pod.spec) ? warningsOf(pod.spec) : []),
}

/** What Kubernetes accepts but advises against. */
function warningsOf(spec: Json): string[] {
  const warnings: string[] = []
  for (const [index, one] of asArray(spec.containers).entries()) {
    const seen = new Set<unknown>()
    for (const [at, variable] of asArray(asObject(one).env).map(asObject).entries()) {
      if (seen.has(variable.name)) {
        warnings.push(
          `spec.containers[${index}].env[${at}]: hides previous definition of ${JSON.stringify(variable.name)}, which may be dropped when using apply`,
        )
      }
      seen.add(variable.name)
    }
  }
  return warnings
}
