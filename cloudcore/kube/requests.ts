import type http from 'node:http'
import type { KubeObject } from '@kedge/shared/objects'
import { parseObject, statusBody } from './bodies.ts'
import type { Credentials } from './credentials.ts'
import { kubeError } from './errors.ts'
import { readBody, send, TimeoutError } from './transport.ts'

export interface Call {
  method: string
  /** With its query. */
  path: string
  body?: unknown
  contentType?: string
  signal?: AbortSignal
}

export interface RequestsOptions {
  credentials: Credentials
  /** Milliseconds until an answer must be there, and between two pieces of it. */
  timeout: number
  /** Called when a request was not answered in time. */
  onSilence: () => void
}

/** Requests with our credentials, renewed where need be. Bad answers are `KubeError`s, no answers ordinary errors. */
export class Requests {
  readonly #credentials: Credentials
  readonly #timeout: number
  readonly #onSilence: () => void

  constructor({ credentials, timeout, onSilence }: RequestsOptions) {
    this.#credentials = credentials
    this.#timeout = timeout
    this.#onSilence = onSilence
  }

  /** The object that the server answers with. */
  async call(call: Call): Promise<KubeObject> {
    const what = `${call.method} ${call.path.split('?')[0]}`
    const response = await this.open(call, what)
    try {
      return parseObject(await readBody(response, this.#timeout))
    } catch (cause) {
      throw new Error(what, { cause })
    }
  }

  /** The answer, when it is a good one; its body is still to be read. */
  async open(call: Call, what: string): Promise<http.IncomingMessage> {
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
      if (cause instanceof TimeoutError) this.#onSilence()
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
    this.#credentials.close()
  }
}
