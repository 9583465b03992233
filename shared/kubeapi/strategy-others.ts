import { canonical } from '../canonical.ts'
import { type Cause, duplicate, invalid, required } from './causes.ts'
import { labelValueFaults, qualifiedNameFaults } from './names.ts'
import { asArray, asObject, type Json } from './schema.ts'
import type { Strategy } from './strategy.ts'

const nameLabel = 'kubernetes.io/metadata.name'

export const namespaceStrategy: Strategy = {
  name: 'label',
  metadataOnStatus: true,
  defaults(object) {
    if (object.metadata.name) object.metadata.labels = { ...object.metadata.labels, [nameLabel]: object.metadata.name }
  },
  prepare(object) {
    object.spec = { ...object.spec, finalizers: ['kubernetes'] }
    object.status = { phase: 'Active' }
  },
  prepareUpdate(object, old) {
    // Only the finalize subresource changes these.
    object.spec = { ...object.spec, finalizers: old.spec?.finalizers }
  },
}

export const nodeStrategy: Strategy = {
  statusOnCreate: true,
  metadataOnStatus: true,
  check: ({ object }) => checkTaints(asArray(object.spec?.taints).map(asObject)),
}

function checkTaints(taints: Json[]): Cause[] {
  const seen = new Set<string>()
  return taints.flatMap((taint, index) => {
    const at = `spec.taints[${index}]`
    const id = canonical([taint.key, taint.effect])
    const twice = seen.has(id)
    seen.add(id)
    return [
      ...qualifiedNameFaults(String(taint.key ?? '')).map((fault) => invalid(`${at}.key`, taint.key, fault)),
      ...labelValueFaults(String(taint.value ?? '')).map((fault) => invalid(`${at}.value`, taint.value, fault)),
      ...(twice ? [duplicate(at, taint)] : []),
    ]
  })
}

export const leaseStrategy: Strategy = {
  check({ object }) {
    const { leaseDurationSeconds: seconds, leaseTransitions: transitions } = asObject(object.spec)
    const causes: Cause[] = []
    if (typeof seconds === 'number' && seconds <= 0) {
      causes.push(invalid('spec.leaseDurationSeconds', seconds, 'must be greater than 0'))
    }
    if (typeof transitions === 'number' && transitions < 0) {
      causes.push(invalid('spec.leaseTransitions', transitions, 'must be greater than or equal to 0'))
    }
    return causes
  },
}

/** Events are stored in the shape of core/v1; `events.k8s.io` comes with other names for the same fields. */
export const eventStrategy: Strategy = {
  name: 'segment',
  check: ({ object, old }) => {
    const isNewer = object.apiVersion !== 'v1'
    const subject = isNewer ? 'regarding' : 'involvedObject'
    const about = asObject(object[subject]).namespace ?? ''
    const eventTime = object.eventTime ?? undefined
    const causes = checkEventNamespace({
      about,
      namespace: object.metadata.namespace,
      timed: eventTime !== undefined,
      field: `${subject}.namespace`,
    })
    if (isNewer && old === undefined && eventTime === undefined) causes.push(required('eventTime'))
    if (eventTime === undefined) return causes
    const controller = isNewer ? 'reportingController' : 'reportingComponent'
    for (const field of [controller, 'reportingInstance', 'action', 'reason']) {
      if (typeof object[field] !== 'string' || object[field] === '') causes.push(required(field))
    }
    const note = isNewer ? 'note' : 'message'
    if (Buffer.byteLength(String(object[note] ?? '')) > 1024) {
      causes.push(invalid(note, '', 'can have at most 1024 characters'))
    }
    if (isNewer && object.type !== 'Normal' && object.type !== 'Warning') {
      causes.push(invalid('type', object.type ?? '', `has invalid value: ${object.type ?? ''}`))
    }
    return causes
  },
}

function checkEventNamespace({
  about,
  namespace = '',
  timed,
  field,
}: {
  about: unknown
  namespace?: string
  timed: boolean
  field: string
}): Cause[] {
  const cluster = namespace === '' || namespace === 'default' || (timed && namespace === 'kube-system')
  const fits = about === '' ? cluster : timed || about === namespace
  return fits ? [] : [invalid(field, about, 'does not match event.namespace')]
}
