import { type IncomingMessage, request } from 'node:http'
import { codeOf, UserError } from '@kedge/shared/errors'
import { controlPath } from './path.ts'

/** What edgecore answered: `code` is an HTTP status, `body` the JSON. */
export interface ControlAnswer {
  code: number
  body: unknown
}

/** Asks the edgecore that runs with a data folder: a POST of `body`, a GET without. Throws a `UserError` when none does. */
export async function ask(data: string, path: string, body?: unknown): Promise<ControlAnswer> {
  const method = body === undefined ? 'GET' : 'POST'
  const response = await call(data, { method, path }, body === undefined ? undefined : JSON.stringify(body))
  let text = ''
  for await (const chunk of response.setEncoding('utf8')) text += chunk
  return { code: response.statusCode ?? 500, body: JSON.parse(text) }
}

/** Lines of JSON that edgecore sends, until it or `signal` ends them. Throws a `UserError` when it does not run. */
export async function* follow(data: string, path: string, signal: AbortSignal): AsyncGenerator<unknown> {
  const response = await call(data, { method: 'GET', path }, undefined)
  signal.addEventListener('abort', () => response.destroy(), { once: true })
  let rest = ''
  try {
    for await (const chunk of response.setEncoding('utf8')) {
      const lines = (rest + chunk).split('\n')
      rest = lines.pop() ?? ''
      for (const line of lines) yield JSON.parse(line)
    }
  } catch (error) {
    // The connection ends with edgecore, or because nobody follows any more.
    if (!signal.aborted && codeOf(error) !== 'ECONNRESET') throw error
  }
}

/** Text that edgecore sends, asked with a POST of `body` or a GET, until it or `signal` ends it. Throws a `UserError` with the reason when it refuses. */
export async function* stream(data: string, path: string, signal: AbortSignal, body?: unknown): AsyncGenerator<string> {
  const method = body === undefined ? 'GET' : 'POST'
  const response = await call(data, { method, path }, body === undefined ? undefined : JSON.stringify(body))
  signal.addEventListener('abort', () => response.destroy(), { once: true })
  response.setEncoding('utf8')
  if (response.statusCode !== 200) {
    let text = ''
    for await (const chunk of response) text += chunk
    const { reason } = JSON.parse(text) as { reason?: string }
    throw new UserError(reason ?? `edgecore answers ${response.statusCode}`)
  }
  try {
    for await (const chunk of response) yield chunk
  } catch (error) {
    if (!signal.aborted) throw new UserError('edgecore ended before all was told', { cause: error })
  }
}

function call(
  data: string,
  { method, path }: { method: string; path: string },
  body: string | undefined,
): Promise<IncomingMessage> {
  const socketPath = controlPath(data)
  return new Promise((resolve, reject) => {
    const asked = request({ socketPath, method, path }, resolve)
    asked.once('error', (cause) => reject(faultOf(cause, socketPath)))
    asked.end(body)
  })
}

function faultOf(cause: Error, path: string): Error {
  const code = codeOf(cause) ?? ''
  if (code === 'ENOENT' || code === 'ECONNREFUSED')
    return new UserError(`no edgecore answers at ${path}: start it, or give its data folder with --data`, { cause })
  if (code === 'EACCES')
    return new UserError(`${path} is not yours: run this as the user that edgecore runs as`, { cause })
  return new Error(`ask edgecore at ${path}`, { cause })
}
