import { randomUUID } from 'node:crypto'
import type { Server } from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { startEmptying } from '@kedge/shared/kubeapi/emptying'
import { createHandler } from '@kedge/shared/kubeapi/handler'
import { Registry } from '@kedge/shared/kubeapi/registry'
import { reviewKinds } from '@kedge/shared/kubeapi/reviews'
import { listener } from '@kedge/shared/kubeapi/server'
import { WatchHub } from '@kedge/shared/kubeapi/watch'
import type { Log } from '@kedge/shared/log'
import { type Service, stopAll } from '@kedge/shared/service'
import { version } from '@kedge/shared/version'
import { Authority } from '../identity/authority.ts'
import type { ServerNames } from '../identity/certificates.ts'
import { keepFile } from '../identity/keep-file.ts'
import { kubeconfigText } from '../identity/kubeconfig.ts'
import { caKeyName, sealingKey } from '../identity/sealed-key.ts'
import { adminToken, authenticator, tokenFile } from './authentication.ts'
import { authorizer } from './authorization.ts'
import { startCompaction } from './compaction.ts'
import { databaseName, openDatabase } from './database.ts'
import { startEventRetention } from './event-retention.ts'
import { addressOf, close, hostInUrl, httpsServer, listen, namesOf } from './https-server.ts'
import { LogStore } from './log-store.ts'
import { ensureNamespaces } from './namespaces.ts'
import { finishRestore } from './restore.ts'

export interface ApiServerOptions {
  /** Where its state lies: the database, the authority, the token. */
  dir: string
  /** Address to listen on: loopback unless others are to reach it. */
  host: string
  /** 0 for any that is free. */
  port: number
  /** Where the administrator's kubeconfig is written. */
  kubeconfig: string
  /** What the key of its authority is sealed with; a file of its own in `dir` unless given. Made when there is none. */
  caKeyFile?: string | undefined
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
    finishRestore(dir)
    const authority = await Authority.open(
      join(dir, 'pki'),
      clock,
      sealingKey(options.caKeyFile ?? join(dir, 'pki', caKeyName)),
    )
    const token = adminToken(join(dir, 'pki', tokenFile))
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
  const registry = new Registry([...builtIns, ...reviewKinds], store)
  started.push(startEmptying({ storage: store, registry, clock, log }))
  const handle = createHandler({
    storage: store,
    registry,
    hub,
    authorize: authorizer(store),
    clock,
    log,
    uid: randomUUID,
    random: Math.random,
    address: () => addressOf(server),
    version: versionDocument,
  })
  const server: Server = httpsServer({
    pair,
    authority: authority.cert,
    listener: listener({ handle, authenticate: authenticator(token) }),
  })
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
