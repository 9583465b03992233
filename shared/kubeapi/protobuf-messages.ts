import type { FieldType, Message } from './protobuf.ts'

/** Field numbers of the messages that Go clients write without being asked to write JSON. */

const listOf = (list: FieldType): FieldType => ({ list })
const mapOf = (map: FieldType): FieldType => ({ map })
const nested = (message: Message): FieldType => ({ message })
const texts = (...names: string[]): Message =>
  Object.fromEntries(names.map((name, index) => [index + 1, [name, 'string'] as const]))

const ownerReference: Message = {
  1: ['kind', 'string'],
  3: ['name', 'string'],
  4: ['uid', 'string'],
  5: ['apiVersion', 'string'],
  6: ['controller', 'bool'],
  7: ['blockOwnerDeletion', 'bool'],
}

const metadata: FieldType = nested({
  1: ['name', 'string'],
  2: ['generateName', 'string'],
  3: ['namespace', 'string'],
  5: ['uid', 'string'],
  6: ['resourceVersion', 'string'],
  7: ['generation', 'count'],
  8: ['creationTimestamp', 'time'],
  9: ['deletionTimestamp', 'time'],
  10: ['deletionGracePeriodSeconds', 'int'],
  11: ['labels', mapOf('string')],
  12: ['annotations', mapOf('string')],
  13: ['ownerReferences', listOf(nested(ownerReference))],
  14: ['finalizers', listOf('string')],
})

const objectReference = nested(texts('kind', 'namespace', 'name', 'uid', 'apiVersion', 'resourceVersion', 'fieldPath'))

const deleteOptions: Message = {
  1: ['gracePeriodSeconds', 'int'],
  2: ['preconditions', nested(texts('uid', 'resourceVersion'))],
  3: ['orphanDependents', 'bool'],
  4: ['propagationPolicy', 'string'],
  5: ['dryRun', listOf('string')],
}

const resourceAttributes = nested(texts('namespace', 'verb', 'group', 'version', 'resource', 'subresource', 'name'))
const nonResourceAttributes = nested(texts('path', 'verb'))

const certificateSigningRequest: Message = {
  1: ['metadata', metadata],
  2: [
    'spec',
    nested({
      1: ['request', 'bytes'],
      2: ['username', 'string'],
      3: ['uid', 'string'],
      4: ['groups', listOf('string')],
      5: ['usages', listOf('string')],
      7: ['signerName', 'string'],
      8: ['expirationSeconds', 'int'],
    }),
  ],
  3: [
    'status',
    nested({
      1: [
        'conditions',
        listOf(
          nested({
            1: ['type', 'string'],
            2: ['reason', 'string'],
            3: ['message', 'string'],
            4: ['lastUpdateTime', 'time'],
            5: ['lastTransitionTime', 'time'],
            6: ['status', 'string'],
          }),
        ),
      ],
      2: ['certificate', 'bytes'],
    }),
  ],
}

const lease: Message = {
  1: ['metadata', metadata],
  2: [
    'spec',
    nested({
      1: ['holderIdentity', 'string'],
      2: ['leaseDurationSeconds', 'int'],
      3: ['acquireTime', 'microtime'],
      4: ['renewTime', 'microtime'],
      5: ['leaseTransitions', 'int'],
    }),
  ],
}

const event: Message = {
  1: ['metadata', metadata],
  2: ['involvedObject', objectReference],
  3: ['reason', 'string'],
  4: ['message', 'string'],
  5: ['source', nested(texts('component', 'host'))],
  6: ['firstTimestamp', 'time'],
  7: ['lastTimestamp', 'time'],
  8: ['count', 'count'],
  9: ['type', 'string'],
  10: ['eventTime', 'microtime'],
  11: ['series', nested({ 1: ['count', 'int'], 2: ['lastObservedTime', 'microtime'] })],
  12: ['action', 'string'],
  13: ['related', objectReference],
  14: ['reportingComponent', 'string'],
  15: ['reportingInstance', 'string'],
}

/** By `<apiVersion>/<kind>`. */
export const messages: Readonly<Record<string, Message>> = {
  'v1/Namespace': {
    1: ['metadata', metadata],
    2: ['spec', nested({ 1: ['finalizers', listOf('string')] })],
    3: ['status', nested({ 1: ['phase', 'string'] })],
  },
  'v1/ConfigMap': {
    1: ['metadata', metadata],
    2: ['data', mapOf('string')],
    3: ['binaryData', mapOf('bytes')],
    4: ['immutable', 'bool'],
  },
  'v1/Secret': {
    1: ['metadata', metadata],
    2: ['data', mapOf('bytes')],
    3: ['type', 'string'],
    4: ['stringData', mapOf('string')],
    5: ['immutable', 'bool'],
  },
  'v1/ServiceAccount': {
    1: ['metadata', metadata],
    2: ['secrets', listOf(objectReference)],
    3: ['imagePullSecrets', listOf(nested(texts('name')))],
    4: ['automountServiceAccountToken', 'bool'],
  },
  'v1/Binding': { 1: ['metadata', metadata], 2: ['target', objectReference] },
  'v1/Event': event,
  'v1/DeleteOptions': deleteOptions,
  'meta.k8s.io/v1/DeleteOptions': deleteOptions,
  'policy/v1/Eviction': { 1: ['metadata', metadata], 2: ['deleteOptions', nested(deleteOptions)] },
  'coordination.k8s.io/v1/Lease': lease,
  'certificates.k8s.io/v1/CertificateSigningRequest': certificateSigningRequest,
  'authentication.k8s.io/v1/SelfSubjectReview': { 1: ['metadata', metadata] },
  'authorization.k8s.io/v1/SelfSubjectAccessReview': {
    1: ['metadata', metadata],
    2: [
      'spec',
      nested({ 1: ['resourceAttributes', resourceAttributes], 2: ['nonResourceAttributes', nonResourceAttributes] }),
    ],
  },
  'authorization.k8s.io/v1/SelfSubjectRulesReview': {
    1: ['metadata', metadata],
    2: ['spec', nested(texts('namespace'))],
  },
  'authorization.k8s.io/v1/SubjectAccessReview': {
    1: ['metadata', metadata],
    2: [
      'spec',
      nested({
        1: ['resourceAttributes', resourceAttributes],
        2: ['nonResourceAttributes', nonResourceAttributes],
        3: ['user', 'string'],
        4: ['groups', listOf('string')],
        6: ['uid', 'string'],
      }),
    ],
  },
}
