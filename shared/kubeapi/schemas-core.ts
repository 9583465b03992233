import { topLevel } from './schemas-meta.ts'
import {
  bytes,
  flag,
  int32,
  int64,
  keyed,
  list,
  mapOf,
  named,
  oneOf,
  open,
  quantity,
  setOf,
  shape,
  text,
  time,
} from './words.ts'

const core = 'io.k8s.api.core.v1'

const nullableTime = { ...time(), nullable: true }

export const objectReference = named(`${core}.ObjectReference`, 'Names another object.', {
  apiVersion: text(),
  kind: text(),
  namespace: text(),
  name: text(),
  uid: text(),
  resourceVersion: text(),
  fieldPath: text('A part of the object, for instance spec.containers{web}.'),
})

const conditions = keyed(
  ['type'],
  shape({ type: text(), status: text(), reason: text(), message: text(), lastTransitionTime: nullableTime }),
)

export const namespace = topLevel(`${core}.Namespace`, 'A space in which names are unique.', {
  spec: named(`${core}.NamespaceSpec`, 'What the namespace should be.', {
    finalizers: list(text(), 'What must be done before the namespace can go.'),
  }),
  status: named(`${core}.NamespaceStatus`, 'What the namespace is.', {
    phase: text('Active, or Terminating while it is being deleted.'),
    conditions,
  }),
})

const taint = named(
  `${core}.Taint`,
  'Keeps pods away from a node unless they tolerate it.',
  {
    key: text(),
    value: text(),
    effect: oneOf(['NoSchedule', 'PreferNoSchedule', 'NoExecute']),
    timeAdded: time(),
  },
  ['key', 'effect'],
)

const nodeCondition = named(`${core}.NodeCondition`, 'One aspect of the state of a node.', {
  type: text(),
  status: text(),
  lastHeartbeatTime: nullableTime,
  lastTransitionTime: nullableTime,
  reason: text(),
  message: text(),
})

const nodeInfo = named(`${core}.NodeSystemInfo`, 'What the node is made of.', {
  architecture: text(),
  bootID: text(),
  containerRuntimeVersion: text(),
  kernelVersion: text(),
  kubeProxyVersion: text(),
  kubeletVersion: text('On an edge node: the version of edgecore.'),
  machineID: text(),
  operatingSystem: text(),
  osImage: text(),
  swap: shape({ capacity: int64() }),
  systemUUID: text(),
})

export const node = topLevel(`${core}.Node`, 'A machine that runs pods.', {
  spec: named(`${core}.NodeSpec`, 'What the node should do.', {
    unschedulable: flag('Whether new pods keep away.'),
    taints: list(taint, 'Keep pods away unless they tolerate them.'),
    podCIDR: text(),
    podCIDRs: setOf(text()),
    providerID: text(),
    externalID: text(),
    configSource: open(),
  }),
  status: named(`${core}.NodeStatus`, 'What the node last said of itself.', {
    capacity: mapOf(quantity, 'What the machine has.'),
    allocatable: mapOf(quantity, 'What pods may use of it.'),
    conditions: keyed(['type'], nodeCondition, 'Ready, and what else is true of the node.'),
    addresses: keyed(['type'], shape({ type: text(), address: text() }), 'Where the node can be reached.'),
    nodeInfo,
    images: list(shape({ names: list(text()), sizeBytes: int64() })),
    daemonEndpoints: shape({ kubeletEndpoint: shape({ Port: int32() }) }),
    phase: text(),
    config: open(),
    features: open(),
    declaredFeatures: list(text()),
    runtimeHandlers: list(open()),
    volumesAttached: list(open()),
    volumesInUse: list(text()),
  }),
})

export const configMap = topLevel(`${core}.ConfigMap`, 'Configuration for pods.', {
  data: mapOf(text(), 'Entries of text.'),
  binaryData: mapOf(bytes(), 'Entries of bytes, in base64.'),
  immutable: flag('Once true, the entries cannot be changed.'),
})

export const secret = topLevel(`${core}.Secret`, 'Passwords, keys and the like for pods.', {
  data: mapOf(bytes(), 'Entries, in base64.'),
  stringData: mapOf(text(), 'Entries as plain text, only for writing: they go into data.'),
  immutable: flag('Once true, the entries cannot be changed.'),
  type: text('Says which entries there must be; Opaque unless given.'),
})

export const serviceAccount = topLevel(`${core}.ServiceAccount`, 'An identity for pods.', {
  automountServiceAccountToken: flag(),
  imagePullSecrets: list(shape({ name: text() })),
  secrets: keyed(['name'], objectReference),
})

const source = shape({ component: text('Who says it.'), host: text('Where.') })

export const event = topLevel(`${core}.Event`, 'Something that happened to an object.', {
  involvedObject: objectReference,
  type: text('Normal or Warning.'),
  reason: text('What happened, in one word.'),
  message: text('What happened, in a sentence.'),
  source,
  count: int32('How many times.'),
  firstTimestamp: nullableTime,
  lastTimestamp: nullableTime,
  eventTime: { ...time(), nullable: true },
  series: shape({ count: int32(), lastObservedTime: nullableTime }),
  action: text('What was being done.'),
  related: objectReference,
  reportingComponent: text(),
  reportingInstance: text(),
})

export const eventsEvent = topLevel('io.k8s.api.events.v1.Event', 'Something that happened to an object.', {
  regarding: objectReference,
  type: text('Normal or Warning.'),
  reason: text('What happened, in one word.'),
  note: text('What happened, in a sentence.'),
  eventTime: { ...time('When it first happened.'), nullable: true },
  series: shape({ count: int32(), lastObservedTime: nullableTime }),
  action: text('What was being done.'),
  related: objectReference,
  reportingController: text('Who says it.'),
  reportingInstance: text('Where.'),
  deprecatedSource: source,
  deprecatedCount: int32(),
  deprecatedFirstTimestamp: nullableTime,
  deprecatedLastTimestamp: nullableTime,
})

export const binding = topLevel(`${core}.Binding`, 'Says which node a pod goes to.', { target: objectReference }, [
  'target',
])
