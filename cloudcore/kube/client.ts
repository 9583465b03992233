import type http from 'node:http'
import type { KubeObject } from '@kedge/shared/objects'
import type { DeleteOptions, Kube, KubeList, ListOptions, Patch, WatchEvent, WatchOptions } from './api.ts'
import { listPage, queryOf, watchEvent } from './bodies.ts'
import { Credentials, type Source } from './credentials.ts'
import { isExpired, KubeError } from './errors.ts'
import { Lines } from './json-lines.ts'
import { Requests } from './requests.ts'
import { TimeoutError } from './transport.ts'

export interface KubeOptions extends Source {
  /** Milliseconds until an ordinary request must be answered. */
  requestTimeout?: number
  /** Seconds after which the server ends a watch; the client waits `watchSlack` milliseconds longer. */
  watchSeconds?: number
  watchSlack?: number
}

/** Bytes of one event. */
const lineLimit = 16 * 1024 * 1024

/** Opens the way to Kubernetes; nothing is sent yet. Throws a `UserError` when the configuration cannot be used. */
export function openKube(options: KubeOptions): Kube {
  return new RestKube(options, new Credentials(options))
}

class RestKube implements Kube {
  readonly #requests: Requests
  readonly #timeout: number
  readonly #watchSeconds: number
  readonly #watchSlack: number
  /** Open watches, with the time since when each has been silent. */
  readonly #watches = new Map<http.IncomingMessage, number>()

  constructor(options: KubeOptions, credentials: Credentials) {
    const timeout = options.requestTimeout ?? 30_000
    this.#timeout = timeout
    this.#requests = new Requests({ credentials, timeout, onSilence: () => this.#doubtWatches() })
    this.#watchSeconds = options.watchSeconds ?? 290
    this.#watchSlack = options.watchSlack ?? 30_000
  }

  get(path: string): Promise<KubeObject> {
    return this.#requests.call({ method: 'GET', path })
  }

  create(path: string, object: KubeObject): Promise<KubeObject> {
    return this.#requests.call({ method: 'POST', path, body: object })
  }

  update(path: string, object: KubeObject): Promise<KubeObject> {
    return this.#requests.call({ method: 'PUT', path, body: object })
  }

  patch(path: string, patch: Patch): Promise<KubeObject> {
    const contentType = Array.isArray(patch) ? 'application/json-patch+json' : 'application/merge-patch+json'
    return this.#requests.call({ method: 'PATCH', path, body: patch, contentType })
  }

  patchStatus(path: string, patch: Patch): Promise<KubeObject> {
    return this.patch(`${path}/status`, patch)
  }

  async delete(path: string, options: DeleteOptions = {}): Promise<void> {
    const body = { apiVersion: 'v1', kind: 'DeleteOptions', ...options }
    await this.#requests.call({ method: 'DELETE', path, body })
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
      const page = listPage(await this.#requests.call({ method: 'GET', path: path + query, signal }))
      for (const object of page.items) {
        const kept = trim === undefined ? object : trim(object)
        if (kept !== undefined) items.push(kept)
      }
      next = page.next
      if (next === '') return { items, resourceVersion: page.resourceVersion }
    }
  }

  async confirm(path: string, { resourceVersion, signal }: WatchOptions): Promise<void> {
    const query = queryOf({ limit: 1, resourceVersion, resourceVersionMatch: 'NotOlderThan' })
    await this.#requests.call({ method: 'GET', path: path + query, signal })
  }

  async *watch(path: string, options: WatchOptions): AsyncGenerator<WatchEvent> {
    // A server that ends all watches at one moment would get all of them back at one moment.
    const timeoutSeconds = Math.ceil(this.#watchSeconds * (0.9 + 0.1 * Math.random()))
    const { resourceVersion, labelSelector, fieldSelector, signal, onOpen } = options
    const selector = { labelSelector, fieldSelector }
    const query = queryOf({ watch: 'true', allowWatchBookmarks: 'true', ...selector, resourceVersion, timeoutSeconds })
    const what = `watch ${path}`
    const response = await this.#requests.open({ method: 'GET', path: path + query, signal }, what)
    onOpen?.()
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

  close(): void {
    for (const response of this.#watches.keys()) response.destroy()
    this.#requests.close()
  }
}
