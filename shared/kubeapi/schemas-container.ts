import {
  flag,
  int32,
  int64,
  intOrString,
  keyed,
  list,
  mapOf,
  named,
  oneOf,
  open,
  quantity,
  shape,
  text,
} from './words.ts'

const core = 'io.k8s.api.core.v1'

export const resourceRequirements = named(`${core}.ResourceRequirements`, 'What a container needs and may use.', {
  limits: mapOf(quantity, 'The most that may be used.'),
  requests: mapOf(quantity, 'What is set aside; the limits if not given.'),
  claims: keyed(['name'], shape({ name: text(), request: text() }, ['name'])),
})

const fieldRef = named(
  `${core}.ObjectFieldSelector`,
  'A field of the pod.',
  { apiVersion: text(), fieldPath: text('For instance metadata.name or status.podIP.') },
  ['fieldPath'],
)

const resourceFieldRef = named(
  `${core}.ResourceFieldSelector`,
  'A resource of a container.',
  { containerName: text(), divisor: quantity, resource: text('For instance limits.cpu.') },
  ['resource'],
)

const keyRef = (of: string) => shape({ name: text(`Name of the ${of}.`), key: text(), optional: flag() }, ['key'])

const envVar = named(
  `${core}.EnvVar`,
  'An environment variable of a container.',
  {
    name: text('Name of the variable.'),
    value: text('Its value; $(NAME) stands for an earlier variable.'),
    valueFrom: named(`${core}.EnvVarSource`, 'Where the value comes from.', {
      configMapKeyRef: keyRef('ConfigMap'),
      secretKeyRef: keyRef('Secret'),
      fieldRef,
      resourceFieldRef,
      fileKeyRef: open(),
    }),
  },
  ['name'],
)

const envFrom = named(`${core}.EnvFromSource`, 'A whole ConfigMap or Secret as environment variables.', {
  prefix: text('Put before each name.'),
  configMapRef: shape({ name: text(), optional: flag() }),
  secretRef: shape({ name: text(), optional: flag() }),
})

const httpGet = named(
  `${core}.HTTPGetAction`,
  'An HTTP request.',
  {
    path: text(),
    port: intOrString('Number or name of the port.'),
    host: text('The address of the pod unless given.'),
    scheme: oneOf(['HTTP', 'HTTPS']),
    httpHeaders: list(shape({ name: text(), value: text() }, ['name'])),
  },
  ['port'],
)
const exec = shape({ command: list(text()) })
const tcpSocket = shape({ host: text(), port: intOrString() }, ['port'])

const probe = named(`${core}.Probe`, 'How to find out whether a container is well.', {
  exec,
  httpGet,
  tcpSocket,
  grpc: shape({ port: int32(), service: text() }, ['port']),
  initialDelaySeconds: int32('Seconds to wait after the start.'),
  periodSeconds: int32('Seconds between probes, 10 unless given.'),
  timeoutSeconds: int32('Seconds to wait for an answer, 1 unless given.'),
  successThreshold: int32('Successes in a row that count as well, 1 unless given.'),
  failureThreshold: int32('Failures in a row that count as not well, 3 unless given.'),
  terminationGracePeriodSeconds: int64(),
})

const handler = shape({ exec, httpGet, tcpSocket, sleep: shape({ seconds: int64() }, ['seconds']) })

export const seLinuxOptions = shape({ user: text(), role: text(), type: text(), level: text() })
export const seccompProfile = shape({ type: text(), localhostProfile: text() }, ['type'])
export const appArmorProfile = shape({ type: text(), localhostProfile: text() }, ['type'])
export const windowsOptions = open('Options for containers on Windows.')

const securityContext = named(`${core}.SecurityContext`, 'Rights of a container; they override those of the pod.', {
  allowPrivilegeEscalation: flag(),
  appArmorProfile,
  capabilities: shape({ add: list(text()), drop: list(text()) }),
  privileged: flag('Whether it has all rights of the host.'),
  procMount: text(),
  readOnlyRootFilesystem: flag(),
  runAsGroup: int64(),
  runAsNonRoot: flag(),
  runAsUser: int64(),
  seLinuxOptions,
  seccompProfile,
  windowsOptions,
})

const containerPort = named(
  `${core}.ContainerPort`,
  'A port that the container listens on.',
  {
    containerPort: int32('Number of the port in the container.'),
    hostIP: text('Address of the host to bind to.'),
    hostPort: int32('Number of the port on the host.'),
    name: text('Unique in the pod.'),
    protocol: oneOf(['SCTP', 'TCP', 'UDP'], 'TCP unless given.'),
  },
  ['containerPort'],
)

const volumeMount = named(
  `${core}.VolumeMount`,
  'Where a volume of the pod appears in the container.',
  {
    name: text('Name of the volume.'),
    mountPath: text('Path in the container.'),
    readOnly: flag(),
    recursiveReadOnly: text(),
    subPath: text('Path within the volume.'),
    subPathExpr: text('The same, with $(NAME) standing for variables.'),
    mountPropagation: text(),
  },
  ['mountPath', 'name'],
)

const common = {
  name: text('Unique in the pod; a DNS label.'),
  image: text('Name of the container image.'),
  imagePullPolicy: oneOf(['Always', 'IfNotPresent', 'Never'], 'Always for :latest, otherwise IfNotPresent.'),
  command: list(text(), 'What to run; the entrypoint of the image unless given.'),
  args: list(text(), 'Arguments; the CMD of the image unless given.'),
  workingDir: text('Directory to start in.'),
  env: keyed(['name'], envVar, 'Environment variables.'),
  envFrom: list(envFrom, 'ConfigMaps and Secrets whose entries become environment variables.'),
  ports: keyed(['containerPort', 'protocol'], containerPort, 'Ports that the container listens on.'),
  resources: resourceRequirements,
  resizePolicy: list(shape({ resourceName: text(), restartPolicy: text() }, ['resourceName', 'restartPolicy'])),
  restartPolicy: text('Always makes an init container run beside the others.'),
  restartPolicyRules: list(open()),
  volumeMounts: keyed(['mountPath'], volumeMount, 'Where volumes appear.'),
  volumeDevices: keyed(['devicePath'], shape({ devicePath: text(), name: text() }, ['devicePath', 'name'])),
  livenessProbe: probe,
  readinessProbe: probe,
  startupProbe: probe,
  lifecycle: shape({ postStart: handler, preStop: handler, stopSignal: text() }),
  terminationMessagePath: text(),
  terminationMessagePolicy: oneOf(['FallbackToLogsOnError', 'File']),
  securityContext,
  stdin: flag('Keep a standard input open.'),
  stdinOnce: flag(),
  tty: flag('Allocate a terminal.'),
}

export const container = named(`${core}.Container`, 'A container to run in a pod.', common, ['name', 'image'])

export const ephemeralContainer = named(
  `${core}.EphemeralContainer`,
  'A container added to a running pod to look into it.',
  { ...common, targetContainerName: text() },
  ['name', 'image'],
)

export { fieldRef, resourceFieldRef }
