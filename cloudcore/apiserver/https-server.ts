import type { RequestListener } from 'node:http'
import { createServer, type Server } from 'node:https'
import { isIP, type Socket } from 'node:net'
import { codeOf, UserError } from '@kedge/shared/errors'
import { badRequest } from '@kedge/shared/kubeapi/status'
import type { Pair, ServerNames } from '../identity/certificates.ts'

export interface HttpsOptions {
  pair: Pair
  /** PEM: client certificates that it signed are known. */
  authority: string
  listener: RequestListener
}

/** An HTTPS server that asks for client certificates and does without; it does not listen yet. */
export function httpsServer({ pair, authority, listener }: HttpsOptions): Server {
  const client = { ca: authority, requestCert: true, rejectUnauthorized: false }
  const server = createServer({ ...pair, ...client, maxHeaderSize: 64 * 1024 }, listener)
  // Clients keep connections for reuse; one that is closed while they write costs them a request.
  server.keepAliveTimeout = 180_000
  server.on('clientError', refuseMalformed)
  return server
}

/** Everything that clients may call this server. */
export function namesOf(host: string): ServerNames {
  const dns = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
  const ips = ['127.0.0.1', '::1']
  if (isIP(host) === 0) return { dns: [...new Set([...dns, host])], ips }
  return { dns, ips: [...new Set([...ips, host])] }
}

/** An address of all interfaces is reached at home by loopback. */
export function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return isIP(host) === 6 ? `[${host}]` : host
}

/** `host:port` of a server that listens. */
export function addressOf(server: Server): string {
  const address = server.address()
  return typeof address === 'object' && address !== null ? `${hostInUrl(address.address)}:${address.port}` : ''
}

/** Resolves once it listens. Throws a UserError when it cannot. */
export function listen(server: Server, host: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error) => reject(listenError(error, host, port)))
    server.listen(port, host, resolve)
  })
}

function listenError(error: unknown, host: string, port: number): Error {
  const where = `${host}:${port}`
  switch (codeOf(error)) {
    case 'EADDRINUSE':
      return new UserError(
        `the port of the Kubernetes API, ${where}, is in use: stop what listens there, or choose another with --api-port`,
      )
    case 'EACCES':
      return new UserError(
        `the port of the Kubernetes API, ${where}, needs more rights: choose one above 1023 with --api-port`,
      )
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
      return new UserError(`the address of the Kubernetes API, ${host}, is not one of this machine: see --api-host`)
    default:
      return new Error(`listen on ${where}`, { cause: error })
  }
}

/** What is not HTTP gets its `Status` as well, as far as there is somebody to tell. */
function refuseMalformed(error: Error, socket: Socket): void {
  if (!socket.writable || codeOf(error) === 'ECONNRESET') return void socket.destroy()
  const body = JSON.stringify(badRequest(`the request is not valid HTTP: ${error.message}`).status)
  const head = `HTTP/1.1 400 Bad Request\r\ncontent-type: application/json\r\nconnection: close\r\ncontent-length: ${Buffer.byteLength(body)}`
  socket.end(`${head}\r\n\r\n${body}`)
}

/** Clients keep idle connections, and some do not let go of busy ones: after a second nobody is waited for. */
export function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    const sweep = setInterval(() => server.closeIdleConnections(), 20)
    const giveUp = setTimeout(() => server.closeAllConnections(), 1000)
    server.close(() => {
      clearInterval(sweep)
      clearTimeout(giveUp)
      resolve()
    })
  })
}
