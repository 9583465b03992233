import { canonical } from '../canonical.ts'
import { type Cause, forbidden, invalid } from './causes.ts'
import { asArray, asObject, isObject, type Json } from './schema.ts'

const allowed =
  'pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,' +
  '`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),' +
  '`spec.terminationGracePeriodSeconds` (allow it to be set to 1 if it was previously negative)'

/** A pod is what it was created as, but for images, the deadline, more tolerations and fewer scheduling gates. */
export function checkPodUpdate(spec: Json, old: Json): Cause[] {
  const causes: Cause[] = []
  for (const field of ['containers', 'initContainers']) {
    if (asArray(spec[field]).length !== asArray(old[field]).length) {
      causes.push(forbidden(`spec.${field}`, 'pod updates may not add or remove containers'))
    }
  }
  if (causes.length > 0) return causes
  causes.push(...checkDeadline(spec.activeDeadlineSeconds, old.activeDeadlineSeconds))
  causes.push(...checkTolerations(asArray(spec.tolerations), asArray(old.tolerations)))
  if (canonical(fixedPart(spec, old)) !== canonical(fixedPart(old, old)))
    causes.push(forbidden('spec', `${allowed}\n${changed(spec, old)}`))
  return causes
}

/** The spec with what may change left out. */
function fixedPart(spec: Json, old: Json): Json {
  const { activeDeadlineSeconds: _deadline, tolerations: _tolerations, schedulingGates: gates, ...rest } = spec
  const before = new Set(asArray(old.schedulingGates).map(canonical))
  return {
    ...rest,
    containers: withoutImages(spec.containers),
    initContainers: withoutImages(spec.initContainers),
    // Gates may go; one that was not there before stays in, and so makes a difference.
    schedulingGates: asArray(gates).filter((gate) => !before.has(canonical(gate))),
  }
}

function withoutImages(containers: unknown): unknown[] {
  return asArray(containers).map((container) => ({ ...asObject(container), image: '' }))
}

/** Names the first fields that differ, for the message. */
function changed(spec: Json, old: Json): string {
  return differences(fixedPart(old, old), fixedPart(spec, old), 'spec').slice(0, 5).join('\n')
}

function differences(before: unknown, after: unknown, path: string): string[] {
  if (isObject(before) && isObject(after)) {
    const names = new Set([...Object.keys(before), ...Object.keys(after)])
    return [...names].flatMap((name) => differences(before[name], after[name], `${path}.${name}`))
  }
  if (Array.isArray(before) && Array.isArray(after) && before.length === after.length) {
    return before.flatMap((one, index) => differences(one, after[index], `${path}[${index}]`))
  }
  const [from, to] = [canonical(before) ?? 'unset', canonical(after) ?? 'unset']
  return from === to ? [] : [`${path}: ${from} -> ${to}`]
}

function checkDeadline(next: unknown, old: unknown): Cause[] {
  const at = 'spec.activeDeadlineSeconds'
  if (typeof old !== 'number') return []
  if (typeof next !== 'number') return [invalid(at, null, 'must not update from a positive integer to nil value')]
  return next > old ? [invalid(at, next, 'must be less than or equal to previous value')] : []
}

function checkTolerations(next: unknown[], old: unknown[]): Cause[] {
  const left = new Set(next.map(identity))
  const missing = old.some((one) => !left.has(identity(one)))
  return missing
    ? [forbidden('spec.tolerations', 'existing toleration can not be modified except its tolerationSeconds')]
    : []
}

function identity(toleration: unknown): string {
  const { tolerationSeconds: _seconds, ...rest } = asObject(toleration)
  return canonical(rest)
}
