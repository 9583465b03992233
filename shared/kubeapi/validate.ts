import { canonical } from '../canonical.ts'
import type { KubeObject, ObjectMeta } from '../objects.ts'
import { bind } from './binding.ts'
import { lacking, misread } from './builtin-check.ts'
import type { Cause } from './causes.ts'
import { check } from './check.ts'
import { type ApiKind, apiVersionOf } from './kinds.ts'
import { checkMetadata, checkMetadataUpdate, metadataForCreate, metadataForUpdate } from './metadata.ts'
import { asArray, isDeeperThan, isObject, type Json, maxDepth } from './schema.ts'
import { objectMeta } from './schemas-meta.ts'
import { strategies } from './strategies.ts'
import type { Strategy } from './strategy.ts'
import { applyDefaults, prune } from './structural.ts'

export interface AdmitRequest {
  kind: ApiKind
  operation: 'create' | 'update'
  /** `status`, `binding`, `approval`, `finalize`; undefined for the object itself. */
  subresource?: string
  /** What the client sent, or what its patch made of `old`. Not changed. For `binding`: the Binding. */
  object: unknown
  /** The stored object, in the version of `kind`: for updates, and for `binding` the pod. */
  old?: KubeObject
  /** RFC 3339: the time that is noted in conditions, for subresources. */
  now?: string
}

export interface Admission {
  /**
   * The object to store: pruned, with defaults, with what the (sub)resource may not touch taken from `old`, with
   * `metadata.generation` counted where the kind has one. The server adds uid, resourceVersion and creationTimestamp, and
   * makes a name from generateName before it asks. Meaningful only when neither `malformed` nor `conflict` is set and
   * `causes` is empty.
   */
  object: KubeObject
  /** Faults of the content: answer 422 `Invalid` (`sumUp` makes the message). */
  causes: Cause[]
  /** What cannot be read at all (a string where a built-in kind has a number): answer 400 `BadRequest`. */
  malformed?: string
  /** The state of `old` forbids it (a pod that is bound already): answer 409 `Conflict`. */
  conflict?: string
  /** Paths of unknown fields, pruned: 400 with fieldValidation=Strict, `Warning: unknown field "…"` with Warn. */
  unknown: string[]
  /** Texts for `Warning` headers, whatever fieldValidation says. */
  warnings: string[]
}

/** Decides what becomes of an object that a client wants to write. */
export function admit(request: AdmitRequest): Admission {
  if (request.subresource === 'binding') return bind(request)
  const { kind, object } = request
  const malformed = unreadable(kind, object)
  if (malformed !== undefined) return { object: empty, causes: [], malformed, unknown: [], warnings: [] }
  const unknown: string[] = []
  const next = read(kind, object as Json, unknown)
  const strategy = strategies[kind.storage] ?? {}
  if (kind.custom) applyDefaults(kind.schema, next)
  else strategy.defaults?.(next)
  if (request.operation === 'create') toCreate(kind, strategy, next)
  else if (request.old !== undefined) toUpdate({ ...request, old: request.old }, strategy, next)
  const causes = faults(request, strategy, next)
  const warnings = [...(strategy.warnings?.(next) ?? []), ...finalizerWarnings(kind, next)]
  return { object: next, causes, unknown, warnings }
}

const empty: KubeObject = { metadata: { name: '' } }

function unreadable(kind: ApiKind, object: unknown): string | undefined {
  if (!isObject(object))
    return "the object provided is unrecognized (must be of type Object): couldn't get version/kind"
  if (isDeeperThan(object, maxDepth)) return `the object nests deeper than ${maxDepth} levels`
  const expected = apiVersionOf(kind)
  const { apiVersion = expected, kind: kindName = kind.kind } = object
  if (apiVersion !== expected) {
    return `the API version in the data (${apiVersion}) does not match the expected API version (${expected})`
  }
  if (kindName !== kind.kind)
    return `the kind in the data (${kindName}) does not match the expected kind (${kind.kind})`
  const why = kind.custom
    ? misread(kind.kind, { type: 'object', properties: { metadata: objectMeta } }, object)
    : misread(kind.kind, kind.schema, object)
  return why && `${kind.kind} in version "${kind.version}" cannot be handled as a ${kind.kind}: ${why}`
}

/** A pruned copy in the order that people expect. */
function read(kind: ApiKind, object: Json, unknown: string[]): KubeObject {
  const { metadata, apiVersion: _apiVersion, kind: _kind, ...rest } = object
  const meta = prune(objectMeta, metadata ?? {}, 'metadata', { builtIn: true, unknown })
  const body = prune(kind.schema, rest, '', { builtIn: !kind.custom, unknown })
  return {
    apiVersion: apiVersionOf(kind),
    kind: kind.kind,
    metadata: meta as unknown as ObjectMeta,
    ...(body as Json),
  }
}

function hasStatus(kind: ApiKind): boolean {
  return kind.subresources.some(({ name }) => name === 'status')
}

function toCreate(kind: ApiKind, strategy: Strategy, next: KubeObject): void {
  setMetadata(next, metadataForCreate(metaOf(next)))
  if (hasStatus(kind) && strategy.statusOnCreate !== true) delete next.status
  strategy.prepare?.(next)
  if (kind.custom || strategy.generation === true) next.metadata.generation = 1
}

/** What a write of the object, or of one part of it, leaves as it was. */
function toUpdate(request: AdmitRequest & { old: KubeObject }, strategy: Strategy, next: KubeObject): void {
  const { kind, old, subresource } = request
  const metadata = metadataForUpdate(metaOf(next), metaOf(old))
  if (subresource !== undefined) {
    keepAllBut(part(subresource), next, old)
    strategy.prepareStatus?.(next, old, { subresource, now: request.now })
    setMetadata(
      next,
      strategy.metadataOnStatus === true ? { ...metadata, ownerReferences: old.metadata.ownerReferences } : metaOf(old),
    )
    return
  }
  setMetadata(next, metadata)
  if (hasStatus(kind)) keep('status', next, old)
  strategy.prepareUpdate?.(next, old)
  if (kind.custom || strategy.generation === true) next.metadata.generation = nextGeneration(kind, next, old)
}

/** The field that a subresource writes. */
function part(subresource: string): string {
  return subresource === 'finalize' ? 'spec' : 'status'
}

function keepAllBut(field: string, next: KubeObject, old: KubeObject): void {
  for (const name of new Set([...Object.keys(next), ...Object.keys(old)])) {
    if (name !== field && name !== 'metadata') keep(name, next, old)
  }
}

function keep(field: string, next: KubeObject, old: KubeObject): void {
  if (old[field] === undefined) delete next[field]
  else next[field] = old[field]
}

function metaOf(object: KubeObject): Json {
  return object.metadata as unknown as Json
}

function setMetadata(object: KubeObject, metadata: Json): void {
  object.metadata = Object.fromEntries(
    Object.entries(metadata).filter(([, value]) => value !== undefined),
  ) as unknown as ObjectMeta
}

function nextGeneration(kind: ApiKind, next: KubeObject, old: KubeObject): number {
  const before = old.metadata.generation ?? 0
  return canonical(desired(kind, next)) === canonical(desired(kind, old)) ? before : before + 1
}

/** All that a change of counts as a new generation. */
function desired(kind: ApiKind, object: KubeObject): Json {
  const { apiVersion: _apiVersion, kind: _kind, metadata: _metadata, ...rest } = object
  if (hasStatus(kind)) delete rest.status
  return rest
}

function faults({ kind, operation, old, subresource }: AdmitRequest, strategy: Strategy, next: KubeObject): Cause[] {
  const metadata = metaOf(next)
  const causes = checkMetadata(metadata, strategy.name ?? 'subdomain')
  if (operation === 'update' && old !== undefined) causes.push(...checkMetadataUpdate(metadata, metaOf(old)))
  if (kind.custom) {
    const { metadata: _metadata, ...rest } = next
    causes.push(...check(kind.schema, { ...rest, metadata: {} }), ...namingFaults(kind, metadata))
  } else causes.push(...lacking(kind.schema, next))
  causes.push(...(strategy.check?.({ object: next, old, subresource }) ?? []))
  return causes
}

/** Of metadata a definition may restrict these two. */
function namingFaults({ naming }: ApiKind, { name, generateName }: Json): Cause[] {
  if (naming === undefined) return []
  const given = Object.entries({ name, generateName }).filter(([, value]) => value !== undefined)
  return check(naming, Object.fromEntries(given), 'metadata')
}

/** Kubernetes' advice for the finalizers of custom resources. */
function finalizerWarnings(kind: ApiKind, { metadata }: KubeObject): string[] {
  if (!kind.custom) return []
  return asArray(metadata.finalizers)
    .filter((one) => !String(one).includes('/') && !standardFinalizers.has(String(one)))
    .map(
      (one) =>
        `metadata.finalizers: ${JSON.stringify(one)}: prefer a domain-qualified finalizer name including a path (/) to avoid accidental conflicts with other finalizer writers`,
    )
}

const standardFinalizers = new Set(['orphan', 'foregroundDeletion', 'kubernetes'])
