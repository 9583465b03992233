import { canonicalQuantity } from './quantity.ts'
import { isObject, type Json, type Schema, setField } from './schema.ts'

export interface PruneOptions {
  /**
   * Built-in kinds: null says nothing, so the field goes, and quantities take their one form. In custom resources values
   * are left for the schema to judge.
   */
  builtIn: boolean
  /** Collects the paths of the fields that were left out. */
  unknown: string[]
}

/** A copy of `value` without the fields that the schema does not know. What the schema preserves is shared, not copied. */
export function prune(schema: Schema, value: unknown, path: string, options: PruneOptions): unknown {
  if (Array.isArray(value)) return schema.items === undefined ? value : pruneItems(schema.items, value, path, options)
  if (schema.format === 'quantity' && options.builtIn) return canonicalQuantity(value)
  if (!isObject(value)) return value
  const out: Json = {}
  for (const [name, inner] of Object.entries(value)) {
    const at = path === '' ? name : `${path}.${name}`
    const field = fieldSchema(schema, name)
    if (field === undefined) options.unknown.push(at)
    else if (inner === null && options.builtIn) continue
    else setField(out, name, field === 'keep' ? inner : prune(field, inner, at, options))
  }
  return out
}

function pruneItems(items: Schema, values: unknown[], path: string, options: PruneOptions): unknown[] {
  return values.map((value, index) =>
    value === null && options.builtIn && items.type === 'object'
      ? {}
      : prune(items, value, `${path}[${index}]`, options),
  )
}

const embedded = new Set(['apiVersion', 'kind', 'metadata'])

/** The schema of one field, `keep` for one that is preserved as it is, undefined for one that is not known. */
function fieldSchema(schema: Schema, name: string): Schema | 'keep' | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, name)) return schema.properties[name]
  if (isObject(schema.additionalProperties)) return schema.additionalProperties as Schema
  if (schema.additionalProperties === true || schema['x-kubernetes-preserve-unknown-fields'] === true) return 'keep'
  return schema['x-kubernetes-embedded-resource'] === true && embedded.has(name) ? 'keep' : undefined
}

/**
 * Fills in the defaults of the schema, in place. A null that the schema does not allow counts as missing where there is a
 * default.
 */
export function applyDefaults(schema: Schema, value: unknown): void {
  if (Array.isArray(value)) {
    const { items } = schema
    if (items !== undefined) for (const one of value) applyDefaults(items, one)
    return
  }
  if (!isObject(value)) return
  for (const [name, field] of Object.entries(schema.properties ?? {})) {
    if (field.default !== undefined) {
      const missing = !Object.hasOwn(value, name) || (value[name] === null && field.nullable !== true)
      if (missing) value[name] = structuredClone(field.default)
    }
    applyDefaults(field, value[name])
  }
  if (isObject(schema.additionalProperties)) {
    for (const [name, inner] of Object.entries(value)) {
      if (!Object.hasOwn(schema.properties ?? {}, name)) applyDefaults(schema.additionalProperties as Schema, inner)
    }
  }
}
