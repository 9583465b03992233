import { canonical } from './canonical.ts'

/**
 * The kinds that travel from the cloud to an edge node, by their plural resource name, with what the Kubernetes API
 * calls them.
 */
export const kinds = {
  pods: { apiVersion: 'v1', kind: 'Pod' },
  configmaps: { apiVersion: 'v1', kind: 'ConfigMap' },
  secrets: { apiVersion: 'v1', kind: 'Secret' },
  devices: { apiVersion: 'devices.kubeedge.io/v1beta1', kind: 'Device' },
  devicemodels: { apiVersion: 'devices.kubeedge.io/v1beta1', kind: 'DeviceModel' },
} as const

export type Resource = keyof typeof kinds

/** `<resource>/<namespace>/<name>`, for instance `pods/default/web`. */
export type Key = `${Resource}/${string}/${string}`

export const resources = Object.keys(kinds) as Resource[]

export function keyOf(resource: Resource, namespace: string, name: string): Key {
  return `${resource}/${namespace}/${name}`
}

export interface KeyParts {
  resource: Resource
  namespace: string
  name: string
}

/** Parses a key, or returns undefined when `text` is not one. Names and namespaces of Kubernetes hold no slash. */
export function parseKey(text: string): KeyParts | undefined {
  const [resource, namespace, name, ...rest] = text.split('/')
  if (resource === undefined || !Object.hasOwn(kinds, resource)) return undefined
  if (!namespace || !name || rest.length > 0) return undefined
  return { resource: resource as Resource, namespace, name }
}

export function isKey(text: string): text is Key {
  return parseKey(text) !== undefined
}

/** As much of `metav1.ObjectMeta` as Kedge reads. */
export interface ObjectMeta {
  name: string
  namespace?: string
  uid?: string
  resourceVersion?: string
  generation?: number
  creationTimestamp?: string
  deletionTimestamp?: string
  deletionGracePeriodSeconds?: number
  labels?: Record<string, string>
  annotations?: Record<string, string>
  finalizers?: string[]
  ownerReferences?: unknown[]
}

/** Any object of the Kubernetes API; the fields beside metadata are the kind's own. */
export interface KubeObject {
  apiVersion?: string
  kind?: string
  metadata: ObjectMeta
  spec?: Record<string, unknown>
  status?: Record<string, unknown>
  [field: string]: unknown
}

/** Annotations that only the cloud's tools read. */
const cloudOnlyAnnotations = new Set(['kubectl.kubernetes.io/last-applied-configuration'])

/**
 * What an edge node needs of an object and no more: identity, labels, annotations and the kind's own fields. Not the
 * status, which the edge itself reports (but what others add to it and a pod waits for), and nothing that changes with it (`resourceVersion`, `managedFields`), so that
 * a status write never echoes back down the link.
 */
export function contentOf(resource: Resource, object: KubeObject): KubeObject {
  const { name, namespace, uid, generation, labels, annotations, deletionTimestamp, deletionGracePeriodSeconds } =
    object.metadata
  const kept = Object.entries(annotations ?? {}).filter(([key]) => !cloudOnlyAnnotations.has(key))
  const content: KubeObject = {
    ...kinds[resource],
    metadata: {
      name,
      namespace,
      uid,
      generation,
      labels,
      annotations: kept.length > 0 ? Object.fromEntries(kept) : undefined,
      deletionTimestamp,
      deletionGracePeriodSeconds,
    } as ObjectMeta,
  }
  for (const [field, value] of Object.entries(object)) {
    if (field !== 'apiVersion' && field !== 'kind' && field !== 'metadata' && field !== 'status') content[field] = value
  }
  const gates = resource === 'pods' ? gateConditions(object) : []
  if (gates.length > 0) content.status = { conditions: gates }
  return content
}

/** What others say of a pod that waits for their word (`readinessGates`): all of its status that the edge does not report. */
function gateConditions({ spec, status }: KubeObject): { type: unknown; status: unknown }[] {
  const gates = Array.isArray(spec?.readinessGates) ? spec.readinessGates.map((gate) => gate?.conditionType) : []
  if (gates.length === 0 || !Array.isArray(status?.conditions)) return []
  const conditions = status.conditions.map((one) => ({ type: one?.type, status: one?.status }))
  return gates.flatMap((type) => conditions.find((one) => one.type === type) ?? [])
}

/** The canonical text of an object's content: what is hashed, and what the edge stores. */
export function contentText(resource: Resource, object: KubeObject): string {
  return canonical(contentOf(resource, object))
}
