import { type QosClass, qosClass } from '@kedge/shared/kubeapi/qos'
import type { KubeObject } from '@kedge/shared/objects'
import * as z from 'zod'
import type { ContainerSpec } from './container-schema.ts'
import { hostnameOf } from './network-names.ts'
import { PodSpec } from './pod-schema.ts'
import type { ContainerKind, PodConfig, PodId, PortMapping } from './runtime.ts'
import { apparmorOf, sandboxSecurity } from './security.ts'
import { type Unsupported, unsupportedOf } from './unsupported.ts'

export interface WantedContainer {
  name: string
  kind: ContainerKind
  image: string
  pull: 'Always' | 'IfNotPresent' | 'Never'
  /** All that the pod says of it. */
  of: ContainerSpec
}

/** What is wanted of one pod. */
export interface Wanted extends PodId {
  /** Somebody asked to delete it: its containers have `graceMs` to end. */
  deletion?: { graceMs: number }
  /** Why nothing new is made of it, naming the field. */
  refusal?: { reason: string; message: string }
  /** Absent when the spec cannot be read; then there is a refusal. */
  spec?: WantedSpec
}

export interface WantedSpec {
  /** Init containers and sidecars in their order, then the others in theirs. */
  containers: WantedContainer[]
  restartPolicy: 'Always' | 'OnFailure' | 'Never'
  hostNetwork: boolean
  /** How long the pod may be active on the node. */
  deadlineMs?: number
  /** What of the spec is not done, each by name; the pod runs without it. */
  unsupported: string[]
  /** Conditions that others set and the pod waits for to be ready, with their status where there is one. */
  gates: { type: string; status?: string }[]
  qosClass: QosClass
  /** Without what only the node knows: `dns`. */
  config: PodConfig
  /** All that the pod says. */
  of: PodSpec
}

const Conditions = z.array(z.object({ type: z.string(), status: z.string() }))

/** Reads the content of a Pod; whatever is wrong with it is a refusal, never an error. */
export function readPod(content: KubeObject, refused: string | null): Wanted {
  const { name, namespace = 'default', uid = '', deletionTimestamp, deletionGracePeriodSeconds } = content.metadata
  const parsed = PodSpec.safeParse(content.spec)
  const unsupported = unsupportedOf(content)
  const spec = parsed.success ? specOf(content, parsed.data, unsupported) : undefined
  const refusal =
    refused !== null
      ? invalid(refused)
      : parsed.success
        ? refusalOf(content, parsed.data, unsupported)
        : (notDone(unsupported) ?? invalid(faultsOf(parsed.error)))
  const graceMs = deletionGracePeriodSeconds === undefined ? undefined : deletionGracePeriodSeconds * 1000
  return {
    namespace,
    name,
    uid,
    ...(deletionTimestamp === undefined ? {} : { deletion: { graceMs: graceMs ?? spec?.config.graceMs ?? 30_000 } }),
    ...(refusal === undefined ? {} : { refusal }),
    ...(spec === undefined ? {} : { spec }),
  }
}

function specOf(content: KubeObject, spec: PodSpec, { without }: Unsupported): WantedSpec {
  const { name, namespace = 'default', uid = '', labels = {}, annotations = {} } = content.metadata
  const confined = (one: ContainerSpec): ContainerSpec => {
    const appArmorProfile = one.securityContext.appArmorProfile ?? apparmorOf(annotations, one.name)
    return appArmorProfile ? { ...one, securityContext: { ...one.securityContext, appArmorProfile } } : one
  }
  const init = spec.initContainers.map((one) =>
    wantedContainer(confined(one), one.restartPolicy === undefined ? 'init' : 'sidecar'),
  )
  const containers = [...init, ...spec.containers.map((one) => wantedContainer(confined(one), 'main'))]
  const qos = qosClass(content.spec ?? {})
  const graceMs = spec.terminationGracePeriodSeconds * 1000
  return {
    containers,
    restartPolicy: spec.restartPolicy,
    hostNetwork: spec.hostNetwork,
    ...(spec.activeDeadlineSeconds !== undefined && { deadlineMs: spec.activeDeadlineSeconds * 1000 }),
    unsupported: without,
    gates: gatesOf(content, spec),
    qosClass: qos,
    config: {
      ...{ namespace, name, uid, labels, annotations, graceMs, qosClass: qos },
      containers: containers.map((one) => ({ name: one.name, kind: one.kind, image: one.image })),
      ...surroundings(spec, { name, namespace }),
    },
    of: spec,
  }
}

/** What the containers of a pod share. */
function surroundings(spec: PodSpec, pod: { name: string; namespace: string }): Partial<PodConfig> {
  const { hostNetwork, hostPID, hostIPC, shareProcessNamespace } = spec
  const host = hostnameOf(pod, spec)
  const portMappings = hostNetwork ? [] : portMappingsOf(spec)
  const sysctls = Object.fromEntries(spec.securityContext.sysctls.map(({ name, value }) => [name, value]))
  return {
    ...(!hostNetwork && 'hostname' in host && { hostname: host.hostname }),
    ...(portMappings.length > 0 && { portMappings }),
    ...(hostNetwork && { hostNetwork }),
    ...(hostPID && { hostPID }),
    ...(hostIPC && { hostIPC }),
    ...(shareProcessNamespace && { shareProcessNamespace }),
    ...(Object.keys(sysctls).length > 0 && { sysctls }),
    security: sandboxSecurity(spec),
  }
}

function portMappingsOf({ containers, initContainers }: PodSpec): PortMapping[] {
  const ports = [...initContainers, ...containers].flatMap((one) => one.ports)
  return ports
    .filter(({ hostPort }) => hostPort > 0)
    .map(({ protocol, containerPort, hostPort, hostIP }) => ({
      ...{ protocol, containerPort, hostPort },
      ...(hostIP !== '' && { hostIP }),
    }))
}

function gatesOf({ status }: KubeObject, { readinessGates }: PodSpec): WantedSpec['gates'] {
  const parsed = Conditions.safeParse(status?.conditions)
  const conditions = parsed.success ? parsed.data : []
  return readinessGates.map(({ conditionType: type }) => {
    const found = conditions.find((one) => one.type === type)
    return { type, ...(found && { status: found.status }) }
  })
}

function wantedContainer(of: ContainerSpec, kind: ContainerKind): WantedContainer {
  const { name, image, imagePullPolicy } = of
  return { name, kind, image, pull: imagePullPolicy ?? (isLatest(image) ? 'Always' : 'IfNotPresent'), of }
}

/** Kubernetes' default: what names no version, or `latest`, is asked for each time. */
function isLatest(image: string): boolean {
  if (image.includes('@')) return false
  const last = image.slice(image.lastIndexOf('/') + 1)
  return !last.includes(':') || last.endsWith(':latest')
}

type Refusal = NonNullable<Wanted['refusal']>

function invalid(message: string): Refusal {
  return { reason: 'InvalidPod', message }
}

function notDone({ refused }: Unsupported): Refusal | undefined {
  return refused.length === 0 ? undefined : { reason: 'Unsupported', message: refused.slice(0, 5).join('; ') }
}

function refusalOf({ metadata }: KubeObject, spec: PodSpec, unsupported: Unsupported): Refusal | undefined {
  const { name, namespace = 'default', uid = '' } = metadata
  if (uid === '') return invalid('metadata.uid: is missing')
  const names = [...spec.initContainers, ...spec.containers].map((one) => one.name)
  const twice = names.find((one, index) => names.indexOf(one) !== index)
  if (twice !== undefined) return invalid(`spec.containers: two containers are named "${twice}"`)
  const fault = mountFault(spec)
  if (fault !== undefined) return invalid(fault)
  const host = hostnameOf({ name, namespace }, spec)
  if ('fault' in host) return invalid(host.fault)
  return notDone(unsupported) ?? sysctlRefusal(spec)
}

function mountFault({ volumes, initContainers, containers }: PodSpec): string | undefined {
  const names = volumes.map(({ name }) => name)
  for (const { name: container, volumeMounts } of [...initContainers, ...containers]) {
    for (const { name, subPath, subPathExpr } of volumeMounts) {
      const at = `container ${container}: volumeMounts ${name}`
      if (!names.includes(name)) return `${at}: the pod has no such volume, it has ${names.join(', ') || 'none'}`
      for (const path of [subPath, subPathExpr]) {
        if (path.startsWith('/') || path.split('/').includes('..')) return `${at}: "${path}" leaves the volume`
      }
    }
  }
  return undefined
}

/** Sysctls that belong to a pod alone, and which whether its own network is needed for. */
const safeSysctls = new Set(
  (
    'kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range ' +
    'net.ipv4.ip_unprivileged_port_start net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time ' +
    'net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem net.ipv4.tcp_wmem'
  ).split(' '),
)

/** As kubelet does, only sysctls that touch nobody else are set. */
function sysctlRefusal({ securityContext, hostNetwork, hostIPC }: PodSpec): Refusal | undefined {
  const shared = (name: string) => (name.startsWith('net.') ? hostNetwork : hostIPC)
  const bad = securityContext.sysctls.find(({ name }) => !safeSysctls.has(name) || shared(name))
  if (bad === undefined) return undefined
  const why = safeSysctls.has(bad.name) ? 'the pod shares it with its node' : 'it is not one that a pod has for itself'
  return { reason: 'SysctlForbidden', message: `spec.securityContext.sysctls: ${bad.name} is refused, ${why}` }
}

function faultsOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${['spec', ...path].join('.')}: ${message}`)
    .join('; ')
}
