import { readFileSync } from 'node:fs'
import { request } from 'node:https'
import { dirname, resolve } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import { parse } from 'yaml'
import * as z from 'zod'

const Kubeconfig = z.object({
  'current-context': z.string(),
  contexts: z.array(z.object({ name: z.string(), context: z.object({ cluster: z.string(), user: z.string() }) })),
  clusters: z.array(
    z.object({
      name: z.string(),
      cluster: z.object({
        server: z.url(),
        'certificate-authority-data': z.string().optional(),
        'certificate-authority': z.string().optional(),
      }),
    }),
  ),
  users: z.array(
    z.object({
      name: z.string(),
      user: z.object({
        token: z.string().optional(),
        'client-certificate-data': z.string().optional(),
        'client-key-data': z.string().optional(),
      }),
    }),
  ),
})

/** A way to a Kubernetes API: where it is, and how to show who we are. */
export interface KubeAccess {
  server: string
  ca?: string | Buffer
  cert?: Buffer
  key?: Buffer
  token?: string
}

/** Reads the current context of a kubeconfig. Throws where a part of it is missing. */
export function readKubeconfig(path: string): KubeAccess {
  return parseKubeconfig(readFileSync(path, 'utf8'), path)
}

/** The same of a text; `path` is where it comes from. */
export function parseKubeconfig(text: string, path = 'kubeconfig'): KubeAccess {
  const config = Kubeconfig.parse(parse(text))
  const context = config.contexts.find(({ name }) => name === config['current-context'])?.context
  const cluster = config.clusters.find(({ name }) => name === context?.cluster)?.cluster
  const user = config.users.find(({ name }) => name === context?.user)?.user
  if (cluster === undefined || user === undefined) throw new UserError(`${path}: its current context is not complete`)
  const caFile = cluster['certificate-authority']
  return {
    server: cluster.server,
    ca: decoded(cluster['certificate-authority-data']) ?? (caFile && readFileSync(resolve(dirname(path), caFile))),
    cert: decoded(user['client-certificate-data']),
    key: decoded(user['client-key-data']),
    token: user.token,
  }
}

function decoded(base64: string | undefined): Buffer | undefined {
  return base64 === undefined ? undefined : Buffer.from(base64, 'base64')
}

export interface Answer {
  status: number
  /** Parsed where it is JSON, else the text. */
  body: unknown
}

/** One request to the API, within ten seconds. */
export function ask(access: KubeAccess, method: string, path: string, body?: unknown): Promise<Answer> {
  const { server, token, ca, cert, key } = access
  const payload = body === undefined ? undefined : JSON.stringify(body)
  const headers = {
    accept: 'application/json',
    ...(token !== undefined && { authorization: `Bearer ${token}` }),
    ...(payload !== undefined && { 'content-type': typeOf(method), 'content-length': Buffer.byteLength(payload) }),
  }
  return new Promise((done, failed) => {
    const options = { method, headers, ca, cert, key, agent: false, signal: AbortSignal.timeout(10_000) }
    const sent = request(new URL(path, server), options, (response) => {
      const chunks: Buffer[] = []
      response.on('data', (chunk: Buffer) => chunks.push(chunk))
      response.on('error', failed)
      response.on('end', () => done({ status: response.statusCode ?? 0, body: read(Buffer.concat(chunks).toString()) }))
    })
    sent.on('error', (cause) => failed(new Error(`${method} ${path} of ${server}`, { cause })))
    sent.end(payload)
  })
}

/** A patch is one of server-side apply. */
function typeOf(method: string): string {
  return method === 'PATCH' ? 'application/apply-patch+yaml' : 'application/json'
}

function read(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return text
  }
}
