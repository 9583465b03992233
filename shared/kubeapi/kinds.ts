import type { Column } from './columns.ts'
import type { Definition } from './definition.ts'
import type { Schema } from './schema.ts'

export interface Subresource {
  /** `status`, `binding`, … */
  name: string
  /** The kind that requests and answers hold, where it is not the parent's. */
  kind?: { group: string; version: string; kind: string }
  verbs: string[]
}

/** One kind in one version of its group, as the API serves it. */
export interface ApiKind {
  /** Empty for the core group. */
  group: string
  version: string
  kind: string
  listKind: string
  plural: string
  singular: string
  shortNames: string[]
  categories: string[]
  namespaced: boolean
  verbs: string[]
  subresources: Subresource[]
  /** Kinds with the same storage are views of the same objects (`convert` goes between them): `<plural>[.<group>]`. */
  storage: string
  /** The apiVersion in which objects are stored. */
  storageApiVersion: string
  /** True for kinds that a CustomResourceDefinition declares. */
  custom: boolean
  schema: Schema
  /** Custom kinds only. */
  definition?: Definition
  /** Custom kinds only: what the definition asks of metadata.name and metadata.generateName. */
  naming?: Schema
  columns: Column[]
  /** Set on a deprecated version: the text of the `Warning` header. */
  deprecated?: string
  /** Fields that field selectors may name besides metadata.name and metadata.namespace, as dotted paths. */
  selectableFields: string[]
}

export function apiVersionOf({ group, version }: { group: string; version: string }): string {
  return group === '' ? version : `${group}/${version}`
}

/** `pods`, or `devices.devices.kubeedge.io`: how Kubernetes names a resource in messages. */
export function qualified({ group, plural }: { group: string; plural: string }): string {
  return group === '' ? plural : `${plural}.${group}`
}

const versionForm = /^v(\d+)(?:(alpha|beta)(\d+))?$/

/** Sorts versions as Kubernetes prefers them: v2, v1, v1beta2, v1beta1, v1alpha1, then others by name. */
export function byVersionPriority(a: string, b: string): number {
  const [one, other] = [priorityOf(a), priorityOf(b)]
  if (one === undefined || other === undefined) {
    return one === other ? a.localeCompare(b) : one === undefined ? 1 : -1
  }
  const at = one.findIndex((value, index) => value !== other[index])
  return at === -1 ? 0 : (other[at] ?? 0) - (one[at] ?? 0)
}

/** [stability, major, minor], larger is preferred. */
function priorityOf(version: string): number[] | undefined {
  const [, major, stability, minor] = versionForm.exec(version) ?? []
  if (major === undefined) return undefined
  const rank = stability === undefined ? 2 : stability === 'beta' ? 1 : 0
  return [rank, Number(major), Number(minor ?? 0)]
}
