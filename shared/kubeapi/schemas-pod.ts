import {
  appArmorProfile,
  container,
  ephemeralContainer,
  resourceRequirements,
  seccompProfile,
  seLinuxOptions,
  windowsOptions,
} from './schemas-container.ts'
import { labelSelector, topLevel } from './schemas-meta.ts'
import { podStatus } from './schemas-pod-status.ts'
import { volume } from './schemas-volume.ts'
import { flag, int32, int64, keyed, list, mapOf, named, oneOf, open, quantity, shape, text } from './words.ts'

const core = 'io.k8s.api.core.v1'

const requirement = shape({ key: text(), operator: text(), values: list(text()) }, ['key', 'operator'])
const nodeTerm = shape({ matchExpressions: list(requirement), matchFields: list(requirement) })
const podTerm = shape(
  {
    labelSelector,
    matchLabelKeys: list(text()),
    mismatchLabelKeys: list(text()),
    namespaceSelector: labelSelector,
    namespaces: list(text()),
    topologyKey: text(),
  },
  ['topologyKey'],
)
const podAffinity = shape({
  preferredDuringSchedulingIgnoredDuringExecution: list(
    shape({ weight: int32(), podAffinityTerm: podTerm }, ['weight', 'podAffinityTerm']),
  ),
  requiredDuringSchedulingIgnoredDuringExecution: list(podTerm),
})

const affinity = named(`${core}.Affinity`, 'Which nodes the scheduler prefers or requires.', {
  nodeAffinity: shape({
    preferredDuringSchedulingIgnoredDuringExecution: list(
      shape({ weight: int32(), preference: nodeTerm }, ['weight', 'preference']),
    ),
    requiredDuringSchedulingIgnoredDuringExecution: shape({ nodeSelectorTerms: list(nodeTerm) }, ['nodeSelectorTerms']),
  }),
  podAffinity,
  podAntiAffinity: podAffinity,
})

const toleration = named(`${core}.Toleration`, 'A taint of nodes that the pod puts up with.', {
  key: text('Key of the taint; every taint when empty and operator is Exists.'),
  operator: oneOf(['Equal', 'Exists', 'Lt', 'Gt'], 'Equal unless given.'),
  value: text('Value of the taint.'),
  effect: oneOf(['NoExecute', 'NoSchedule', 'PreferNoSchedule'], 'Effect of the taint; every effect when empty.'),
  tolerationSeconds: int64('How long to put up with NoExecute; for ever unless given.'),
})

const securityContext = named(`${core}.PodSecurityContext`, 'Rights that all containers of the pod have.', {
  appArmorProfile,
  fsGroup: int64(),
  fsGroupChangePolicy: text(),
  runAsGroup: int64(),
  runAsNonRoot: flag(),
  runAsUser: int64(),
  seLinuxChangePolicy: text(),
  seLinuxOptions,
  seccompProfile,
  supplementalGroups: list(int64()),
  supplementalGroupsPolicy: text(),
  sysctls: list(shape({ name: text(), value: text() }, ['name', 'value'])),
  windowsOptions,
})

const named1 = shape({ name: text() })

export const podSpec = named(
  `${core}.PodSpec`,
  'What a pod should be.',
  {
    containers: keyed(['name'], container, 'The containers of the pod, at least one.'),
    initContainers: keyed(['name'], container, 'Containers that run first, one after the other.'),
    ephemeralContainers: keyed(['name'], ephemeralContainer),
    volumes: {
      ...keyed(['name'], volume, 'Files that containers can mount.'),
      'x-kubernetes-patch-strategy': 'merge,retainKeys',
    },
    nodeName: text('The node that the pod is bound to.'),
    nodeSelector: mapOf(text(), 'Labels that the node must have.'),
    affinity,
    tolerations: list(toleration, 'Taints of nodes that the pod puts up with.'),
    topologySpreadConstraints: {
      ...keyed(['topologyKey', 'whenUnsatisfiable'], open()),
    },
    restartPolicy: oneOf(['Always', 'OnFailure', 'Never'], 'Always unless given.'),
    terminationGracePeriodSeconds: int64('Seconds that containers get to stop in order, 30 unless given.'),
    activeDeadlineSeconds: int64('Seconds after which the pod is stopped.'),
    dnsPolicy: oneOf(['ClusterFirstWithHostNet', 'ClusterFirst', 'Default', 'None'], 'ClusterFirst unless given.'),
    dnsConfig: shape({
      nameservers: list(text()),
      searches: list(text()),
      options: list(shape({ name: text(), value: text() })),
    }),
    hostNetwork: flag('Use the network of the host.'),
    hostPID: flag('Use the process ids of the host.'),
    hostIPC: flag('Use the IPC namespace of the host.'),
    hostUsers: flag(),
    hostname: text(),
    hostnameOverride: text(),
    subdomain: text(),
    setHostnameAsFQDN: flag(),
    hostAliases: keyed(['ip'], shape({ ip: text(), hostnames: list(text()) }, ['ip'])),
    shareProcessNamespace: flag(),
    securityContext,
    serviceAccountName: text('The ServiceAccount that the pod acts as.'),
    serviceAccount: text('Older name of serviceAccountName.'),
    automountServiceAccountToken: flag(),
    imagePullSecrets: keyed(['name'], named1, 'Secrets to pull images with.'),
    priority: int32(),
    priorityClassName: text(),
    preemptionPolicy: text(),
    readinessGates: list(shape({ conditionType: text() }, ['conditionType'])),
    schedulingGates: keyed(['name'], shape({ name: text() }, ['name'])),
    schedulerName: text('Which scheduler binds the pod.'),
    runtimeClassName: text(),
    enableServiceLinks: flag(),
    overhead: mapOf(quantity),
    os: shape({ name: text() }, ['name']),
    resources: resourceRequirements,
    resourceClaims: {
      ...keyed(['name'], open()),
      'x-kubernetes-patch-strategy': 'merge,retainKeys',
    },
    workloadRef: open(),
  },
  ['containers'],
)

export const pod = topLevel(`${core}.Pod`, 'Containers that run together on one node.', {
  spec: podSpec,
  status: podStatus,
})
