import { readFileSync, writeFileSync } from 'node:fs'
import http from 'node:http'
import https from 'node:https'
import type { AddressInfo } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { parse, stringify } from 'yaml'
import { startTestServer } from './kube.ts'
import { tempDir } from './temp-dir.ts'

export interface Asked {
  method: string
  path: string
  query: URLSearchParams
  body: string
}

/** What happens to a request instead of being answered by the real server. */
export type Fault =
  | { is: 'answer'; code: number; headers?: Record<string, string>; body?: unknown }
  /** The connection breaks before an answer. */
  | { is: 'reset' }
  /** No answer, ever: as when the other end has gone without a word. */
  | { is: 'hang' }
  /** The real server does it, and the connection breaks before its answer arrives. */
  | { is: 'lose-answer' }

/**
 * The embedded API server behind a proxy that breaks things on demand: what a real server cannot be asked to do.
 * Everything that is not broken is answered by the real one.
 */
export interface FaultyKube {
  kubeconfig: string
  /** The kubeconfig of the server behind, where nothing breaks. */
  behind: string
  /** All requests, in order. */
  asked: Asked[]
  /** Decides on each request; undefined lets it through. */
  fault: (asked: Asked) => Fault | undefined
  /** Open watches whose path contains `path`. */
  watches(path: string): number
  /** Breaks the connections of open watches. */
  resetWatches(): void
  /** Ends open watches as a server does. */
  endWatches(): void
  /** Lets nothing more through on open watches, without a sign. */
  freezeWatches(): void
  /** Sends a line into open watches whose path contains `path`. */
  inject(path: string, line: string): void
}

interface OpenWatch {
  path: string
  from: http.IncomingMessage
  to: http.ServerResponse
}

export async function startFaultyKube(): Promise<FaultyKube> {
  const real = await startTestServer()
  onTestFinished(() => real.stop())
  const { url, token, agent } = accessOf(real.kubeconfig)
  onTestFinished(() => agent.destroy())
  const watches = new Set<OpenWatch>()
  const asked: Asked[] = []
  const kube: FaultyKube = {
    kubeconfig: '',
    behind: real.kubeconfig,
    asked,
    fault: () => undefined,
    watches: (path) => [...watches].filter((watch) => watch.path.includes(path)).length,
    resetWatches: () => each(watches, ({ to }) => to.socket?.resetAndDestroy()),
    endWatches: () => each(watches, ({ to }) => to.end()),
    freezeWatches: () => each(watches, ({ from }) => from.unpipe()),
    inject: (path, line) => each(watches, (watch) => watch.path.includes(path) && watch.to.write(`${line}\n`)),
  }
  const forward = (one: Asked, request: http.IncomingMessage, response: http.ServerResponse, lose: boolean) => {
    const headers = { ...request.headers, authorization: `Bearer ${token}`, host: url.host }
    const outgoing = https.request(url, { agent, method: one.method, path: request.url, headers })
    outgoing.on('error', () => response.destroy())
    outgoing.on('response', (from) => {
      if (lose) return void from.resume().on('end', () => response.socket?.resetAndDestroy())
      response.writeHead(from.statusCode ?? 0, from.headers)
      response.flushHeaders()
      from.pipe(response)
      from.on('error', () => response.destroy())
      response.on('close', () => from.destroy())
      if (one.query.get('watch') === null) return
      const watch = { path: one.path, from, to: response }
      watches.add(watch)
      response.on('close', () => watches.delete(watch))
    })
    outgoing.end(one.body)
  }
  const server = http.createServer(async (request, response) => {
    const one = await askedOf(request)
    asked.push(one)
    const fault = kube.fault(one)
    if (fault === undefined || fault.is === 'lose-answer') forward(one, request, response, fault !== undefined)
    else if (fault.is === 'answer') answer(response, fault)
    else if (fault.is === 'reset') response.socket?.resetAndDestroy()
  })
  await new Promise<void>((listening) => server.listen(0, '127.0.0.1', listening))
  onTestFinished(() => {
    server.closeAllConnections()
    server.close()
  })
  kube.kubeconfig = writeKubeconfig(`http://127.0.0.1:${(server.address() as AddressInfo).port}`)
  return kube
}

function each(watches: Iterable<OpenWatch>, act: (watch: OpenWatch) => unknown): void {
  for (const watch of [...watches]) act(watch)
}

function answer(response: http.ServerResponse, fault: Extract<Fault, { is: 'answer' }>): void {
  response.writeHead(fault.code, { 'content-type': 'application/json', ...fault.headers })
  response.end(JSON.stringify(fault.body ?? { kind: 'Status', status: 'Failure', code: fault.code, message: 'broken' }))
}

async function askedOf(request: http.IncomingMessage): Promise<Asked> {
  const chunks: Buffer[] = []
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk)
  const url = new URL(request.url ?? '', 'http://proxy')
  const body = Buffer.concat(chunks).toString('utf8')
  return { method: request.method ?? '', path: url.pathname, query: url.searchParams, body }
}

function accessOf(kubeconfig: string): { url: URL; token: string; agent: https.Agent } {
  const config = parse(readFileSync(kubeconfig, 'utf8'))
  const { cluster } = config.clusters[0]
  const ca = Buffer.from(cluster['certificate-authority-data'], 'base64')
  return {
    url: new URL(cluster.server),
    token: config.users[0].user.token,
    agent: new https.Agent({ ca, keepAlive: true }),
  }
}

function writeKubeconfig(server: string): string {
  const path = join(tempDir(), 'kubeconfig')
  const config = {
    apiVersion: 'v1',
    kind: 'Config',
    clusters: [{ name: 'faulty', cluster: { server, 'insecure-skip-tls-verify': true } }],
    users: [{ name: 'someone', user: { token: 'of-no-meaning' } }],
    contexts: [{ name: 'faulty', context: { cluster: 'faulty', user: 'someone' } }],
    'current-context': 'faulty',
  }
  writeFileSync(path, stringify(config))
  return path
}
