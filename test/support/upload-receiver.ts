import { once } from 'node:events'
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http'
import type { AddressInfo } from 'node:net'
import { onTestFinished } from 'vitest'
import type { WhenOver } from './temp-dir.ts'

export interface Posted {
  headers: IncomingHttpHeaders
  body: Buffer
}

/** An HTTP server that uploads are posted to. */
export class UploadReceiver {
  readonly posted: Posted[] = []
  /** What it answers to each; 204 unless set. Undefined for no answer at all. */
  answer: (posted: Posted) => number | undefined = () => 204
  readonly #server: Server

  private constructor(server: Server) {
    this.#server = server
  }

  /** Starts one; in a `beforeAll` give `afterAll`. */
  static async start(whenOver: WhenOver = onTestFinished): Promise<UploadReceiver> {
    const server = createServer(async (request, response) => {
      const chunks: Buffer[] = []
      for await (const chunk of request) chunks.push(chunk)
      const posted = { headers: request.headers, body: Buffer.concat(chunks) }
      receiver.posted.push(posted)
      const code = receiver.answer(posted)
      if (code !== undefined) response.writeHead(code).end(code === 204 ? undefined : 'said')
    })
    const receiver = new UploadReceiver(server)
    server.listen(0, '127.0.0.1')
    await once(server, 'listening')
    whenOver(() => {
      server.closeAllConnections()
      server.close()
    })
    return receiver
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}/uploads`
  }

  /** Bodies of what was posted with this topic. */
  on(topic: string): string[] {
    return this.posted.filter(({ headers }) => headers['ce-subject'] === topic).map(({ body }) => body.toString())
  }
}
