import type { IncomingMessage, ServerResponse } from 'node:http'
import type { User } from './access.ts'
import type { Answer, ApiRequest } from './call.ts'
import { StatusError, tooLarge, unauthorized } from './status.ts'
import type { Sink } from './watcher.ts'

/** A body may have this many bytes. */
export const maxBodyBytes = 3 * 1024 * 1024

export interface ListenerOptions {
  handle: (request: ApiRequest) => Promise<Answer>
  /** Who sends it; undefined when nobody known. */
  authenticate: (message: IncomingMessage) => User | undefined
}

/** A request listener for Node's HTTP and HTTPS servers. */
export function listener({
  handle,
  authenticate,
}: ListenerOptions): (message: IncomingMessage, response: ServerResponse) => void {
  return (message, response) => {
    const user = authenticate(message)
    const answered =
      user === undefined
        ? Promise.resolve(asAnswer(unauthorized()))
        : handle({
            method: message.method ?? 'GET',
            url: message.url ?? '/',
            headers: message.headers,
            body: () => readBody(message),
            user,
          })
    void answered.then((answer) => send(message, response, answer))
  }
}

function asAnswer(error: StatusError): Answer {
  return { code: error.code, headers: { 'content-type': 'application/json' }, body: JSON.stringify(error.status) }
}

async function readBody(message: IncomingMessage): Promise<Buffer> {
  if (Number(message.headers['content-length'] ?? 0) > maxBodyBytes) throw tooLarge(maxBodyBytes)
  const chunks: Buffer[] = []
  let size = 0
  try {
    for await (const chunk of message as AsyncIterable<Buffer>) {
      size += chunk.length
      if (size > maxBodyBytes) throw tooLarge(maxBodyBytes)
      chunks.push(chunk)
    }
  } catch (error) {
    if (error instanceof StatusError) throw error
    // The client went away: nobody is there to read the answer.
    throw new StatusError({ code: 400, reason: 'BadRequest', message: 'the body ended early' })
  }
  return Buffer.concat(chunks)
}

function send(message: IncomingMessage, response: ServerResponse, answer: Answer): void {
  // A body that nobody read (refused before, or too large) must not be taken for the next request.
  if (!message.complete) response.setHeader('connection', 'close')
  // Nobody between client and server may answer in its place.
  response.setHeader('cache-control', 'no-cache, private')
  if ('stream' in answer) {
    response.writeHead(answer.code, answer.headers)
    response.flushHeaders()
    answer.stream(sinkOf(response))
    return
  }
  response.writeHead(answer.code, { ...answer.headers, 'content-length': Buffer.byteLength(answer.body) })
  response.end(message.method === 'HEAD' ? undefined : answer.body)
}

/** Below this many bytes a sink counts as drained. */
const lowWater = 64 * 1024

function sinkOf(response: ServerResponse): Sink {
  const finished = new Promise<void>((resolve) => response.once('close', resolve))
  // A reset of the connection shows as `close`.
  response.on('error', () => {})
  return {
    write: (chunk) => void response.write(chunk),
    get pending() {
      return response.writableLength
    },
    get closed() {
      return response.destroyed || response.writableEnded
    },
    finished,
    async drained() {
      if (response.destroyed || response.writableLength < lowWater) {
        await new Promise((resolve) => setImmediate(resolve))
        return
      }
      await Promise.race([finished, new Promise<void>((resolve) => response.once('drain', resolve))])
    },
    end: () => void response.end(),
    cut: () => void response.destroy(),
  }
}
