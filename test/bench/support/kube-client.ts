import type { IncomingMessage } from 'node:http'
import { Agent, request } from 'node:https'
import { createInterface } from 'node:readline'
import type { KubeObject } from '@kedge/shared/objects'
import { type KubeAccess, readKubeconfig } from '../../../scripts/fleet/kube.ts'

/** When a write was sent and when its answer had come, in monotonic milliseconds. */
export interface Written {
  sent: number
  answered: number
}

export interface WatchEvent {
  type: string
  object: KubeObject
}

const patchTypes = {
  merge: 'application/merge-patch+json',
  json: 'application/json-patch+json',
} as const

/** The Kubernetes API over connections that stay open, as a controller would use it. */
export class KubeClient {
  readonly #access: KubeAccess
  readonly #agent: Agent

  constructor(kubeconfig: string) {
    this.#access = readKubeconfig(kubeconfig)
    const { ca, cert, key } = this.#access
    this.#agent = new Agent({ keepAlive: true, maxSockets: 16, ca, cert, key })
  }

  /** Creates objects, sixteen at once. */
  async create(objects: readonly KubeObject[]): Promise<void> {
    const queue = [...objects]
    const worker = async () => {
      for (let object = queue.shift(); object; object = queue.shift()) {
        await this.#write('POST', collectionOf(object), object)
      }
    }
    await Promise.all(Array.from({ length: 16 }, worker))
  }

  patch(path: string, type: keyof typeof patchTypes, patch: unknown): Promise<Written> {
    return this.#write('PATCH', path, patch, patchTypes[type])
  }

  async remove(path: string): Promise<Written> {
    return this.#write('DELETE', path, {})
  }

  async get(path: string): Promise<KubeObject> {
    return JSON.parse(await bodyOf(await this.#send('GET', path))) as KubeObject
  }

  /** Calls `onEvent` for every change from now on; the function that it resolves with ends the watch. */
  async watch(path: string, onEvent: (event: WatchEvent) => void): Promise<() => void> {
    const { metadata } = await this.get(path)
    const from = (metadata as { resourceVersion?: string }).resourceVersion
    const stream = await this.#send('GET', `${path}?watch=true&resourceVersion=${from}`)
    stream.on('error', () => {})
    createInterface({ input: stream }).on('line', (line) => onEvent(JSON.parse(line) as WatchEvent))
    return () => stream.destroy()
  }

  close(): void {
    this.#agent.destroy()
  }

  async #write(method: string, path: string, body: unknown, type = 'application/json'): Promise<Written> {
    const sent = performance.now()
    const response = await this.#send(method, path, { type, text: JSON.stringify(body) })
    const answer = await bodyOf(response)
    const answered = performance.now()
    if ((response.statusCode ?? 0) >= 300) throw new Error(`${method} ${path}: ${answer}`)
    return { sent, answered }
  }

  #send(method: string, path: string, body?: { type: string; text: string }): Promise<IncomingMessage> {
    const { server, token } = this.#access
    const headers = {
      accept: 'application/json',
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(body && { 'content-type': body.type, 'content-length': Buffer.byteLength(body.text) }),
    }
    return new Promise((resolve, reject) => {
      const sent = request(new URL(path, server), { method, headers, agent: this.#agent }, resolve)
      sent.on('error', (cause) => reject(new Error(`${method} ${path}`, { cause })))
      sent.end(body?.text)
    })
  }
}

async function bodyOf(response: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = []
  for await (const chunk of response as AsyncIterable<Buffer>) chunks.push(chunk)
  return Buffer.concat(chunks).toString('utf8')
}

function collectionOf({ apiVersion, kind }: KubeObject): string {
  const base = apiVersion?.includes('/') ? `/apis/${apiVersion}` : `/api/${apiVersion}`
  return `${base}/namespaces/default/${kind?.toLowerCase()}s`
}
