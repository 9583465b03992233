import { randomUUID } from 'node:crypto'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import type { IncomingHttpHeaders, IncomingMessage } from 'node:http'
import { Agent, request as httpsRequest } from 'node:https'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { startApiServer } from '@kedge/cloudcore/apiserver/apiserver'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { parse } from 'yaml'

/** Any JSON that the API sends; tests say what they expect of it. */
// biome-ignore lint/suspicious/noExplicitAny: assertions reach deep into answers whose form is what they check
export type Body = any

export interface Reply {
  code: number
  headers: IncomingHttpHeaders
  text: string
  /** The parsed text; undefined when it is not JSON. */
  body: Body
}

export interface Call {
  method?: string
  path: string
  /** Sent as JSON, unless it is text or bytes already. */
  body?: unknown
  /** application/json unless given. */
  type?: string
  accept?: string
  headers?: Record<string, string>
}

export interface Event {
  type: string
  object: Body
}

/** Raw HTTPS to a Kubernetes API: nothing between the test and what goes over the wire. */
export interface Kube {
  url: string
  kubeconfig: string
  /** The server is ours, and in this process. */
  embedded: boolean
  call(call: Call): Promise<Reply>
  get(path: string): Promise<Reply>
  create(path: string, body: unknown): Promise<Reply>
  watch(path: string): Promise<Watch>
  close(): Promise<void>
}

export interface Watch {
  code: number
  /** The next event; undefined when the stream has ended. */
  next(): Promise<Event | undefined>
  /** Everything up to the end of the stream. */
  rest(): Promise<Event[]>
  close(): void
}

/** The API under test: that of KEDGE_TEST_KUBECONFIG, otherwise an embedded server of its own. */
export async function openKube(): Promise<Kube> {
  const given = process.env.KEDGE_TEST_KUBECONFIG
  if (given !== undefined && given !== '') return connect(given, { embedded: false, stop: async () => {} })
  const server = await startTestServer()
  return connect(server.kubeconfig, { embedded: true, stop: server.stop })
}

export interface TestServer {
  dir: string
  kubeconfig: string
  port: number
  stop: () => Promise<void>
}

/** An embedded server in a folder of its own, gone after `stop`; or in `dir`, which stays. */
export async function startTestServer({
  dir,
  historyMs,
}: {
  dir?: string
  historyMs?: number
} = {}): Promise<TestServer> {
  const folder = dir ?? mkdtempSync(join(tmpdir(), 'kedge-api-'))
  const server = await startApiServer({
    dir: folder,
    host: '127.0.0.1',
    port: 0,
    kubeconfig: join(folder, 'kubeconfig'),
    clock: systemClock,
    log: silentLog,
    ...(historyMs === undefined ? {} : { historyMs }),
  })
  return {
    dir: folder,
    kubeconfig: server.kubeconfig,
    port: server.port,
    async stop() {
      await server.stop()
      if (dir === undefined) rmSync(folder, { recursive: true, force: true })
    },
  }
}

export function connect(
  kubeconfig: string,
  { embedded, stop }: { embedded: boolean; stop: () => Promise<void> },
): Kube {
  const { server, headers, agent } = readKubeconfig(kubeconfig)
  const send = (call: Call): Promise<IncomingMessage> =>
    new Promise((resolve, reject) => {
      const payload = encode(call.body)
      const outgoing = httpsRequest(`${server}${call.path}`, {
        method: call.method ?? 'GET',
        agent,
        headers: {
          ...headers,
          accept: call.accept ?? 'application/json',
          ...(payload === undefined
            ? {}
            : { 'content-type': call.type ?? 'application/json', 'content-length': payload.length }),
          ...call.headers,
        },
      })
      outgoing.on('error', reject)
      outgoing.on('response', resolve)
      outgoing.end(payload)
    })
  const call = async (one: Call): Promise<Reply> => {
    const message = await send(one)
    const chunks: Buffer[] = []
    for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk)
    const text = Buffer.concat(chunks).toString('utf8')
    return { code: message.statusCode ?? 0, headers: message.headers, text, body: json(text) }
  }
  return {
    url: server,
    kubeconfig,
    embedded,
    call,
    get: (path) => call({ path }),
    create: (path, body) => call({ method: 'POST', path, body }),
    watch: async (path) => watchOf(await send({ path })),
    async close() {
      agent.destroy()
      await stop()
    },
  }
}

function readKubeconfig(path: string) {
  const config = parse(readFileSync(path, 'utf8'))
  const context = config.contexts.find(({ name }: { name: string }) => name === config['current-context']).context
  const { cluster } = config.clusters.find(({ name }: { name: string }) => name === context.cluster)
  const { user } = config.users.find(({ name }: { name: string }) => name === context.user)
  const bytes = (of: Record<string, string>, field: string) => {
    const data = of[`${field}-data`]
    if (data !== undefined) return Buffer.from(data, 'base64')
    return of[field] === undefined ? undefined : readFileSync(of[field])
  }
  const agent = new Agent({
    keepAlive: true,
    ca: bytes(cluster, 'certificate-authority'),
    cert: bytes(user, 'client-certificate'),
    key: bytes(user, 'client-key'),
  })
  const headers: Record<string, string> = user.token === undefined ? {} : { authorization: `Bearer ${user.token}` }
  return { server: String(cluster.server).replace(/\/$/, ''), headers, agent }
}

function encode(body: unknown): Buffer | undefined {
  if (body === undefined) return undefined
  if (Buffer.isBuffer(body)) return body
  return Buffer.from(typeof body === 'string' ? body : JSON.stringify(body))
}

function json(text: string): Body {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

function watchOf(message: IncomingMessage): Watch {
  const lines = linesOf(message)
  const next = async () => {
    const { value, done } = await lines.next()
    return done ? undefined : (JSON.parse(value) as Event)
  }
  return {
    code: message.statusCode ?? 0,
    next,
    async rest() {
      const events: Event[] = []
      for (let event = await next(); event !== undefined; event = await next()) events.push(event)
      return events
    },
    close: () => message.destroy(),
  }
}

async function* linesOf(message: IncomingMessage): AsyncGenerator<string, void> {
  let rest = ''
  message.setEncoding('utf8')
  try {
    for await (const chunk of message as AsyncIterable<string>) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      yield* lines
    }
  } catch {
    // Closed by the test, or cut by the server: either way the end of the stream.
  }
}

/** The minor version of the Kubernetes that answers: 25 for v1.25.3. */
export async function minorOf(kube: Kube): Promise<number> {
  const { gitVersion } = (await kube.get('/version')).body
  const minor = /^v1\.(\d+)\./.exec(gitVersion)?.[1]
  if (minor === undefined) throw new Error(`the cluster has no version that is known: ${gitVersion}`)
  return Number(minor)
}

/** Skips the test on a cluster that is older than `v1.<minor>`: `what` came with that version. */
export async function since({ kube, minor, what, skip }: Since): Promise<void> {
  const found = await minorOf(kube)
  if (found < minor) skip(`${what}: since v1.${minor}, and this is v1.${found}`)
}

interface Since {
  kube: Kube
  minor: number
  what: string
  skip: (note: string) => never
}

/** A name that no other run uses: the suite may share a cluster. */
export function uniqueName(prefix: string): string {
  return `${prefix}-${randomUUID().slice(0, 8)}`
}

const namespacedCollections = [
  '/api/v1/%/pods',
  '/api/v1/%/configmaps',
  '/api/v1/%/secrets',
  '/api/v1/%/events',
  '/api/v1/%/serviceaccounts',
  '/apis/coordination.k8s.io/v1/%/leases',
  // Where their definitions were there before.
  '/apis/devices.kubeedge.io/v1beta1/%/devices',
  '/apis/devices.kubeedge.io/v1beta1/%/devicemodels',
]

/** Makes a namespace for one suite, and takes it away, also where no controller does that. */
export async function makeNamespace(kube: Kube): Promise<{ name: string; remove: () => Promise<void> }> {
  const name = uniqueName('kedge-test')
  const reply = await kube.create('/api/v1/namespaces', { metadata: { name } })
  if (reply.code !== 201) throw new Error(`create the namespace: ${reply.text}`)
  // Where pods need one and no controller makes it.
  await kube.create(`/api/v1/namespaces/${name}/serviceaccounts`, { metadata: { name: 'default' } })
  return { name, remove: () => removeNamespace(kube, name) }
}

/** Takes a namespace away, also where no controller does that. It goes first: in one that is on its way out nobody makes anything again. */
export async function removeNamespace(kube: Kube, name: string): Promise<void> {
  const path = `/api/v1/namespaces/${name}`
  await kube.call({ method: 'DELETE', path })
  const now = { gracePeriodSeconds: 0 }
  for (const collection of namespacedCollections) {
    await kube.call({ method: 'DELETE', path: collection.replace('%', `namespaces/${name}`), body: now })
  }
  const left = await kube.get(path)
  if (left.code === 404) return
  const spec = { ...left.body.spec, finalizers: [] }
  await kube.call({ method: 'PUT', path: `${path}/finalize`, body: { ...left.body, spec } })
}
