import type { Schema } from './schema.ts'

/** The words that the schemas of built-in kinds are written in. Every description is one short sentence. */

type Fields = Record<string, Schema>

function described(schema: Schema, description: string | undefined): Schema {
  return description === undefined ? schema : { description, ...schema }
}

export function text(description?: string): Schema {
  return described({ type: 'string' }, description)
}

export function oneOf(values: readonly string[], description?: string): Schema {
  return described({ type: 'string', enum: [...values] }, description)
}

export function int32(description?: string): Schema {
  return described({ type: 'integer', format: 'int32' }, description)
}

export function int64(description?: string): Schema {
  return described({ type: 'integer', format: 'int64' }, description)
}

export function flag(description?: string): Schema {
  return described({ type: 'boolean' }, description)
}

/** RFC 3339, whole seconds. */
export function time(description?: string): Schema {
  return described({ type: 'string', format: 'date-time' }, description)
}

/** Base64. */
export function bytes(description?: string): Schema {
  return described({ type: 'string', format: 'byte' }, description)
}

export function intOrString(description?: string): Schema {
  return described({ 'x-kubernetes-int-or-string': true, format: 'int-or-string' }, description)
}

/** An amount of a resource: `500m`, `64Mi`, 1. */
export const quantity: Schema = { 'x-kubernetes-int-or-string': true, format: 'quantity' }

/** An object that is not described further: its fields are kept as they are. */
export function open(description?: string): Schema {
  return described({ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }, description)
}

export function mapOf(values: Schema, description?: string): Schema {
  return described({ type: 'object', additionalProperties: values }, description)
}

/** A list that a patch replaces as a whole. */
export function list(items: Schema, description?: string): Schema {
  return described({ type: 'array', items, 'x-kubernetes-list-type': 'atomic' }, description)
}

/** A list of values that a strategic merge patch adds to. */
export function setOf(items: Schema, description?: string): Schema {
  return described(
    { type: 'array', items, 'x-kubernetes-list-type': 'set', 'x-kubernetes-patch-strategy': 'merge' },
    description,
  )
}

/** A list whose elements a strategic merge patch tells apart by the first of `keys`. */
export function keyed(keys: readonly [string, ...string[]], items: Schema, description?: string): Schema {
  return described(
    {
      type: 'array',
      items,
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': [...keys],
      'x-kubernetes-patch-strategy': 'merge',
      'x-kubernetes-patch-merge-key': keys[0],
    },
    description,
  )
}

const names = new WeakMap<Schema, string>()

/** An object with a name of its own in the OpenAPI documents, for instance `io.k8s.api.core.v1.Container`. */
export function named(name: string, description: string, properties: Fields, required: string[] = []): Schema {
  const schema: Schema = { description, type: 'object', properties }
  if (required.length > 0) schema.required = required
  names.set(schema, name)
  return schema
}

/** An object without a name. */
export function shape(properties: Fields, required: string[] = []): Schema {
  return required.length > 0 ? { type: 'object', properties, required } : { type: 'object', properties }
}

export function nameOf(schema: Schema): string | undefined {
  return names.get(schema)
}
