import { randomUUID } from 'node:crypto'
import { createServer, type Server } from 'node:https'
import type { AddressInfo, Socket } from 'node:net'
import { isIP } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { codeOf, explain, UserError } from '@kedge/shared/errors'
import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { createHandler } from '@kedge/shared/kubeapi/handler'
import { Registry } from '@kedge/shared/kubeapi/registry'
import { reviewKinds } from '@kedge/shared/kubeapi/reviews'
import { listener } from '@kedge/shared/kubeapi/server'
import { badRequest } from '@kedge/shared/kubeapi/status'
import { WatchHub } from '@kedge/shared/kubeapi/watch'
import type { Log } from '@kedge/shared/log'
import { type Service, stopAll } from '@kedge/shared/service'
import { version } from '@kedge/shared/version'
import { Authority, type ServerNames } from '../identity/authority.ts'
import { keepFile } from '../identity/keep-file.ts'
import { kubeconfigText } from '../identity/kubeconfig.ts'
import { adminToken, authenticator } from './authentication.ts'
import { authorizer } from './authorization.ts'
import { startCompaction } from './compaction.ts'
import { databaseName, openDatabase } from './database.ts'
import { startEventRetention } from './event-retention.ts'
import { LogStore } from './log-store.ts'
import { ensureNamespaces } from './namespaces.ts'

export interface ApiServerOptions {
  /** Where its state lies: the database, the authority, the token. */
  dir: string
  /** Address to listen on: loopback unless others are to reach it. */
  host: string
  /** 0 for any that is free. */
  port: number
  /** Where the administrator's kubeconfig is written. */
  kubeconfig: string
  clock: Clock
  log: Log
  /** For how long replaced states can still be watched from, in milliseconds; 5 minutes unless given. */
  historyMs?: number
}

export interface ApiServer extends Service {
  /** For instance `https://127.0.0.1:6443`. */
  url: string
  port: number
  /** Path of the administrator's kubeconfig. */
  kubeconfig: string
  /** PEM. */
  caCert: string
  /** The administrator's bearer token. */
  token: string
}

const bookmarkMs = 60_000
const renewalMs = 24 * 3600 * 1000

/** Starts the embedded Kubernetes API. Throws a UserError when its port is taken. */
export async function startApiServer(options: ApiServerOptions): Promise<ApiServer> {
  const { dir, host, clock, log } = options
  const started: Service[] = []
  try {
    const authority = await Authority.open(join(dir, 'pki'), clock)
    const token = adminToken(join(dir, 'pki', 'admin.token'))
    const store = openStore(options, started)
    await ensureNamespaces(store, builtIns, clock.now())
    const hub = new WatchHub(store, () => clock.now())
    const server = await openServer(options, { authority, store, hub, token }, started)
    started.push(tendWatches(hub))
    const { port } = server.address() as AddressInfo
    const url = `https://${hostInUrl(host)}:${port}`
    keepFile(options.kubeconfig, kubeconfigText({ server: url, caCert: authority.cert, token }))
    log.info({ url, kubeconfig: options.kubeconfig, revision: store.revision }, 'api server up')
    const stop = () => stopAll(started.splice(0), (error) => log.error({ reason: explain(error) }, 'api server stop'))
    return { url, port, kubeconfig: options.kubeconfig, caCert: authority.cert, token, stop }
  } catch (error) {
    await stopAll(started, (cause) => log.error({ reason: explain(cause) }, 'api server stop'))
    throw error
  }
}

function openStore({ dir, clock, log, historyMs }: ApiServerOptions, started: Service[]): LogStore {
  const store = new LogStore(openDatabase(join(dir, databaseName)), log)
  started.push({ stop: async () => store.close() })
  started.push(startCompaction({ store, clock, log, keepMs: historyMs ?? 300_000, everyMs: 60_000 }))
  started.push(startEventRetention({ store, clock, log, keepMs: 3_600_000, everyMs: 300_000 }))
  return store
}

/** Bookmarks while it runs; the end of all watches when it stops, which lets go of their connections. */
function tendWatches(hub: WatchHub): Service {
  const timer = setInterval(() => hub.bookmark(), bookmarkMs)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      hub.close()
    },
  }
}

interface Parts {
  authority: Authority
  store: LogStore
  hub: WatchHub
  token: string
}

async function openServer(
  { host, port, clock, log }: ApiServerOptions,
  { authority, store, hub, token }: Parts,
  started: Service[],
): Promise<Server> {
  const names = namesOf(host)
  const { pair } = await authority.serverPair(names)
  const handle = createHandler({
    storage: store,
    registry: new Registry([...builtIns, ...reviewKinds], store),
    hub,
    authorize: authorizer(store),
    clock,
    log,
    uid: randomUUID,
    random: Math.random,
    address: () => addressOf(server),
    version: versionDocument,
  })
  const server = createServer(
    { ...pair, ca: authority.cert, requestCert: true, rejectUnauthorized: false, maxHeaderSize: 64 * 1024 },
    listener({ handle, authenticate: authenticator(token) }),
  )
  // Clients keep connections for reuse; one that is closed while they write costs them a request.
  server.keepAliveTimeout = 180_000
  server.on('clientError', refuseMalformed)
  await listen(server, host, port)
  const renewal = setInterval(() => {
    renew(authority, names, server).catch((error: unknown) =>
      log.error({ reason: explain(error) }, 'renew certificate'),
    )
  }, renewalMs)
  renewal.unref()
  started.push({
    async stop() {
      clearInterval(renewal)
      await close(server)
    },
  })
  return server
}

async function renew(authority: Authority, names: ServerNames, server: Server): Promise<void> {
  const { pair, renewed } = await authority.serverPair(names)
  if (renewed) server.setSecureContext({ ...pair, ca: authority.cert })
}

/** Everything that clients may call this server. */
function namesOf(host: string): ServerNames {
  const dns = ['localhost', 'kubernetes', 'kubernetes.default', 'kubernetes.default.svc']
  const ips = ['127.0.0.1', '::1']
  if (isIP(host) === 0) return { dns: [...new Set([...dns, host])], ips }
  return { dns, ips: [...new Set([...ips, host])] }
}

/** An address of all interfaces is reached at home by loopback. */
function hostInUrl(host: string): string {
  if (host === '0.0.0.0' || host === '::') return '127.0.0.1'
  return isIP(host) === 6 ? `[${host}]` : host
}

function addressOf(server: Server): string {
  const address = server.address()
  return typeof address === 'object' && address !== null ? `${hostInUrl(address.address)}:${address.port}` : ''
}

function listen(server: Server, host: string, port: number): Promise<void> {
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
function close(server: Server): Promise<void> {
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

/** Which Kubernetes this behaves as, and what it is. */
const versionDocument = {
  major: '1',
  minor: '32',
  gitVersion: `v1.32.0+kedge.${version}`,
  gitCommit: '',
  gitTreeState: 'clean',
  buildDate: '1970-01-01T00:00:00Z',
  goVersion: '',
  compiler: `node ${process.version}`,
  platform: `${process.platform}/${process.arch}`,
}
