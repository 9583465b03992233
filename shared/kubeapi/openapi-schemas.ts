import type { ApiKind } from './kinds.ts'
import { isObject, type Json, type Schema } from './schema.ts'
import { named, nameOf, text } from './words.ts'

/** Named schemas of one document, and how they are referred to. */
export interface Definitions {
  /** `#/components/schemas/` or `#/definitions/`. */
  prefix: string
  schemas: Record<string, Json>
}

/** Name of a kind in the document: its own, or the reversed group, version and kind. */
export function definitionName(kind: ApiKind): string {
  const reversed = kind.group.split('.').reverse().join('.')
  return nameOf(kind.schema) ?? `${reversed}.${kind.version}.${kind.kind}`
}

/** Puts a kind and its list, with all that they refer to, into the document. */
export function defineKind(kind: ApiKind, into: Definitions): void {
  const name = definitionName(kind)
  into.schemas[name] = { ...body(kind.schema, into), ...gvk(kind, kind.kind) }
  into.schemas[`${name}List`] = {
    description: `A list of ${kind.plural}.`,
    type: 'object',
    required: ['items'],
    properties: {
      apiVersion: { description: 'Version of the schema of the list.', type: 'string' },
      kind: { description: `Always ${kind.listKind}.`, type: 'string' },
      metadata: reference(listMeta, into),
      items: { description: `The ${kind.plural}.`, type: 'array', items: { $ref: into.prefix + name } },
    },
    ...gvk(kind, kind.listKind),
  }
}

function gvk({ group, version }: ApiKind, kind: string): Json {
  return { 'x-kubernetes-group-version-kind': [{ group, kind, version }] }
}

const meta = 'io.k8s.apimachinery.pkg.apis.meta.v1'

const listMeta = named(`${meta}.ListMeta`, 'What every list has besides its items.', {
  continue: text('Hand it back to get the rest of the list.'),
  remainingItemCount: { type: 'integer', format: 'int64', description: 'How many items are left.' },
  resourceVersion: text('The state that the list was read from.'),
  selfLink: text('No longer used.'),
})

/** What a delete may say. */
export const deleteOptions = named(`${meta}.DeleteOptions`, 'How to delete an object.', {
  apiVersion: text(),
  kind: text(),
  dryRun: { type: 'array', items: text() },
  gracePeriodSeconds: { type: 'integer', format: 'int64' },
  propagationPolicy: text('Orphan, Background or Foreground.'),
  preconditions: { type: 'object', properties: { uid: text(), resourceVersion: text() } },
})

/** What the API answers when there is no object to answer with. */
export const status = named(`${meta}.Status`, 'The outcome of a call.', {
  apiVersion: text(),
  kind: text(),
  metadata: listMeta,
  status: text('Success or Failure.'),
  message: text(),
  reason: text(),
  code: { type: 'integer', format: 'int32' },
  details: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
})

/**
 * A named schema as a reference, another one in place. Descriptions stay with the fields: `kubectl explain` shows that of
 * the field and that of its type, one after the other.
 */
export function reference(schema: Schema, into: Definitions): Json {
  const name = nameOf(schema)
  if (name === undefined) return body(schema, into)
  if (into.schemas[name] === undefined) {
    // Reserved before it is filled, so that a schema may contain itself.
    into.schemas[name] = {}
    const { description: _, ...rest } = schema
    into.schemas[name] = body(rest, into)
  }
  return { $ref: into.prefix + name }
}

function property(schema: Schema, into: Definitions): Json {
  const found = reference(schema, into)
  const described = schema.description !== undefined && found.$ref !== undefined
  return described ? { description: schema.description, allOf: [found] } : found
}

function body(schema: Schema, into: Definitions): Json {
  const out: Json = {}
  for (const [word, value] of Object.entries(schema)) {
    if (word === 'properties') {
      const properties = Object.entries(value as Record<string, Schema>)
      out.properties = Object.fromEntries(properties.map(([name, inner]) => [name, property(inner, into)]))
    } else if ((word === 'items' || word === 'additionalProperties' || word === 'not') && isObject(value)) {
      out[word] = reference(value as Schema, into)
    } else if (value !== undefined) out[word] = value
  }
  if (schema['x-kubernetes-int-or-string'] === true && schema.type === undefined && schema.anyOf === undefined) {
    out.oneOf = [{ type: 'integer' }, { type: 'string' }]
  }
  return out
}

/** Fields that Swagger 2 does not know. */
const notInV2 = new Set(['anyOf', 'oneOf', 'not', 'nullable', 'x-kubernetes-int-or-string'])

/** The same schemas as Swagger 2 understands them. */
export function asV2(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(asV2)
  if (!isObject(value)) return value
  const { oneOf, ...rest } = value
  const out = Object.entries(rest).filter(([word]) => !notInV2.has(word))
  const mixed = oneOf !== undefined && rest['x-kubernetes-int-or-string'] === true ? [['type', 'string']] : []
  return Object.fromEntries([...out.map(([word, inner]) => [word, asV2(inner)]), ...mixed])
}
