import { resourceRequirements } from './schemas-container.ts'
import { flag, int32, int64, keyed, list, mapOf, named, open, quantity, shape, text, time } from './words.ts'

const core = 'io.k8s.api.core.v1'

const podCondition = named(`${core}.PodCondition`, 'One aspect of the state of a pod.', {
  type: text(),
  status: text(),
  observedGeneration: int64(),
  lastProbeTime: { ...time(), nullable: true },
  lastTransitionTime: { ...time(), nullable: true },
  reason: text(),
  message: text(),
})

const containerState = shape({
  waiting: shape({ reason: text(), message: text() }),
  running: shape({ startedAt: { ...time(), nullable: true } }),
  terminated: shape({
    exitCode: int32(),
    signal: int32(),
    reason: text(),
    message: text(),
    startedAt: { ...time(), nullable: true },
    finishedAt: { ...time(), nullable: true },
    containerID: text(),
  }),
})

const containerStatus = named(`${core}.ContainerStatus`, 'What a container is doing.', {
  name: text(),
  state: containerState,
  lastState: containerState,
  ready: flag(),
  restartCount: int32(),
  image: text(),
  imageID: text(),
  containerID: text(),
  started: flag(),
  stopSignal: text(),
  allocatedResources: mapOf(quantity),
  allocatedResourcesStatus: list(open()),
  resources: resourceRequirements,
  user: open(),
  volumeMounts: keyed(['mountPath'], open()),
})

const ip = shape({ ip: text() })

export const podStatus = named(`${core}.PodStatus`, 'What a pod is doing, as its node last said.', {
  phase: text('Pending, Running, Succeeded, Failed or Unknown.'),
  conditions: keyed(['type'], podCondition, 'Scheduled, initialized, ready.'),
  message: text(),
  reason: text(),
  hostIP: text('Address of the node.'),
  hostIPs: { ...keyed(['ip'], ip), 'x-kubernetes-list-type': 'atomic', 'x-kubernetes-list-map-keys': undefined },
  podIP: text('Address of the pod.'),
  podIPs: keyed(['ip'], ip),
  startTime: { ...time(), nullable: true },
  initContainerStatuses: list(containerStatus),
  containerStatuses: list(containerStatus, 'One for each container.'),
  ephemeralContainerStatuses: list(containerStatus),
  qosClass: text('Guaranteed, Burstable or BestEffort.'),
  nominatedNodeName: text(),
  observedGeneration: int64(),
  resize: text(),
  allocatedResources: mapOf(quantity),
  resources: resourceRequirements,
  resourceClaimStatuses: { ...keyed(['name'], open()), 'x-kubernetes-patch-strategy': 'merge,retainKeys' },
  extendedResourceClaimStatus: open(),
})
