import type { KubeObject, ObjectMeta } from '../objects.ts'
import { kindsOf } from './crd.ts'
import { type ApiKind, apiVersionOf } from './kinds.ts'
import type { FieldValidation } from './request.ts'
import { isObject, type Json } from './schema.ts'
import { badRequest, conflict, forbidden, invalid, invalidPatch, notFound, type Subject } from './status.ts'
import type { ObjectKey, Transaction } from './storage.ts'
import type { Admission } from './validate.ts'

/** Everything that one write depends on besides what it writes. */
export interface WriteContext {
  tx: Transaction
  kind: ApiKind
  /** Empty for what lies in no namespace. */
  namespace: string
  /** All kinds served now: what a namespace may hold, and what a new definition may not be named like. */
  kinds: readonly ApiKind[]
  user: { name: string; uid: string; groups: readonly string[] }
  fieldValidation: FieldValidation
  /** Fields that the body names twice, in the words of Kubernetes. */
  doubled?: readonly string[]
  /** Milliseconds since the epoch. */
  now: number
  /** A new UUID. */
  uid: () => string
}

export interface Written {
  code: 200 | 201
  /** In the version of the request's kind. */
  object: KubeObject
  warnings: string[]
}

/** An object as far as it is known to be one before it is admitted. */
export type Draft = Record<string, unknown> & { metadata: Partial<ObjectMeta> & Record<string, unknown> }

export function keyOf({ kind, namespace }: Pick<WriteContext, 'kind' | 'namespace'>, name: string): ObjectKey {
  return { resource: kind.storage, namespace, name }
}

export function subjectOf(kind: ApiKind, name?: string): Subject {
  return { group: kind.group, resource: kind.plural, kind: kind.kind, ...(name === undefined ? {} : { name }) }
}

/** `sent` as an object of the kind, with apiVersion, kind and namespace filled in. Throws a 400 `StatusError`. */
export function toDraft({ kind, namespace }: Pick<WriteContext, 'kind' | 'namespace'>, sent: unknown): Draft {
  if (!isObject(sent)) throw badRequest(`the body must be a ${kind.kind} object`)
  const apiVersion = apiVersionOf(kind)
  if ((sent.apiVersion ?? apiVersion) !== apiVersion) {
    throw badRequest(
      `the API version in the data (${sent.apiVersion}) does not match the expected API version (${apiVersion})`,
    )
  }
  if ((sent.kind ?? kind.kind) !== kind.kind) {
    throw badRequest(`the kind in the data (${sent.kind}) does not match the expected kind (${kind.kind})`)
  }
  const metadata = sent.metadata ?? {}
  if (!isObject(metadata)) throw badRequest('metadata must be an object')
  return {
    ...sent,
    apiVersion,
    kind: kind.kind,
    metadata: placed(metadata, namespace),
  }
}

function placed({ namespace: sent, ...metadata }: Json, namespace: string): Json {
  if (namespace === '') return metadata
  if (sent !== undefined && sent !== null && sent !== '' && sent !== namespace) {
    throw badRequest('the namespace of the provided object does not match the namespace sent on the request')
  }
  return { ...metadata, namespace }
}

/**
 * The admitted object, or the refusal that its faults call for; warnings are added to `warnings`. What cannot be read
 * because of a patch, which made `patched`, is a fault of the patch.
 */
export function acceptOrThrow(
  { kind, fieldValidation, doubled = [] }: Pick<WriteContext, 'kind' | 'fieldValidation' | 'doubled'>,
  { object, causes, malformed, conflict: clash, unknown, warnings }: Admission,
  patched?: object,
): { object: KubeObject; warnings: string[] } {
  const fields = [...doubled, ...unknown.map((path) => `unknown field ${JSON.stringify(path)}`)]
  const strict = fieldValidation === 'Strict' && fields.length > 0
  const why = strict ? `strict decoding error: ${fields.join(', ')}` : malformed
  if (why !== undefined && patched !== undefined) throw invalidPatch(patched, why)
  if (strict) throw badRequest(`${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${why}`)
  if (why !== undefined) throw badRequest(why)
  if (clash !== undefined) throw conflict(subjectOf(kind, object.metadata.name), clash)
  if (causes.length > 0) throw invalid(subjectOf(kind, object.metadata?.name), causes)
  return { object, warnings: fieldValidation === 'Warn' ? [...fields, ...warnings] : warnings }
}

export const namespaceKey = (name: string): ObjectKey => ({ resource: 'namespaces', namespace: '', name })

/** New objects need a namespace that exists and stays. Throws a `StatusError`: 404 or 403. */
export function checkNamespace({ tx, kind, namespace }: WriteContext, name: string): void {
  if (!kind.namespaced) return
  const entry = tx.get(namespaceKey(namespace))
  if (entry === undefined) throw notFound({ group: '', resource: 'namespaces', name: namespace })
  if (entry.object.metadata.deletionTimestamp === undefined) return
  throw forbidden(
    subjectOf(kind, name),
    `unable to create new content in namespace ${namespace} because it is being terminated`,
    [
      {
        reason: 'NamespaceTerminating',
        message: `namespace ${namespace} is being terminated`,
        field: 'metadata.namespace',
      },
    ],
  )
}

export const definitionResource = 'customresourcedefinitions.apiextensions.k8s.io'

/**
 * A request may wait for its body, or behind the write of a definition: the kind as its definition is when it is written.
 * Throws a 404 `StatusError` when it is not served any more.
 */
export function asDefinedNow(tx: Pick<Transaction, 'get'>, kind: ApiKind): ApiKind {
  if (kind.definition === undefined) return kind
  const definition = tx.get({ resource: definitionResource, namespace: '', name: kind.storage })
  if (definition?.rv === kind.definition.rv) return kind
  const now = definition && kindsOf(definition.object).find(({ version }) => version === kind.version)
  if (now === undefined) throw notFound(subjectOf(kind))
  return now
}

/** A definition may have gone since the request was routed; its objects may not outlive it. */
export function checkDefinition({ tx, kind }: WriteContext): void {
  if (!kind.custom) return
  const name = `${kind.plural}.${kind.group}`
  const definition = tx.get({ resource: definitionResource, namespace: '', name })
  if (definition !== undefined && definition.object.metadata.deletionTimestamp === undefined) return
  throw notFound(subjectOf(kind))
}
