import type { Clock } from '../clock.ts'
import type { Log } from '../log.ts'
import type { Authorize, User } from './access.ts'
import { rehearse } from './dry-run.ts'
import type { ApiKind } from './kinds.ts'
import { formOf } from './negotiate.ts'
import type { Registry } from './registry.ts'
import type { Rendering } from './render.ts'
import type { ResourceTarget, WriteOptions } from './request.ts'
import type { Json } from './schema.ts'
import { badRequest } from './status.ts'
import type { Storage } from './storage.ts'
import type { WatchHub } from './watch.ts'
import type { Sink } from './watcher.ts'
import { asDefinedNow, type WriteContext } from './write.ts'

/** A request, however it came in. */
export interface ApiRequest {
  method: string
  /** Path and query. */
  url: string
  /** By lower-case name. */
  headers: Readonly<Record<string, string | string[] | undefined>>
  /** Reads the whole body; throws a 413 `StatusError` when it is too large. */
  body: () => Promise<Buffer>
  user: User
}

export interface HandlerOptions {
  storage: Storage
  registry: Registry
  hub: WatchHub
  authorize: Authorize
  clock: Clock
  log: Log
  /** A new UUID. */
  uid: () => string
  /** A draw from [0, 1). */
  random: () => number
  /** `host:port` for discovery. */
  address: () => string
  /** What `/version` says. */
  version: Json
}

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

/** JSON text as an answer. */
export function text(code: number, body: string, headers: Answer['headers'] = {}): Answer {
  return { code, headers: { 'content-type': 'application/json', ...headers }, body }
}

export function jsonAnswer(code: number, value: unknown, headers: Answer['headers'] = {}): Answer {
  return { code, headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(value) }
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

/** Runs a write and resolves once it is on disk; a dry run leaves nothing behind. */
export function commit<T>(
  call: Call,
  options: Pick<WriteOptions, 'dryRun' | 'fieldValidation'> & Pick<WriteContext, 'doubled'>,
  write: (context: WriteContext) => T,
): Promise<T> {
  const { storage, registry, kind, target, request, clock, uid } = call
  const run = (tx: WriteContext['tx']) =>
    write({
      tx,
      kind: asDefinedNow(tx, kind),
      namespace: target.namespace,
      kinds: registry.kinds,
      user: request.user,
      fieldValidation: options.fieldValidation,
      ...(options.doubled === undefined ? {} : { doubled: options.doubled }),
      now: clock.now(),
      uid,
    })
  return options.dryRun ? rehearse(storage, run) : storage.commit(run)
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
