import http from 'node:http'
import https from 'node:https'
import type { Access } from './credentials.ts'

export interface Exchange {
  method: string
  /** Path with query. */
  path: string
  body?: string
  contentType?: string
  signal?: AbortSignal
  /** Milliseconds until the answer's head must be there. */
  timeout: number
}

/** No answer in time: the connection, and others to the same server, may be dead without a sign. */
export class TimeoutError extends Error {
  override name = 'TimeoutError'
}

/**
 * Sends one request and resolves with the answer's head; the body is still to be read. Rejects on trouble with the
 * connection, on `signal`, and with a `TimeoutError`.
 */
export function send(access: Access, exchange: Exchange): Promise<http.IncomingMessage> {
  const { method, path, body, contentType, signal, timeout } = exchange
  const { server, agent, headers } = access
  const request = (server.protocol === 'http:' ? http : https).request({
    method,
    host: server.hostname.replace(/^\[|\]$/g, ''),
    port: server.port || undefined,
    path: server.pathname.replace(/\/$/, '') + path,
    agent,
    signal,
    headers: {
      ...headers,
      Accept: 'application/json',
      'User-Agent': 'kedge-cloudcore',
      ...bodyHeaders(body, contentType),
    },
  })
  return new Promise((resolve, reject) => {
    const timer = setTimeout(
      () => request.destroy(new TimeoutError(`no answer from ${server.host} in ${timeout} ms`)),
      timeout,
    )
    request.on('response', (response) => {
      clearTimeout(timer)
      resolve(response)
    })
    request.on('error', (error) => {
      clearTimeout(timer)
      reject(error)
    })
    request.end(body)
  })
}

function bodyHeaders(body: string | undefined, contentType = 'application/json'): http.OutgoingHttpHeaders {
  return body === undefined ? {} : { 'Content-Type': contentType, 'Content-Length': Buffer.byteLength(body) }
}

/** The whole body, no two pieces of which may be more than `timeout` milliseconds apart. */
export async function readBody(response: http.IncomingMessage, timeout: number): Promise<string> {
  const timer = setTimeout(() => response.destroy(new TimeoutError(`the answer stopped for ${timeout} ms`)), timeout)
  const chunks: Buffer[] = []
  try {
    for await (const chunk of response) {
      timer.refresh()
      chunks.push(chunk as Buffer)
    }
    return Buffer.concat(chunks).toString('utf8')
  } finally {
    clearTimeout(timer)
  }
}
