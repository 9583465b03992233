import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import type { AddressInfo } from 'node:net'
import type { OciImage } from './oci-image.ts'
import type { WhenOver } from './temp-dir.ts'

/** A registry on loopback, as much of one as pulls need: manifests and blobs, with a password if it has one. */
export class Registry {
  readonly #server: Server
  readonly #images = new Map<string, OciImage>()
  readonly #password: string | undefined
  /** Requests for manifests, as they came. */
  readonly asked: string[] = []

  private constructor(password: string | undefined) {
    this.#password = password
    this.#server = createServer((request, response) => this.#answer(request, response))
  }

  /** With `password`, everyone has to be `user` with it. */
  static async start(whenOver: WhenOver, password?: string): Promise<Registry> {
    const registry = new Registry(password)
    await new Promise<void>((resolve) => registry.#server.listen(0, '127.0.0.1', resolve))
    whenOver(() => {
      registry.#server.closeAllConnections()
      registry.#server.close()
    })
    return registry
  }

  /** `127.0.0.1:PORT`: engines speak plain HTTP with loopback. */
  get host(): string {
    return `127.0.0.1:${(this.#server.address() as AddressInfo).port}`
  }

  /** Offers an image and says by which name it can be pulled. `path` is `NAME:TAG`. */
  add(path: string, image: OciImage): string {
    this.#images.set(path, image)
    return `${this.host}/${path}`
  }

  #answer({ url = '', method = '', headers }: IncomingMessage, response: ServerResponse): void {
    const wanted = `Basic ${Buffer.from(`user:${this.#password}`).toString('base64')}`
    if (this.#password !== undefined && headers.authorization !== wanted) {
      response.writeHead(401, { 'www-authenticate': 'Basic realm="test"' }).end()
      return
    }
    const [, name = '', kind, reference = ''] = /^\/v2\/(.+)\/(manifests|blobs)\/([^/?]+)/.exec(url) ?? []
    if (kind === 'manifests' && method !== 'HEAD') this.asked.push(`${name}:${reference}`)
    const found = kind === undefined ? undefined : this.#find(name, reference)
    if (url === '/v2/') response.writeHead(200).end()
    else if (found === undefined) response.writeHead(404, { 'content-type': 'application/json' }).end('{"errors":[]}')
    else {
      const head = {
        'content-type': found.type,
        'content-length': found.data.length,
        'docker-content-digest': found.digest,
      }
      response.writeHead(200, head).end(method === 'HEAD' ? undefined : found.data)
    }
  }

  #find(name: string, reference: string): { type: string; data: Buffer; digest: string } | undefined {
    const tagged = this.#images.get(`${name}:${reference}`)
    const all = [...this.#images].filter(([path]) => path.startsWith(`${name}:`)).map(([, image]) => image)
    const digest = tagged?.manifest.digest ?? reference
    for (const image of all) {
      const data = image.blobs.get(digest)
      const type = digest === image.manifest.digest ? image.manifest.mediaType : 'application/octet-stream'
      if (data !== undefined) return { type, data, digest }
    }
    return undefined
  }
}
