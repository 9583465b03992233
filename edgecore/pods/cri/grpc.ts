import {
  type ClientHttp2Session,
  type ClientHttp2Stream,
  connect,
  constants,
  type IncomingHttpHeaders,
} from 'node:http2'
import { connect as connectSocket } from 'node:net'
import { explain } from '@kedge/shared/errors'
import { frame, Unframer } from './grpc-frames.ts'
import type { Message } from './protobuf.ts'

/**
 * A gRPC client over a Unix socket, on Node's own HTTP/2: the frame of gRPC's protocol over HTTP/2
 * (github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md) is five bytes before each message. A library for more than
 * this costs 8 to 17 MB of memory.
 *
 * Invariants:
 * - Every call ends: by its answer, by its deadline, or with its connection.
 * - A connection that is lost is made anew by the next call, at the path that the engine has by then.
 */

/** Codes of gRPC that something here depends on. */
export const codes = { deadlineExceeded: 4, notFound: 5, alreadyExists: 6, unimplemented: 12, unavailable: 14 } as const

export class GrpcError extends Error {
  override readonly name = 'GrpcError'
  readonly code: number

  constructor(code: number, message: string, options?: ErrorOptions) {
    super(message, options)
    this.code = code
  }
}

export interface Method<I, O> {
  /** `/runtime.v1.RuntimeService/Version` */
  path: string
  request: Message<unknown, I>
  response: Message<O, unknown>
}

export class GrpcChannel {
  /** Where to connect; throws when there is nothing to connect to. */
  readonly #path: () => string
  #session: ClientHttp2Session | undefined
  #closed = false

  constructor(path: () => string) {
    this.#path = path
  }

  /** Calls and waits for the answer. Rejects with a `GrpcError`. */
  call<I, O>({ path, request, response }: Method<I, O>, input: I, deadlineMs: number): Promise<O> {
    return new Promise((resolve, reject) => {
      let answer: O | undefined
      const stream = this.#open(path, deadlineMs, {
        message: (buffer) => {
          answer = response.decode(buffer)
        },
        end: (error) => {
          if (error !== undefined) reject(error)
          else if (answer === undefined) reject(new GrpcError(codes.unavailable, `${path}: there is no answer`))
          else resolve(answer)
        },
      })
      stream?.end(frame(request.encode(input)))
    })
  }

  /** Calls and hands over each message of the answer, until `end` is called, once. Returns what ends it early. */
  stream<I, O>({ path, request, response }: Method<I, O>, input: I, on: StreamEvents<O>): () => void {
    const stream = this.#open(path, undefined, {
      message: (buffer) => on.message(response.decode(buffer)),
      end: on.end,
    })
    stream?.end(frame(request.encode(input)))
    return () => stream?.close(constants.NGHTTP2_CANCEL)
  }

  /** Ends every call under way; there can be no others after it. */
  close(): void {
    this.#closed = true
    this.#session?.destroy()
    this.#session = undefined
  }

  #open(path: string, deadlineMs: number | undefined, on: StreamEvents<Buffer>): ClientHttp2Stream | undefined {
    try {
      const stream = this.#connected().request({
        ':method': 'POST',
        ':path': path,
        'content-type': 'application/grpc',
        te: 'trailers',
        ...(deadlineMs !== undefined && { 'grpc-timeout': `${Math.ceil(deadlineMs)}m` }),
      })
      follow(stream, { path, deadlineMs, on })
      return stream
    } catch (cause) {
      // With its cause: that may have a name by which others know it.
      on.end(new GrpcError(codes.unavailable, explain(cause), { cause }))
      return undefined
    }
  }

  #connected(): ClientHttp2Session {
    if (this.#closed) throw new Error('the connection was closed')
    if (this.#session !== undefined && !this.#session.closed && !this.#session.destroyed) return this.#session
    const path = this.#path()
    const session = connect('http://localhost', { createConnection: () => connectSocket(path) })
    const forget = () => {
      if (this.#session === session) this.#session = undefined
    }
    // Each call under way hears of it itself.
    session.on('error', forget)
    session.on('close', forget)
    session.on('goaway', forget)
    this.#session = session
    return session
  }
}

export interface StreamEvents<T> {
  message(message: T): void
  /** Without an error, the other side ended it in good order. */
  end(error?: GrpcError): void
}

interface Following {
  path: string
  deadlineMs: number | undefined
  on: StreamEvents<Buffer>
}

function follow(stream: ClientHttp2Stream, { path, deadlineMs, on }: Following): void {
  let status: IncomingHttpHeaders = {}
  let over = false
  let failure: GrpcError | undefined
  const unframe = new Unframer(on.message)
  let timer: NodeJS.Timeout | undefined
  const finish = (error?: GrpcError) => {
    if (over) return
    over = true
    clearTimeout(timer)
    on.end(error)
  }
  const fail = (code: number, message: string) => {
    failure ??= new GrpcError(code, message)
    stream.close(constants.NGHTTP2_CANCEL)
    finish(failure)
  }
  if (deadlineMs !== undefined) {
    const late = () => fail(codes.deadlineExceeded, `${path}: no answer within ${Math.ceil(deadlineMs / 1000)} s`)
    timer = setTimeout(late, deadlineMs).unref()
  }
  stream.on('response', (headers) => {
    if (headers[':status'] !== 200) fail(codes.unavailable, `${path}: HTTP status ${headers[':status']}`)
    // An answer without a body has its status here.
    if (headers['grpc-status'] !== undefined) status = headers
  })
  stream.on('trailers', (trailers) => {
    status = trailers
  })
  stream.on('data', (chunk: Buffer) => {
    if (over) return
    try {
      unframe.take(chunk)
    } catch (error) {
      fail(codes.unavailable, `${path}: ${explain(error)}`)
    }
  })
  stream.on('error', (error) => finish(failure ?? new GrpcError(codes.unavailable, reasonOf(error))))
  stream.on('close', () => finish(failure ?? errorOf(status, path)))
}

/** Node says of a call whose connection failed that it was cancelled; the cause says why. */
function reasonOf(error: Error): string {
  return error.cause instanceof Error ? explain(error.cause) : error.message
}

function errorOf(headers: IncomingHttpHeaders, path: string): GrpcError | undefined {
  const status = headers['grpc-status']
  if (status === '0') return undefined
  if (status === undefined) return new GrpcError(codes.unavailable, `${path}: the connection was lost`)
  return new GrpcError(Number(status), messageOf(headers['grpc-message']) ?? `${path}: gRPC status ${status}`)
}

function messageOf(header: string | string[] | undefined): string | undefined {
  const text = Array.isArray(header) ? header.join(', ') : header
  if (!text) return undefined
  try {
    return decodeURIComponent(text)
  } catch {
    return text
  }
}
