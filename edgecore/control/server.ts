import { chmodSync, rmSync } from 'node:fs'
import type { IncomingMessage, ServerResponse } from 'node:http'
import { deviceTopic, parseDeviceTopic } from '@kedge/shared/device-topics'
import { codeOf, explain } from '@kedge/shared/errors'
import { readBody } from '@kedge/shared/http-body'
import { httpOnDemand } from '@kedge/shared/http-on-demand'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { Devices } from '../devices/host.ts'
import type { NodeCondition } from '../reports/node-conditions.ts'
import { type PodRoutes, servePods } from './pod-routes.ts'

export interface ControlOptions {
  /** Of a Unix socket. */
  path: string
  devices: Pick<Devices, 'ask' | 'discovered' | 'listen' | 'methods'>
  /** Without it nothing is answered about pods. */
  pods?: PodRoutes
  /** How this edgecore stands, for `edgecore doctor`; without it nothing is answered. */
  standing?: () => Standing
  log: Log
}

/** How an edgecore that runs stands. */
export interface Standing {
  version: string
  node: string
  /** Undefined for a node that runs alone. */
  link?: { url: string; up: boolean; inSync: boolean }
  conditions: readonly NodeCondition[]
}

/** The largest request, in bytes: a device with all its properties. */
const maxBytes = 8 * 1024 * 1024
/** Bytes that a watcher may leave unread before it is cut off. */
const maxUnread = 1024 * 1024

/**
 * The way for commands on this node (`edgecore twin …`) into the edgecore that runs: HTTP over a Unix socket that only
 * its user may open. `POST /twins/<namespace>/<name>/update` and `…/get` take and answer what the topics of that device
 * take and answer; `GET /methods/<namespace>/<name>` lists the methods of that device; `GET
 * /discovered?namespace=…` has manifests for the devices that are announced on the local broker; `GET /documents` streams a line of JSON for every change of a twin,
 * `{device, document}`; `GET /standing` is a `Standing`. What concerns pods is in `pod-routes.ts`.
 */
export async function openControl(options: ControlOptions): Promise<Service> {
  const { path, log } = options
  const server = httpOnDemand((request, response) => {
    serve(options, request, response).catch((error: unknown) => {
      log.error({ url: request.url, reason: explain(error) }, 'control request failed')
      answer(response, 500, { code: 500, reason: explain(error) })
    })
  })
  removeOld(path)
  const open = await new Promise<boolean>((resolve) => {
    server.listener.once('error', (error) => {
      // Everything but these commands works without.
      log.error({ path, code: codeOf(error), reason: explain(error) }, 'control socket not opened')
      resolve(false)
    })
    server.listener.listen(path, () => resolve(true))
  })
  if (open) chmodSync(path, 0o600)
  return server
}

/** Only one edgecore runs with a data folder: what lies there is left from one that was killed. */
function removeOld(path: string): void {
  try {
    rmSync(path, { force: true })
  } catch {
    // On a disk that takes no write: to listen there will not go either, and says why.
  }
}

async function serve(options: ControlOptions, request: IncomingMessage, response: ServerResponse): Promise<void> {
  const url = new URL(request.url ?? '', 'http://edgecore')
  const { pathname, searchParams } = url
  if (options.pods && (await servePods({ pods: options.pods, request, response, url }))) return
  if (request.method === 'GET' && pathname === '/standing' && options.standing) {
    return answer(response, 200, options.standing())
  }
  if (request.method === 'GET' && pathname === '/documents') return documents(options, response)
  if (request.method === 'GET' && pathname === '/discovered') {
    return answer(response, 200, { proposals: options.devices.discovered(searchParams.get('namespace') || 'default') })
  }
  const [, ...device] = /^\/methods\/([^/]+)\/([^/]+)$/.exec(pathname) ?? []
  if (request.method === 'GET' && device.length > 0) return methods(options, response, device.map(decodeURIComponent))
  const [, namespace, name, action] = /^\/twins\/([^/]+)\/([^/]+)\/(update|get)$/.exec(pathname) ?? []
  if (request.method !== 'POST' || namespace === undefined || name === undefined) {
    return answer(response, 404, { code: 404, reason: `there is no ${request.method} ${pathname}` })
  }
  const body = await readBody(request, maxBytes)
  if (body === undefined) return answer(response, 413, { code: 413, reason: `more than ${maxBytes} bytes` })
  const named = { namespace: decodeURIComponent(namespace), name: decodeURIComponent(name) }
  const topic = deviceTopic(named, action === 'get' ? 'twin/get' : 'twin/update')
  const result = JSON.parse(await options.devices.ask(topic, body)) as { code?: number }
  answer(response, result.code ?? 200, result)
}

function methods({ devices }: ControlOptions, response: ServerResponse, device: readonly string[]): void {
  const id = device.join('/')
  const found = devices.methods(id)
  if (found === undefined) return answer(response, 404, { code: 404, reason: `there is no device ${id} on this node` })
  answer(response, 200, { methods: found })
}

function documents({ devices }: ControlOptions, response: ServerResponse): void {
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  response.flushHeaders()
  const end = devices.listen(({ topic, payload }) => {
    const parsed = parseDeviceTopic(topic)
    // Each change is told on every form of the device's name: the one with the namespace is enough.
    if (parsed?.of !== 'device' || parsed.action !== 'twin/update/document' || parsed.namespace === undefined) return
    response.write(`{"device":${JSON.stringify(`${parsed.namespace}/${parsed.name}`)},"document":${payload}}\n`)
    if (response.writableLength > maxUnread) response.destroy()
  })
  response.once('close', end)
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  if (response.headersSent) return void response.destroy()
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
