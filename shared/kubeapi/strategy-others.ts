import { canonical } from '../canonical.ts'
import { type Cause, duplicate, forbidden, invalid, required } from './causes.ts'
import { labelValueFaults, qualifiedNameFaults } from './names.ts'
import { asArray, asObject, type Json } from './schema.ts'
import type { CheckInput, Strategy } from './strategy.ts'

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

export const csrStrategy: Strategy = { check: checkRequest }

function checkRequest({ object, old, subresource }: CheckInput): Cause[] {
  const spec = asObject(object.spec)
  const causes: Cause[] = []
  if (old === undefined) causes.push(...checkNewRequest(spec))
  else if (canonical(spec) !== canonical(old.spec)) causes.push(forbidden('spec', 'field is immutable'))
  const conditions = asArray(object.status?.conditions).map(asObject)
  const types = new Set(conditions.map(({ type }) => type))
  if (types.has('Approved') && types.has('Denied')) {
    causes.push(invalid('status.conditions', 'Denied', 'Approved and Denied conditions are mutually exclusive'))
  }
  if (old !== undefined && subresource !== 'approval') causes.push(...checkApprovals(conditions, old.status))
  return causes
}

function checkNewRequest(spec: Json): Cause[] {
  const causes: Cause[] = []
  const pem = Buffer.from(String(spec.request ?? ''), 'base64').toString('utf8')
  if (spec.request !== undefined && !pem.includes('-----BEGIN CERTIFICATE REQUEST-----')) {
    causes.push(invalid('spec.request', spec.request, 'PEM block type must be CERTIFICATE REQUEST'))
  }
  const signer = spec.signerName
  if (typeof signer === 'string' && signer !== '' && !/^[a-z0-9.-]+\.[a-z0-9.-]+\/.+$/.test(signer)) {
    const form = 'must be a fully qualified domain and path of the form "example.com/signer-name"'
    causes.push(invalid('spec.signerName', signer, form))
  }
  if (asArray(spec.usages).length === 0) causes.push(required('spec.usages', 'usages field is required'))
  if (typeof spec.expirationSeconds === 'number' && spec.expirationSeconds < 600) {
    causes.push(
      invalid(
        'spec.expirationSeconds',
        spec.expirationSeconds,
        'may not specify a duration less than 600 seconds (10 minutes)',
      ),
    )
  }
  return causes
}

/** Who may sign cannot by that approve: only the approval subresource adds or removes these conditions. */
function checkApprovals(conditions: Json[], oldStatus: unknown): Cause[] {
  const before = asArray(asObject(oldStatus).conditions).map(asObject)
  return ['Approved', 'Denied']
    .filter((type) => conditions.some((one) => one.type === type) !== before.some((one) => one.type === type))
    .map((type) =>
      forbidden('status.conditions', `updates may not add or remove a condition of type ${JSON.stringify(type)}`),
    )
}
