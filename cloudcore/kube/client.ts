import type http from 'node:http'
import { explain } from '@kedge/shared/errors'
import type { KubeObject } from '@kedge/shared/objects'
import { Credentials, type Source } from './credentials.ts'
import { isExpired, KubeError, kubeError, type StatusBody } from './errors.ts'
import { Lines } from './json-lines.ts'
import { readBody, send, TimeoutError } from './transport.ts'

export interface KubeOptions extends Source {
  /** Milliseconds until an ordinary request must be answered. */
  requestTimeout?: number
  /** Seconds after which the server ends a watch; the client waits `watchSlack` milliseconds longer. */
  watchSeconds?: number
  watchSlack?: number
}

export interface KubeList {
  items: KubeObject[]
  /** Where a watch of the collection continues. */
  resourceVersion: string
}

export interface ListOptions {
  labelSelector?: string
  fieldSelector?: string
  /** Objects per request; 500 unless given. */
  limit?: number
  signal?: AbortSignal
  /** Makes each object smaller while the list is still coming in. */
  trim?: (object: KubeObject) => KubeObject | undefined
}

export interface WatchOptions {
  resourceVersion: string
  signal?: AbortSignal
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  object: KubeObject
}

export interface DeleteOptions {
  gracePeriodSeconds?: number
  preconditions?: { uid?: string; resourceVersion?: string }
}

/** A merge patch (RFC 7386), or the operations of a JSON patch (RFC 6902). */
export type Patch = Record<string, unknown> | readonly { op: string; path: string; value?: unknown; from?: string }[]

/**
 * The Kubernetes API over plain JSON. Paths are those of the REST API (`/api/v1/nodes/edge-1`). Every method throws
 * `KubeError` when the server says no, and an ordinary `Error` when it cannot be reached or does not answer in time.
 */
export interface Kube {
  get(path: string): Promise<KubeObject>
  list(path: string, options?: ListOptions): Promise<KubeList>
  create(path: string, object: KubeObject): Promise<KubeObject>
  update(path: string, object: KubeObject): Promise<KubeObject>
  patch(path: string, patch: Patch): Promise<KubeObject>
  /** Patches the status subresource of the object at `path`. */
  patchStatus(path: string, patch: Patch): Promise<KubeObject>
  delete(path: string, options?: DeleteOptions): Promise<void>
  /** What happens in a collection after a version. Ends when the server ends it or `signal` aborts; throws otherwise. */
  watch(path: string, options: WatchOptions): AsyncIterable<WatchEvent>
  close(): void
}

const lineLimit = 16 * 1024 * 1024

/** Opens the way to Kubernetes; nothing is sent yet. Throws a `UserError` when the configuration cannot be used. */
export function openKube(options: KubeOptions): Kube {
  return new RestKube(options, new Credentials(options))
}

interface Call {
  method: string
  path: string
  body?: unknown
  contentType?: string
  signal?: AbortSignal
}

class RestKube implements Kube {
  readonly #credentials: Credentials
  readonly #timeout: number
  readonly #watchSeconds: number
  readonly #watchSlack: number
  /** Open watches, with the time since when each has been silent. */
  readonly #watches = new Map<http.IncomingMessage, number>()

  constructor(options: KubeOptions, credentials: Credentials) {
    this.#credentials = credentials
    this.#timeout = options.requestTimeout ?? 30_000
    this.#watchSeconds = options.watchSeconds ?? 290
    this.#watchSlack = options.watchSlack ?? 30_000
  }

  get(path: string): Promise<KubeObject> {
    return this.#call({ method: 'GET', path })
  }

  create(path: string, object: KubeObject): Promise<KubeObject> {
    return this.#call({ method: 'POST', path, body: object })
  }

  update(path: string, object: KubeObject): Promise<KubeObject> {
    return this.#call({ method: 'PUT', path, body: object })
  }

  patch(path: string, patch: Patch): Promise<KubeObject> {
    const contentType = Array.isArray(patch) ? 'application/json-patch+json' : 'application/merge-patch+json'
    return this.#call({ method: 'PATCH', path, body: patch, contentType })
  }

  patchStatus(path: string, patch: Patch): Promise<KubeObject> {
    return this.patch(`${path}/status`, patch)
  }

  async delete(path: string, options: DeleteOptions = {}): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options }
    await this.#call({ method: 'DELETE', path, body })
  }

  async list(path: string, options: ListOptions = {}): Promise<KubeList> {
    try {
      return await this.#pages(path, { limit: 500, ...options })
    } catch (error) {
      // The pages outlived the server's history: take the list in one piece.
      if (isExpired(error)) return this.#pages(path, { ...options, limit: undefined })
      throw error
    }
  }

  async #pages(path: string, options: ListOptions): Promise<KubeList> {
    const { labelSelector, fieldSelector, limit, signal, trim } = options
    const items: KubeObject[] = []
    let next = ''
    for (;;) {
      const query = queryOf({ labelSelector, fieldSelector, limit, continue: next })
      const page = listPage(await this.#call({ method: 'GET', path: path + query, signal }))
      for (const object of page.items) {
        const kept = trim === undefined ? object : trim(object)
        if (kept !== undefined) items.push(kept)
      }
      next = page.next
      if (next === '') return { items, resourceVersion: page.resourceVersion }
    }
  }

  async *watch(path: string, { resourceVersion, signal }: WatchOptions): AsyncGenerator<WatchEvent> {
    // A server that ends all watches at one moment would get all of them back at one moment.
    const timeoutSeconds = Math.ceil(this.#watchSeconds * (0.9 + 0.1 * Math.random()))
    const query = queryOf({ watch: 'true', allowWatchBookmarks: 'true', resourceVersion, timeoutSeconds })
    const what = `watch ${path}`
    const response = await this.#open({ method: 'GET', path: path + query, signal }, what)
    const deadline = setTimeout(
      () => response.destroy(new TimeoutError(`still open ${this.#watchSlack} ms after its end`)),
      timeoutSeconds * 1000 + this.#watchSlack,
    )
    try {
      yield* this.#events(response, what)
    } catch (error) {
      if (signal?.aborted) return
      throw error instanceof KubeError ? error : new Error(what, { cause: error })
    } finally {
      clearTimeout(deadline)
      this.#watches.delete(response)
      response.destroy()
    }
  }

  async *#events(response: http.IncomingMessage, what: string): AsyncGenerator<WatchEvent> {
    const lines = new Lines(lineLimit)
    this.#watches.set(response, performance.now())
    for await (const chunk of response) {
      this.#watches.set(response, performance.now())
      for (const line of lines.push(chunk as Buffer)) yield watchEvent(line, what)
    }
  }

  /** A request that ran out of time casts doubt on every connection: watches as silent as that are opened anew. */
  #doubtWatches(): void {
    const now = performance.now()
    for (const [response, since] of this.#watches)
      if (now - since >= this.#timeout) response.destroy(new TimeoutError('the server does not answer any more'))
  }

  async #call(call: Call): Promise<KubeObject> {
    const what = `${call.method} ${call.path.split('?')[0]}`
    const response = await this.#open(call, what)
    try {
      return parse(await readBody(response, this.#timeout))
    } catch (cause) {
      throw new Error(what, { cause })
    }
  }

  /** The answer, when it is a good one; its body is still to be read. */
  async #open(call: Call, what: string): Promise<http.IncomingMessage> {
    const response = await this.#send(call, what)
    const code = response.statusCode ?? 0
    if (code >= 200 && code < 300) return response
    const text = await readBody(response, this.#timeout).catch(() => '')
    throw kubeError(what, code, statusBody(text), response.headers['retry-after'])
  }

  async #send(call: Call, what: string): Promise<http.IncomingMessage> {
    try {
      const first = await this.#exchange(call)
      if (first.statusCode !== 401) return first
      first.resume()
      this.#credentials.reload()
      return await this.#exchange(call)
    } catch (cause) {
      if (cause instanceof TimeoutError) this.#doubtWatches()
      else if (!call.signal?.aborted) this.#reloadQuietly()
      throw new Error(what, { cause })
    }
  }

  /** The server may have moved with its kubeconfig; a kubeconfig that is being written can be read next time. */
  #reloadQuietly(): void {
    try {
      this.#credentials.reload()
    } catch {
      // The failed request is what gets told; the configuration that was good once stays.
    }
  }

  async #exchange({ method, path, body, contentType, signal }: Call): Promise<http.IncomingMessage> {
    const text = body === undefined ? undefined : JSON.stringify(body)
    const access = await this.#credentials.current()
    return send(access, { method, path, body: text, contentType, signal, timeout: this.#timeout })
  }

  close(): void {
    for (const response of this.#watches.keys()) response.destroy()
    this.#credentials.close()
  }
}

function queryOf(parameters: Record<string, string | number | undefined>): string {
  const query = new URLSearchParams()
  for (const [name, value] of Object.entries(parameters))
    if (value !== undefined && value !== '') query.set(name, String(value))
  const text = query.toString()
  return text === '' ? '' : `?${text}`
}

function parse(text: string): KubeObject {
  const value: unknown = JSON.parse(text)
  if (typeof value !== 'object' || value === null) throw new Error(`not an object: ${text.slice(0, 100)}`)
  return value as KubeObject
}

function statusBody(text: string): StatusBody {
  try {
    const body = parse(text)
    return body.kind === 'Status' ? (body as StatusBody) : { message: text.slice(0, 200) }
  } catch {
    return { message: text.slice(0, 200) }
  }
}

interface Page extends KubeList {
  next: string
}

function listPage(list: KubeObject): Page {
  const metadata = list.metadata as { resourceVersion?: string; continue?: string } | undefined
  // Go writes an empty list as null where nobody thought of it.
  const found = list.items ?? []
  if (!Array.isArray(found) || metadata === undefined) throw new Error(`not a list: ${String(list.kind)}`)
  // Items of a list leave out what the list says once: their kind.
  const kind = String(list.kind ?? '').replace(/List$/, '')
  const items = (found as KubeObject[]).map((item) => ({ apiVersion: list.apiVersion, kind, ...item }))
  return { items, resourceVersion: metadata.resourceVersion ?? '', next: metadata.continue ?? '' }
}

function watchEvent(line: string, what: string): WatchEvent {
  const event = parseEvent(line)
  if (event.type === 'ERROR') {
    const status = event.object as StatusBody
    throw kubeError(what, status.code ?? 500, status)
  }
  return event as WatchEvent
}

function parseEvent(line: string): { type: string; object: KubeObject } {
  try {
    const event = JSON.parse(line) as { type?: unknown; object?: unknown }
    if (typeof event.type !== 'string' || typeof event.object !== 'object' || event.object === null)
      throw new Error('no type or no object')
    return event as { type: string; object: KubeObject }
  } catch (cause) {
    throw new Error(`broken watch line: ${explain(cause)}`, { cause })
  }
}
