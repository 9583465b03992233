import { type QosClass, qosClass } from '@kedge/shared/kubeapi/qos'
import type { KubeObject } from '@kedge/shared/objects'
import * as z from 'zod'
import type { ContainerSpec } from './container-schema.ts'
import { hostnameOf } from './network-names.ts'
import { invalidPod, type Refusal, refusalOf } from './pod-refusal.ts'
import { type PodSpec, parsePodSpec } from './pod-schema.ts'
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
  refusal?: Refusal
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
  const parsed = parsePodSpec(content.spec)
  const unsupported = unsupportedOf(content)
  const spec = parsed.success ? specOf(content, parsed.data, unsupported) : undefined
  const refusal = refused === null ? refusalOf(content, parsed, unsupported) : invalidPod(refused)
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
      ...{ namespace, name, uid, labels, annotations, graceMs },
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
