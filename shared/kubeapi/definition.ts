import type { KubeObject } from '../objects.ts'
import type { ApiKind } from './kinds.ts'
import type { Json, Schema } from './schema.ts'
import type { Entry } from './storage.ts'
import { applyDefaults, prune } from './structural.ts'

/** What reading an object of a custom kind needs to know of its CustomResourceDefinition. */
export interface Definition {
  /** resourceVersion of the definition that the kind was made from; NaN when it was never stored. */
  rv: number
  /** The schema of each of its versions, by apiVersion, those that are not served among them. */
  schemas: ReadonlyMap<string, Schema>
  /** All its versions have the same schema. */
  uniform: boolean
}

/**
 * A stored object as its definition describes it now: without the fields, and with the defaults, that the schema of the
 * version it is stored in says, and without the fields that the version of `kind` does not know. What is stored is not
 * changed. An object of a built-in kind comes back as it is.
 */
export function asDefined(kind: ApiKind, object: KubeObject): KubeObject {
  if (kind.definition === undefined) return object
  const stored = kind.definition.schemas.get(object.apiVersion ?? '')
  if (stored === undefined) return pruned(kind.schema, object)
  const known = pruned(stored, object)
  // In place: a copy was made of all that a default could go into.
  applyDefaults(stored, known)
  return stored === kind.schema ? known : pruned(kind.schema, known)
}

function pruned(schema: Schema, { apiVersion, kind, metadata, ...rest }: KubeObject): KubeObject {
  const body = prune(schema, rest, '', { builtIn: false, unknown: [] }) as Json
  return { apiVersion, kind, metadata, ...body }
}

/**
 * Whether an entry is sure to be what `asDefined` would make of it: it was written under the present definition, and not
 * by the mark of a deletion, which asks no schema. Not for the last state of a deleted object: its resourceVersion is
 * that of the deletion, and says nothing of when it was written.
 */
export function isAsDefined({ definition }: ApiKind, { rv, text }: Entry): boolean {
  if (definition === undefined) return true
  return definition.uniform && rv > definition.rv && !text.includes('"deletionTimestamp":')
}
