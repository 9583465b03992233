import type { KubeObject } from '../objects.ts'
import { create } from './create.ts'
import { collection, single } from './deletions.ts'
import { rehearse } from './dry-run.ts'
import type { ApiRequest, HandlerOptions } from './handler.ts'
import type { ApiKind } from './kinds.ts'
import { list } from './list.ts'
import { decodeBody, decodePatch, formOf } from './negotiate.ts'
import { applyPatch, PatchError } from './patch.ts'
import { type Rendering, renderEntry, renderObject } from './render.ts'
import { listOptions, type ResourceTarget, type WriteOptions, writeOptions } from './request.ts'
import { isReview, review } from './reviews.ts'
import { badRequest, methodNotAllowed, notFound, StatusError } from './status.ts'
import { childCall } from './subresources.ts'
import { update } from './update.ts'
import type { Sink } from './watch.ts'
import { watchCall } from './watch-call.ts'
import { keyOf, subjectOf, type WriteContext, type Written } from './write.ts'

/** What goes back: a whole body, or a stream that is written to as long as it is open. */
export type Answer =
  | { code: number; headers: Record<string, string | string[]>; body: string | Buffer }
  | { code: number; headers: Record<string, string | string[]>; stream: (sink: Sink) => void }

/** One request for a resource, routed and allowed. */
export interface Call extends HandlerOptions {
  request: ApiRequest
  kind: ApiKind
  target: ResourceTarget
  /** get, list, watch, create, update, patch, delete, deletecollection. */
  verb: string
  query: URLSearchParams
}

export function jsonAnswer(code: number, value: unknown, headers: Answer['headers'] = {}): Answer {
  return { code, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
}

/** Answers a request for a resource. Throws a `StatusError`. */
export async function resourceCall(call: Call): Promise<Answer> {
  const { kind, target, verb } = call
  checkPlace(call)
  if (target.subresource !== '') return childCall(call)
  if (!kind.verbs.includes(verb)) throw methodNotAllowed(subjectOf(kind))
  switch (verb) {
    case 'get':
      return get(call)
    case 'list':
      return text(200, list(call.storage, listRequest(call), renderingOf(call)))
    case 'watch':
      return watchCall(call)
    case 'create':
      return isReview(kind) ? reviewed(call) : created(call)
    case 'update':
    case 'patch':
      return updated(call)
    case 'delete':
      return single(call)
    case 'deletecollection':
      return collection(call)
    default:
      throw methodNotAllowed(subjectOf(kind))
  }
}

const ofCollections = new Set(['list', 'watch', 'create', 'deletecollection'])

/** A namespace where there is none, none where there must be one, or a verb that does not go with a name or without. */
function checkPlace({ kind, target, verb }: Call): void {
  const { namespace, name, subresource } = target
  if (!kind.namespaced && namespace !== '') throw notFound(subjectOf(kind, name))
  const everywhere = kind.namespaced && namespace === '' && verb !== 'list' && verb !== 'watch'
  const nameless = name === '' && !ofCollections.has(verb)
  const named = name !== '' && verb === 'create' && subresource === ''
  if (everywhere || nameless || named) throw methodNotAllowed(subjectOf(kind))
}

function text(code: number, body: string, headers: Answer['headers'] = {}): Answer {
  return { code, headers: { 'content-type': 'application/json', ...headers }, body }
}

function accept({ request }: Call): string | undefined {
  const value = request.headers.accept
  return Array.isArray(value) ? value.join(',') : value
}

export function contentType({ request }: Call): string | undefined {
  return request.headers['content-type'] as string | undefined
}

export function renderingOf(call: Call): Rendering {
  const asked = call.query.get('includeObject') ?? 'Metadata'
  if (asked !== 'None' && asked !== 'Metadata' && asked !== 'Object') {
    throw badRequest(`includeObject: Unsupported value: "${asked}": supported values: "Metadata", "None", "Object"`)
  }
  return { kind: call.kind, form: formOf(accept(call)), includeObject: asked, now: call.clock.now() }
}

function listRequest({ target, query }: Call) {
  return { namespace: target.namespace, options: listOptions(query) }
}

export function get(call: Call): Answer {
  const { storage, kind, target } = call
  const rendering = renderingOf(call)
  const entry = storage.get(keyOf({ kind, namespace: target.namespace }, target.name))
  if (entry === undefined) throw notFound(subjectOf(kind, target.name))
  return text(200, renderEntry(rendering, entry))
}

/** Runs a write and resolves once it is on disk; a dry run leaves nothing behind. */
export function commit<T>(
  call: Call,
  options: Pick<WriteOptions, 'dryRun' | 'fieldValidation'>,
  write: (context: WriteContext) => T,
): Promise<T> {
  const { storage, registry, kind, target, request, clock, uid } = call
  const run = (tx: WriteContext['tx']) =>
    write({
      tx,
      kind,
      namespace: target.namespace,
      kinds: registry.kinds,
      user: request.user,
      fieldValidation: options.fieldValidation,
      now: clock.now(),
      uid,
    })
  return options.dryRun ? rehearse(storage, run) : storage.commit(run)
}

async function created(call: Call): Promise<Answer> {
  const rendering = renderingOf(call)
  const options = writeOptions(call.query)
  const sent = decodeBody(await call.request.body(), contentType(call))
  const written = await commit(call, options, (context) => create(context, sent))
  return answerWritten(rendering, written)
}

export async function updated(call: Call): Promise<Answer> {
  const rendering = renderingOf(call)
  const options = writeOptions(call.query)
  const body = await call.request.body()
  const patch = call.verb === 'patch'
  const change = patch ? patching(call, body) : replacing(call, body)
  const { name, subresource } = call.target
  const written = await commit(call, options, (context) => update(context, { name, subresource, change, patch }))
  return answerWritten(rendering, written)
}

function replacing(call: Call, body: Buffer): (old: KubeObject) => unknown {
  const sent = decodeBody(body, contentType(call))
  return () => sent
}

function patching(call: Call, body: Buffer): (old: KubeObject) => unknown {
  const { mediaType, patch } = decodePatch(body, contentType(call))
  return (object) => {
    try {
      return applyPatch({ mediaType, patch, object, kind: call.kind })
    } catch (error) {
      if (!(error instanceof PatchError)) throw error
      throw new StatusError({ code: error.code, reason: error.reason, message: error.message })
    }
  }
}

export function answerWritten(rendering: Rendering, { code, object, warnings }: Written): Answer {
  return text(code, renderObject(rendering, object), warningHeaders(warnings))
}

/** `Warning: 299 - "…"`, the text in UTF-8 bytes as Kubernetes sends it, without what cannot stand in a header. */
export function warningHeaders(warnings: readonly string[]): Record<string, string[]> {
  if (warnings.length === 0) return {}
  const told = [...new Set(warnings)].slice(0, 16).map((warning) => {
    const escaped = warning
      .slice(0, 256)
      .replaceAll(/\p{Cc}/gu, ' ')
      .replaceAll(/(["\\])/g, '\\$1')
    return `299 - "${Buffer.from(escaped, 'utf8').toString('latin1')}"`
  })
  return { warning: told }
}

async function reviewed(call: Call): Promise<Answer> {
  const sent = decodeBody(await call.request.body(), contentType(call))
  return jsonAnswer(201, review(call.kind, sent, { user: call.request.user, authorize: call.authorize }))
}
