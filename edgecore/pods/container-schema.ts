import { isQuantity } from '@kedge/shared/kubeapi/quantity'
import * as z from 'zod'

/** What Kedge reads of a container in a pod spec. Fields that are not here are judged by `unsupported.ts`. */

const IntOrString = z.union([z.int(), z.string()])
const Seconds = z.int().nonnegative()
export const Quantity = z.union([z.string(), z.number()]).refine(isQuantity, 'is not a quantity such as 500m or 64Mi')
const Amounts = z.record(z.string(), Quantity).default({})

export const FieldRef = z.object({ fieldPath: z.string() })
export const ResourceFieldRef = z.object({
  containerName: z.string().optional(),
  resource: z.string(),
  divisor: Quantity.optional(),
})
const KeyRef = z.object({ name: z.string().default(''), key: z.string(), optional: z.boolean().default(false) })
const WholeRef = z.object({ name: z.string().default(''), optional: z.boolean().default(false) })

const EnvVar = z.object({
  name: z.string().min(1),
  value: z.string().default(''),
  valueFrom: z
    .object({
      fieldRef: FieldRef.optional(),
      resourceFieldRef: ResourceFieldRef.optional(),
      configMapKeyRef: KeyRef.optional(),
      secretKeyRef: KeyRef.optional(),
    })
    .optional(),
})
export type EnvVar = z.infer<typeof EnvVar>

const EnvFrom = z.object({
  prefix: z.string().default(''),
  configMapRef: WholeRef.optional(),
  secretRef: WholeRef.optional(),
})

const Exec = z.object({ command: z.array(z.string()).min(1) })
const HttpGet = z.object({
  path: z.string().default('/'),
  port: IntOrString,
  host: z.string().default(''),
  scheme: z.enum(['HTTP', 'HTTPS']).default('HTTP'),
  httpHeaders: z.array(z.object({ name: z.string(), value: z.string().default('') })).default([]),
})
export type HttpGet = z.infer<typeof HttpGet>
const TcpSocket = z.object({ host: z.string().default(''), port: IntOrString })

/** A number that the API server fills in when it is 0. */
const count = (fallback: number) => Seconds.default(fallback).transform((value) => (value === 0 ? fallback : value))

const Probe = z
  .object({
    exec: Exec.optional(),
    httpGet: HttpGet.optional(),
    tcpSocket: TcpSocket.optional(),
    grpc: z.object({ port: z.int(), service: z.string().default('') }).optional(),
    initialDelaySeconds: Seconds.default(0),
    periodSeconds: count(10),
    timeoutSeconds: count(1),
    successThreshold: count(1),
    failureThreshold: count(3),
    terminationGracePeriodSeconds: Seconds.optional(),
  })
  .refine((probe) => probe.exec ?? probe.httpGet ?? probe.tcpSocket ?? probe.grpc, {
    error: 'names no handler: one of exec, httpGet, tcpSocket, grpc is wanted',
  })
export type Probe = z.infer<typeof Probe>

const Hook = z
  .object({
    exec: Exec.optional(),
    httpGet: HttpGet.optional(),
    tcpSocket: TcpSocket.optional(),
    sleep: z.object({ seconds: Seconds }).optional(),
  })
  .refine((hook) => hook.exec ?? hook.httpGet ?? hook.tcpSocket ?? hook.sleep, {
    error: 'names no handler: one of exec, httpGet, sleep is wanted',
  })
export type Hook = z.infer<typeof Hook>

const Profile = z.object({
  type: z.enum(['RuntimeDefault', 'Unconfined', 'Localhost']),
  localhostProfile: z.string().optional(),
})
export type Profile = z.infer<typeof Profile>
const SELinux = z.object({
  user: z.string().optional(),
  role: z.string().optional(),
  type: z.string().optional(),
  level: z.string().optional(),
})

/** What pod and container may both say about rights. */
export const commonSecurity = {
  runAsUser: z.int().nonnegative().optional(),
  runAsGroup: z.int().nonnegative().optional(),
  runAsNonRoot: z.boolean().optional(),
  seccompProfile: Profile.optional(),
  appArmorProfile: Profile.optional(),
  seLinuxOptions: SELinux.optional(),
}
const Security = z.object({
  ...commonSecurity,
  privileged: z.boolean().default(false),
  allowPrivilegeEscalation: z.boolean().optional(),
  readOnlyRootFilesystem: z.boolean().default(false),
  capabilities: z
    .object({ add: z.array(z.string()).default([]), drop: z.array(z.string()).default([]) })
    .default({ add: [], drop: [] }),
  procMount: z.enum(['Default', 'Unmasked']).default('Default'),
})

const VolumeMount = z.object({
  name: z.string(),
  mountPath: z.string().min(1),
  readOnly: z.boolean().default(false),
  subPath: z.string().default(''),
  subPathExpr: z.string().default(''),
  mountPropagation: z.enum(['None', 'HostToContainer', 'Bidirectional']).default('None'),
})
export type VolumeMount = z.infer<typeof VolumeMount>

const Port = z.object({
  name: z.string().optional(),
  containerPort: z.int().min(1).max(65_535),
  hostPort: z.int().min(0).max(65_535).default(0),
  hostIP: z.string().default(''),
  protocol: z.enum(['TCP', 'UDP', 'SCTP']).default('TCP'),
})

export const ContainerSpec = z.object({
  // A name becomes the name of a folder and of a log: nothing but a DNS label, as Kubernetes demands.
  name: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'is not a DNS label'),
  image: z.string().min(1),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).optional(),
  restartPolicy: z.string().optional(),
  command: z.array(z.string()).default([]),
  args: z.array(z.string()).default([]),
  workingDir: z.string().default(''),
  env: z.array(EnvVar).default([]),
  envFrom: z.array(EnvFrom).default([]),
  ports: z.array(Port).default([]),
  resources: z.object({ limits: Amounts, requests: Amounts }).default({ limits: {}, requests: {} }),
  volumeMounts: z.array(VolumeMount).default([]),
  startupProbe: Probe.optional(),
  livenessProbe: Probe.optional(),
  readinessProbe: Probe.optional(),
  lifecycle: z.object({ postStart: Hook.optional(), preStop: Hook.optional() }).default({}),
  terminationMessagePath: z.string().default('/dev/termination-log'),
  terminationMessagePolicy: z.enum(['File', 'FallbackToLogsOnError']).default('File'),
  securityContext: Security.prefault({}),
  stdin: z.boolean().default(false),
  stdinOnce: z.boolean().default(false),
  tty: z.boolean().default(false),
})
export type ContainerSpec = z.infer<typeof ContainerSpec>
