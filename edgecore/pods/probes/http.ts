import { request as httpRequest } from 'node:http'
import { request as httpsRequest } from 'node:https'
import { isIPv6 } from 'node:net'
import type { HttpGet } from '../container-schema.ts'

const mostRedirects = 10
const mostBody = 10 * 1024

export interface Answer {
  status: number
  body: string
  /** Where it sent the caller, when that is another host: nobody follows it there. */
  elsewhere?: string
}

/** The URL of an HTTP probe or hook. */
export function urlOf({ scheme, path, host }: HttpGet, { ip, port }: { ip: string; port: number }): URL {
  const name = host || ip
  const origin = `${scheme.toLowerCase()}://${isIPv6(name) ? `[${name}]` : name}:${port}`
  return new URL(path.startsWith('/') ? path : `/${path}`, origin)
}

/** Asks once, following redirects on the same host; no certificate is checked, as in kubelet. Rejects when not answered in time. */
export async function ask(url: URL, headers: HttpGet['httpHeaders'], timeoutMs: number): Promise<Answer> {
  const signal = AbortSignal.timeout(timeoutMs)
  let at = url
  for (let hops = 0; hops <= mostRedirects; hops += 1) {
    const { location, ...answer } = await once(at, headers, signal)
    if (location === undefined) return answer
    const next = new URL(location, at)
    if (next.hostname !== url.hostname) return { ...answer, elsewhere: next.href }
    at = next
  }
  throw new Error(`stopped after ${mostRedirects} redirects`)
}

function once(url: URL, headers: HttpGet['httpHeaders'], signal: AbortSignal): Promise<Answer & { location?: string }> {
  const wanted: Record<string, string | string[]> = {
    'user-agent': 'kube-probe/kedge',
    accept: '*/*',
    connection: 'close',
  }
  for (const { name, value } of headers) wanted[name.toLowerCase()] = value
  return new Promise((resolve, reject) => {
    const options = { method: 'GET', headers: wanted, agent: false, signal } as const
    const request =
      url.protocol === 'https:'
        ? httpsRequest(url, { ...options, rejectUnauthorized: false })
        : httpRequest(url, options)
    const fail = (error: Error) => reject(signal.aborted ? new Error('it did not answer in time') : error)
    request.on('error', fail)
    request.on('response', (response) => {
      const { statusCode: status = 0 } = response
      const { location } = response.headers
      let body = ''
      response.setEncoding('utf8')
      response.on('error', fail)
      response.on('data', (text: string) => {
        body += text
        // The verdict is in the status; nobody has to send the rest.
        if (body.length > mostBody) response.destroy()
      })
      response.on('close', () => {
        const moved = status >= 300 && status < 400 && location !== undefined
        resolve({ status, body: body.slice(0, mostBody), ...(moved && { location }) })
      })
    })
    request.end()
  })
}
