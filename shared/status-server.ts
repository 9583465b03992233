import { createServer, type ServerResponse } from 'node:http'
import { codeOf, UserError } from './errors.ts'
import type { Service } from './service.ts'

export interface StatusServerOptions {
  host: string
  /** 0 takes a free one. */
  port: number
  /** Empty when the program can do its work, otherwise what it is waiting for. */
  notReady: () => string[]
  /** The metrics in Prometheus' text format. */
  metrics: () => Promise<string>
  /**
   * What else is served, as JSON; undefined for a path that is none of it. `local` when the request comes from this
   * machine, or through `kubectl port-forward`: nobody is asked who they are.
   */
  pages?: (path: string, local: boolean) => unknown
}

/**
 * Serves `/metrics`, `/healthz` (the process answers) and `/readyz` (it can do its work), in the way that Kubernetes'
 * probes and Prometheus expect.
 */
export function openStatusServer({
  host,
  port,
  notReady,
  metrics,
  pages,
}: StatusServerOptions): Promise<Service & { port: number }> {
  const server = createServer((request, response) => {
    const path = new URL(request.url ?? '/', 'http://localhost').pathname
    if (request.method !== 'GET' && request.method !== 'HEAD') return answer(response, 405, 'only GET is served\n')
    if (path === '/healthz' || path === '/livez') return answer(response, 200, 'ok\n')
    if (path === '/readyz') {
      const waiting = notReady()
      return answer(
        response,
        waiting.length === 0 ? 200 : 503,
        waiting.length === 0 ? 'ok\n' : `${waiting.join('\n')}\n`,
      )
    }
    if (path !== '/metrics') return page(response, pages?.(path, isLoopback(request.socket.remoteAddress ?? '')))
    metrics().then(
      (text) => answer(response, 200, text),
      () => answer(response, 500, 'metrics could not be read\n'),
    )
  })
  return new Promise((resolve, reject) => {
    server.once('error', (cause) => {
      const taken = codeOf(cause) === 'EADDRINUSE'
      const choose = 'choose another with --metrics-address, or switch it off with --metrics-address off'
      reject(taken ? new UserError(`port ${port} on ${host} is in use: ${choose}`) : cause)
    })
    server.listen(port, host, () => {
      const address = server.address()
      resolve({
        port: typeof address === 'object' && address !== null ? address.port : port,
        stop: () =>
          new Promise<void>((stopped) => {
            server.close(() => stopped())
            server.closeAllConnections()
          }),
      })
    })
  })
}

function page(response: ServerResponse, content: unknown): void {
  if (content === undefined)
    return answer(response, 404, 'there is no such page; there are /metrics, /healthz and /readyz\n')
  response.writeHead(200, { 'content-type': 'application/json' })
  response.end(`${JSON.stringify(content)}\n`)
}

function answer(response: ServerResponse, code: number, text: string): void {
  response.writeHead(code, { 'content-type': 'text/plain; version=0.0.4; charset=utf-8' })
  response.end(text)
}

function isLoopback(address: string): boolean {
  return address === '::1' || /^(::ffff:)?127\./.test(address)
}
