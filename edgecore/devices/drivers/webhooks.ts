import type { IncomingMessage, Server, ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import { explain } from '@kedge/shared/errors'
import { readBody } from '@kedge/shared/http-body'
import type { Log } from '@kedge/shared/log'
import type { Address } from '@kedge/shared/setting-types'

export interface WebhookCall {
  method: string
  headers: IncomingMessage['headers']
  query: URLSearchParams
  body: Buffer
}

export interface WebhookAnswer {
  status: number
  /** A line for the person who looks at what the device was told. */
  text?: string
}

export interface Webhook {
  /** The port on which it is reached. */
  readonly port: number
  close(): Promise<void>
}

/** One HTTP server of edgecore, for devices that call by themselves. */
export interface Webhooks {
  /**
   * Serves a path, for instance `/devices/default/lamp`, until it is closed. Rejects when the port is in use, or when the
   * setting turns webhooks off.
   */
  open(path: string, hear: (call: WebhookCall) => Promise<WebhookAnswer>): Promise<Webhook>
}

/** The largest body of a call, in bytes. */
const maxBody = 1024 * 1024
/** A call takes no longer than this from its first to its last byte, in milliseconds. */
const patience = 30_000

/** Invariant: the server listens exactly while a path is served; devices that need none cost nothing. */
export class WebhookServer implements Webhooks {
  readonly #address: Address | null
  readonly #log: Log
  readonly #paths = new Map<string, (call: WebhookCall) => Promise<WebhookAnswer>>()
  #opening: Promise<Server> | undefined
  #port: number | undefined

  constructor(address: Address | null, log: Log) {
    this.#address = address
    this.#log = log
  }

  /** The port that is listened on, while a device needs it. */
  get port(): number | undefined {
    return this.#paths.size > 0 ? this.#port : undefined
  }

  async open(path: string, hear: (call: WebhookCall) => Promise<WebhookAnswer>): Promise<Webhook> {
    if (this.#paths.has(path)) throw new Error(`the webhook ${path} is in use by another device`)
    this.#paths.set(path, hear)
    try {
      this.#opening ??= this.#listen()
      const server = await this.#opening
      const { port } = server.address() as AddressInfo
      this.#port = port
      return { port, close: () => this.#close(path, hear) }
    } catch (error) {
      await this.#close(path, hear)
      throw error
    }
  }

  async #listen(): Promise<Server> {
    if (this.#address === null) throw new Error('webhooks are off: set --webhook-address')
    const { host, port } = this.#address
    // Loaded here: a node without webhooks does without.
    const { createServer } = await import('node:http')
    const server = createServer({ requestTimeout: patience, headersTimeout: patience }, (request, response) => {
      this.#serve(request, response).catch((error: unknown) => {
        this.#log.warn({ path: request.url, reason: explain(error) }, 'webhook call failed')
        answer(response, { status: 500, text: explain(error) })
      })
    })
    server.maxConnections = 256
    await new Promise<void>((resolve, reject) => {
      server.once('error', (cause) =>
        reject(new Error(`webhooks cannot listen on ${host}:${port}: choose another --webhook-address`, { cause })),
      )
      server.listen(port, host, resolve)
    })
    server.on('error', (error) => this.#log.warn({ reason: explain(error) }, 'webhook server failed'))
    this.#log.info({ host, port: (server.address() as AddressInfo).port }, 'webhooks served')
    return server
  }

  async #close(path: string, hear: (call: WebhookCall) => Promise<WebhookAnswer>): Promise<void> {
    if (this.#paths.get(path) !== hear) return
    this.#paths.delete(path)
    if (this.#paths.size > 0) return
    const opening = this.#opening
    this.#opening = undefined
    const server = await opening?.catch(() => undefined)
    server?.closeAllConnections()
    await new Promise<void>((resolve) => (server === undefined ? resolve() : server.close(() => resolve())))
  }

  async #serve(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const url = new URL(request.url ?? '/', 'http://edgecore')
    const hear = this.#paths.get(decodeURIComponent(url.pathname))
    if (hear === undefined) return answer(response, { status: 404, text: 'no device is served here' })
    if (request.method !== 'POST' && request.method !== 'PUT' && request.method !== 'GET') {
      return answer(response, { status: 405, text: 'use POST, PUT or GET' })
    }
    // Where the length is not told first, the connection ends in the middle.
    const body = await readBody(request, maxBody)
    if (body === undefined) return answer(response, { status: 413, text: `at most ${maxBody} bytes` })
    const call = { method: request.method, headers: request.headers, query: url.searchParams, body }
    answer(response, await hear(call))
  }
}

function answer(response: ServerResponse, { status, text }: WebhookAnswer): void {
  if (response.headersSent || response.destroyed) return
  const body = text === undefined ? '' : `${text}\n`
  response.writeHead(status, { 'content-type': 'text/plain; charset=utf-8', 'content-length': Buffer.byteLength(body) })
  response.end(body)
}
