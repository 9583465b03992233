import type { IncomingMessage, ServerResponse } from 'node:http'
import { explain } from '@kedge/shared/errors'
import { readBody } from '@kedge/shared/http-body'
import * as z from 'zod'
import type { DrillEvent, DrillWish } from '../node/drill.ts'
import type { LogLine } from '../node/log-line.ts'
import type { PodControl } from '../node/pod-control.ts'
import type { Found } from '../node/pod-target.ts'
import type { PodName } from '../pods/runtime.ts'

const Exec = z.object({ container: z.string().optional(), command: z.array(z.string()).min(1) })
const Stream = Exec.extend({ stdin: z.boolean().default(false), tty: z.boolean().default(false) })
const Restart = z.object({ container: z.string().optional() })
const Drill = z.object({ dryRun: z.boolean().default(false), timeoutMs: z.number().positive().default(120_000) })
const number = z.coerce.number().nonnegative()
const truth = z.literal('true').transform(() => true)
const Logs = z.object({
  container: z.string().optional(),
  tail: number.int().optional(),
  since: number.optional(),
  previous: truth.optional(),
  follow: truth.optional(),
  timestamps: truth.optional(),
})

const maxBytes = 1024 * 1024
const pattern = /^\/pods\/([^/]+)\/([^/]+)\/(logs|exec|stream|restart)$/

/** What commands on the node can ask of its pods. */
export interface PodRoutes {
  control: PodControl
  drill: (wish: DrillWish) => AsyncGenerator<DrillEvent>
}

export interface PodRequest {
  pods: PodRoutes
  request: IncomingMessage
  response: ServerResponse
  url: URL
}

/**
 * What can be asked about pods: `GET /pods/<namespace>/<name>/logs` streams text; `POST …/exec` runs a command and
 * answers its exit code and output; `POST …/stream` answers a URL of the engine for one command with its streams;
 * `POST …/restart` restarts the pod or one container; `POST /drill` streams a line of JSON for each `DrillEvent`. False
 * for any other path.
 */
export async function servePods({ pods, request, response, url }: PodRequest): Promise<boolean> {
  const { control } = pods
  if (request.method === 'POST' && url.pathname === '/drill') return drilled(pods, request, response)
  const [, namespace, name, action] = pattern.exec(url.pathname) ?? []
  if (namespace === undefined || name === undefined) return false
  const pod = { namespace: decodeURIComponent(namespace), name: decodeURIComponent(name) }
  if (request.method !== (action === 'logs' ? 'GET' : 'POST')) {
    answer(response, 405, { reason: `${request.method} is not for ${url.pathname}` })
    return true
  }
  try {
    if (action === 'logs') await logs(control, pod, { url, response })
    else await act(control, pod, { action, request, response })
  } catch (error) {
    const code = error instanceof z.ZodError || error instanceof SyntaxError ? 400 : 502
    answer(response, code, { reason: error instanceof z.ZodError ? z.prettifyError(error) : explain(error) })
  }
  return true
}

async function drilled(pods: PodRoutes, request: IncomingMessage, response: ServerResponse): Promise<true> {
  const body = await readBody(request, maxBytes)
  const wish = Drill.safeParse(JSON.parse(body?.toString() || '{}'))
  if (!wish.success) {
    answer(response, 400, { reason: z.prettifyError(wish.error) })
    return true
  }
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  response.writeHead(200, { 'content-type': 'application/x-ndjson' })
  // Whoever goes away breaks the drill off; it is heard to its end all the same, for it has to put things right again.
  for await (const event of pods.drill({ ...wish.data, signal: gone.signal })) {
    if (!gone.signal.aborted) response.write(`${JSON.stringify(event)}\n`)
  }
  response.end()
  return true
}

interface Act {
  action: string | undefined
  request: IncomingMessage
  response: ServerResponse
}

async function act(control: PodControl, pod: PodName, { action, request, response }: Act): Promise<void> {
  const body = await readBody(request, maxBytes)
  if (body === undefined) return answer(response, 413, { reason: `more than ${maxBytes} bytes` })
  const asked: unknown = JSON.parse(body.toString() || '{}')
  if (action === 'exec') return reply(response, await control.exec(pod, defined(Exec.parse(asked))))
  if (action === 'stream') return reply(response, await control.stream(pod, defined(Stream.parse(asked))))
  reply(response, await control.restart(pod, Restart.parse(asked).container))
}

async function logs(
  control: PodControl,
  pod: PodName,
  { url, response }: { url: URL; response: ServerResponse },
): Promise<void> {
  const { timestamps, ...wish } = Logs.parse(Object.fromEntries(url.searchParams))
  const gone = new AbortController()
  response.once('close', () => gone.abort())
  const result = await control.logs(pod, defined(wish), gone.signal)
  if (result.is === 'none') return reply(response, result)
  response.writeHead(200, { 'content-type': 'text/plain; charset=utf-8' })
  response.flushHeaders()
  for await (const line of result.found) {
    if (gone.signal.aborted) return
    if (!response.write(textOf(line, timestamps === true))) await drained(response, gone.signal)
  }
  response.end()
}

function textOf({ time, text }: LogLine, timestamps: boolean): string {
  return timestamps ? `${time} ${text}\n` : `${text}\n`
}

/** Waits for a slow reader; a reader that has gone is one, too. */
function drained(response: ServerResponse, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal.aborted) return resolve()
    response.once('drain', resolve)
    response.once('close', resolve)
  })
}

/** Without the fields that are undefined. */
function defined<T extends object>(value: T): { [K in keyof T]: Exclude<T[K], undefined> } {
  const entries = Object.entries(value).filter(([, one]) => one !== undefined)
  return Object.fromEntries(entries) as { [K in keyof T]: Exclude<T[K], undefined> }
}

function reply<T>(response: ServerResponse, result: Found<T>): void {
  if (result.is === 'none') answer(response, result.code, { reason: result.reason })
  else answer(response, 200, result.found)
}

function answer(response: ServerResponse, code: number, body: unknown): void {
  if (response.headersSent) return void response.destroy()
  response.writeHead(code, { 'content-type': 'application/json' })
  response.end(JSON.stringify(body))
}
