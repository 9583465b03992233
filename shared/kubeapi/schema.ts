/**
 * The schema language of `shared/kubeapi`: the part of OpenAPI v3 that Kubernetes calls structural, with its extensions.
 * Built-in kinds and CustomResourceDefinitions are described in the same words, so that validation, pruning, defaults,
 * patches and the published OpenAPI documents have one source.
 */
export interface Schema {
  type?: 'object' | 'array' | 'string' | 'integer' | 'number' | 'boolean'
  title?: string
  description?: string
  format?: string
  default?: unknown
  example?: unknown
  nullable?: boolean
  properties?: Record<string, Schema>
  additionalProperties?: Schema | boolean
  required?: string[]
  minProperties?: number
  maxProperties?: number
  items?: Schema
  minItems?: number
  maxItems?: number
  uniqueItems?: boolean
  enum?: unknown[]
  pattern?: string
  minLength?: number
  maxLength?: number
  minimum?: number
  maximum?: number
  exclusiveMinimum?: boolean
  exclusiveMaximum?: boolean
  multipleOf?: number
  allOf?: Schema[]
  anyOf?: Schema[]
  oneOf?: Schema[]
  not?: Schema
  externalDocs?: unknown
  'x-kubernetes-preserve-unknown-fields'?: boolean
  'x-kubernetes-int-or-string'?: boolean
  'x-kubernetes-embedded-resource'?: boolean
  'x-kubernetes-list-type'?: 'atomic' | 'set' | 'map'
  'x-kubernetes-list-map-keys'?: string[]
  'x-kubernetes-map-type'?: 'atomic' | 'granular'
  'x-kubernetes-validations'?: unknown[]
  /** Built-in kinds only: how a strategic merge patch treats this list or object, `merge`, `replace`, `retainKeys` or a pair. */
  'x-kubernetes-patch-strategy'?: string
  /** Built-in kinds only: the field that tells the elements of a merged list apart. */
  'x-kubernetes-patch-merge-key'?: string
}

export type Json = Record<string, unknown>

/** Whether a value is a JSON object (not null, not an array). */
export function isObject(value: unknown): value is Json {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

/** `value` when it is a JSON object, otherwise an empty one: for reading paths that may be missing. */
export function asObject(value: unknown): Json {
  return isObject(value) ? value : {}
}

/** `value` when it is an array, otherwise an empty one. */
export function asArray(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}

/** Sets a field, be it named `__proto__`. */
export function setField(object: Json, name: string, value: unknown): void {
  if (name !== '__proto__') object[name] = value
  else Object.defineProperty(object, name, { value, enumerable: true, configurable: true, writable: true })
}

/** Nothing that is written down by people or programs nests deeper, and what works on objects recurses. */
export const maxDepth = 250

/** Whether objects and lists nest deeper than `levels`. */
export function isDeeperThan(value: unknown, levels: number): boolean {
  if (typeof value !== 'object' || value === null) return false
  if (levels === 0) return true
  for (const inner of Object.values(value)) if (isDeeperThan(inner, levels - 1)) return true
  return false
}
