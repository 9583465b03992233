import type { KubeObject } from '../objects.ts'
import { hidden } from './scrub.ts'

/**
 * Objects without what may be secret. Each takes over what is known to be harmless, and nothing else: a field that nobody
 * has thought of stays out. Pure.
 */

type Json = Record<string, unknown>

/** Who it is; of annotations only the names, since kubectl keeps whole objects in one. */
export function aboutObject({ kind, metadata }: KubeObject) {
  const {
    name,
    namespace,
    uid,
    generation,
    resourceVersion,
    labels,
    annotations,
    creationTimestamp,
    deletionTimestamp,
  } = metadata as KubeObject['metadata'] & Json
  return {
    ...{ kind, name, namespace, uid, generation, resourceVersion, labels, creationTimestamp, deletionTimestamp },
    annotations: Object.keys((annotations as Json | undefined) ?? {}),
  }
}

/** A ConfigMap or a Secret: its keys, and how large each value is. */
export function dataSummary(object: KubeObject) {
  const sizes = (data: unknown) =>
    Object.fromEntries(Object.entries(record(data)).map(([key, value]) => [key, `${String(value).length} characters`]))
  return {
    ...aboutObject(object),
    ...pick(object, ['type', 'immutable']),
    data: { ...sizes(object.data), ...sizes(object.binaryData), ...sizes(object.stringData) },
  }
}

const podFields = [
  'nodeName',
  'hostNetwork',
  'hostPID',
  'restartPolicy',
  'dnsPolicy',
  'serviceAccountName',
  'priorityClassName',
  'terminationGracePeriodSeconds',
  'tolerations',
  'nodeSelector',
]
const containerFields = [
  'name',
  'image',
  'imagePullPolicy',
  'ports',
  'resources',
  'volumeMounts',
  'restartPolicy',
  'securityContext',
  'workingDir',
  'tty',
  'stdin',
]

/** A pod without commands, arguments and the values of its environment. */
export function podSummary(pod: KubeObject, status: unknown) {
  const spec = record(pod.spec)
  return {
    ...aboutObject(pod),
    spec: {
      ...pick(spec, podFields),
      initContainers: list(spec.initContainers).map(containerSummary),
      containers: list(spec.containers).map(containerSummary),
      volumes: list(spec.volumes).map(volumeSummary),
    },
    status: statusSummary(record(status)),
  }
}

function containerSummary(container: Json) {
  return {
    ...pick(container, containerFields),
    env: list(container.env).map((one) => ({
      name: one.name,
      ...(one.value === undefined ? pick(one, ['valueFrom']) : { value: hidden }),
    })),
    envFrom: container.envFrom,
    command: list(container.command).length,
    args: list(container.args).length,
    probes: ['livenessProbe', 'readinessProbe', 'startupProbe'].filter((name) => container[name] !== undefined),
  }
}

/** The kind of a volume, and what it refers to. */
function volumeSummary(volume: Json) {
  const [kind = 'unknown'] = Object.keys(volume).filter((name) => name !== 'name')
  return {
    name: volume.name,
    kind,
    ...pick(record(volume[kind]), ['name', 'secretName', 'path', 'type', 'medium', 'sizeLimit', 'optional']),
  }
}

function statusSummary(status: Json) {
  const containers = (name: string) =>
    list(status[name]).map((one) => ({
      ...pick(one, ['name', 'ready', 'started', 'restartCount', 'image', 'containerID']),
      state: stateSummary(one.state),
      lastState: stateSummary(one.lastState),
    }))
  return {
    ...pick(status, ['phase', 'reason', 'startTime', 'qosClass', 'podIP', 'hostIP', 'conditions']),
    initContainerStatuses: containers('initContainerStatuses'),
    containerStatuses: containers('containerStatuses'),
  }
}

/** What a container said last is its own; what the engine says of one that waits is told. */
function stateSummary(state: unknown) {
  return Object.fromEntries(
    Object.entries(record(state)).map(([name, about]) => [
      name,
      pick(record(about), [
        'reason',
        'exitCode',
        'signal',
        'startedAt',
        'finishedAt',
        ...(name === 'waiting' ? ['message'] : []),
      ]),
    ]),
  )
}

/** A device without addresses, passwords and values: texts in its configuration are hidden. */
export function deviceSummary(device: KubeObject) {
  const spec = record(device.spec)
  const protocol = record(spec.protocol)
  const status = record(device.status)
  return {
    ...aboutObject(device),
    spec: {
      nodeName: spec.nodeName,
      model: record(spec.deviceModelRef).name,
      protocol: { protocolName: protocol.protocolName, configData: textsHidden(protocol.configData) },
      properties: list(spec.properties).map((property) => ({
        ...pick(property, ['name', 'collectCycle', 'reportCycle', 'reportToCloud']),
        desired: property.desired === undefined ? undefined : hidden,
        visitors: textsHidden(property.visitors),
      })),
      methods: list(spec.methods).map(({ name }) => name),
    },
    status: {
      ...pick(status, ['state', 'lastOnlineTime', 'conditions']),
      twins: list(status.twins).map(({ propertyName }) => propertyName),
    },
  }
}

/** A node as a whole but for its annotations. */
export function nodeSummary(node: KubeObject) {
  const { images: _, ...status } = record(node.status)
  return { ...aboutObject(node), spec: node.spec, status }
}

function textsHidden(value: unknown): unknown {
  if (typeof value === 'string') return hidden
  if (Array.isArray(value)) return value.map(textsHidden)
  if (typeof value !== 'object' || value === null) return value
  return Object.fromEntries(
    Object.entries(value).map(([key, inner]) => [key, key === 'protocolName' ? inner : textsHidden(inner)]),
  )
}

/** Texts of a pod and of a device that must not show, to be taken out of everything else as well. */
export function secretsOfObject({ kind, spec, data }: KubeObject): string[] {
  if (kind === 'Secret') {
    const values = Object.values(record(data)).map(String)
    return [...values, ...values.map((value) => Buffer.from(value, 'base64').toString('utf8'))]
  }
  if (kind === 'Pod')
    return containersOf(record(spec)).flatMap((one) =>
      list(one.env).flatMap(({ value }) => (typeof value === 'string' ? [value] : [])),
    )
  if (kind === 'Device') return sensitive(spec, '')
  return []
}

function containersOf(spec: Json): Json[] {
  return [...list(spec.containers), ...list(spec.initContainers), ...list(spec.ephemeralContainers)]
}

const sensitiveName = /pass|secret|token|key|auth|credential|community|pin$/i

/** Texts below a field whose name says that it is secret. */
function sensitive(value: unknown, name: string): string[] {
  if (typeof value === 'string') return sensitiveName.test(name) ? [value] : []
  if (typeof value !== 'object' || value === null) return []
  return Object.entries(value).flatMap(([key, inner]) => sensitive(inner, sensitiveName.test(name) ? name : key))
}

function pick(from: Json | KubeObject, names: readonly string[]): Json {
  const all = from as Json
  return Object.fromEntries(names.flatMap((name) => (all[name] === undefined ? [] : [[name, all[name]]])))
}

function record(value: unknown): Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Json) : {}
}

function list(value: unknown): Json[] {
  return Array.isArray(value)
    ? value.filter((one) => one !== null).map((one) => (typeof one === 'object' ? one : { value: one }))
    : []
}
