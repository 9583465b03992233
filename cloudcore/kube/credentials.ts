import { readFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import { dirname, resolve } from 'node:path'
import { explain, UserError } from '@kedge/shared/errors'
// The file itself: the package's index loads every typed API, 6 MB more in the bundle.
import { KubeConfig } from '@kubernetes/client-node/dist/config.js'
import { parse } from 'yaml'
import * as z from 'zod'

/** Where Kubernetes is and how to show who we are; made by the client library from a kubeconfig or a service account. */
export interface Access {
  server: URL
  agent: http.Agent
  headers: http.OutgoingHttpHeaders
}

export interface Source {
  /** Path of a kubeconfig. */
  kubeconfig?: string
  /** Use the service account of the pod that this runs in. */
  inCluster?: boolean
}

const tlsFields = ['ca', 'cert', 'key', 'pfx', 'passphrase', 'rejectUnauthorized', 'servername'] as const

/**
 * Credentials in their newest form. The library is asked before every request (it knows when a token of an exec plugin
 * or a token file is due); the connections are kept as long as the certificates stay the same.
 */
export class Credentials {
  readonly #source: Source
  #config: KubeConfig
  #agent: { agent: http.Agent; made: string } | undefined

  /** Throws a `UserError` when the configuration cannot be used. */
  constructor(source: Source) {
    this.#source = source
    this.#config = load(source)
  }

  async current(): Promise<Access> {
    const options: https.RequestOptions = {}
    await this.#config.applyToHTTPSOptions(options)
    const cluster = this.#config.getCurrentCluster()
    if (cluster === null) throw new Error('the kubeconfig names no cluster')
    const headers = { ...(options.headers as http.OutgoingHttpHeaders | undefined) }
    // A token in a file may end with its line.
    if (typeof headers.Authorization === 'string') headers.Authorization = headers.Authorization.trim()
    if (options.auth) headers.Authorization = `Basic ${Buffer.from(options.auth).toString('base64')}`
    return { server: new URL(cluster.server), agent: this.#agentFor(cluster, options), headers }
  }

  /** Reads everything again: after a 401, or when the server is not where it was. Keeps what it has when that fails. */
  reload(): void {
    this.#config = load(this.#source)
  }

  close(): void {
    this.#agent?.agent.destroy()
  }

  #agentFor(cluster: { server: string; proxyUrl?: string }, options: https.RequestOptions): http.Agent {
    const given = tlsFields.filter((field) => options[field] !== undefined)
    const tls = Object.fromEntries(given.map((field) => [field, options[field]]))
    const made = JSON.stringify([
      cluster.server,
      cluster.proxyUrl,
      ...given.map((field) => `${field} ${options[field]}`),
    ])
    if (this.#agent?.made === made) return this.#agent.agent
    // What is under way on the old connections breaks off and is tried again with the new certificate.
    this.#agent?.agent.destroy()
    this.#agent = { agent: cluster.proxyUrl ? keepingAlive(options.agent) : plainAgent(cluster.server, tls), made }
    return this.#agent.agent
  }
}

/** As many connections are kept as cloudcore has writes on their way at once: a new one costs a TLS handshake. */
const agentOptions: http.AgentOptions = { keepAlive: true, keepAliveMsecs: 15_000, maxSockets: 256, maxFreeSockets: 48 }

function plainAgent(server: string, tls: https.AgentOptions): http.Agent {
  return server.startsWith('http:') ? new http.Agent(agentOptions) : new https.Agent({ ...agentOptions, ...tls })
}

/** The library's own agent, which knows the proxy, made to keep its connections. */
function keepingAlive(agent: https.RequestOptions['agent']): http.Agent {
  if (!(agent instanceof http.Agent)) throw new Error('the client library gave no agent for the proxy')
  return Object.assign(agent, { keepAlive: true })
}

function load(source: Source): KubeConfig {
  const config = new KubeConfig()
  if (source.kubeconfig !== undefined) loadFile(config, source.kubeconfig)
  else if (source.inCluster) loadInCluster(config)
  else throw new UserError('no way to Kubernetes is configured: give a kubeconfig, or use the in-cluster configuration')
  return config
}

function loadFile(config: KubeConfig, path: string): void {
  try {
    config.loadFromFile(path)
    config.users = withTokenFiles(config.users, path)
  } catch (cause) {
    throw new UserError(`kubeconfig ${path} cannot be read: ${explain(cause)}`, { cause })
  }
  const cluster = config.getCurrentCluster()
  const server = cluster?.server
  if (!server) throw new UserError(`kubeconfig ${path}: current-context names no context with a cluster and a server`)
  if (!URL.canParse(server)) throw new UserError(`kubeconfig ${path}: server "${server}" is not a URL`)
  if (server.startsWith('http:') && !cluster?.skipTLSVerify)
    throw new UserError(
      `kubeconfig ${path}: server "${server}" is not HTTPS: add insecure-skip-tls-verify: true to allow it`,
    )
}

const TokenFiles = z.object({
  users: z
    .array(z.object({ name: z.string(), user: z.object({ tokenFile: z.string().optional() }).nullish() }))
    .nullish(),
})

/** The library passes over `tokenFile`, which goes before `token`; its own way to read one is that of a pod. */
function withTokenFiles(users: KubeConfig['users'], path: string): KubeConfig['users'] {
  const given = TokenFiles.parse(parse(readFileSync(path, 'utf8'))).users ?? []
  const files = new Map(given.map(({ name, user }) => [name, user?.tokenFile]))
  return users.map((user) => {
    const file = files.get(user.name)
    if (!file) return user
    const config = { tokenFile: resolve(dirname(path), file) }
    return { ...user, token: undefined, authProvider: { name: 'tokenFile', config } }
  })
}

function loadInCluster(config: KubeConfig): void {
  if (!process.env.KUBERNETES_SERVICE_HOST)
    throw new UserError('in-cluster configuration: KUBERNETES_SERVICE_HOST is not set, so this is not a pod')
  config.loadFromCluster()
}
