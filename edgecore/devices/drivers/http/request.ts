import { request as plainRequest } from 'node:http'
import { request as secureRequest } from 'node:https'

export interface Request {
  method: string
  url: string
  headers: Readonly<Record<string, string>>
  body: string | undefined
  /** Milliseconds from the beginning to the last byte of the answer. */
  timeout: number
  /** Certificates in PEM that the server is held to. */
  ca: string | undefined
}

/** An answer longer than this is cut off, in bytes. */
const maxAnswer = 1024 * 1024

/** Asks, and resolves with the text of a 2xx answer; rejects with what else came of it. Redirects are not followed. */
export function ask({ method, url, headers, body, timeout, ca }: Request, signal: AbortSignal): Promise<string> {
  return new Promise((resolve, reject) => {
    const request = url.startsWith('https:') ? secureRequest : plainRequest
    const outgoing = request(url, {
      method,
      headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
      signal: AbortSignal.any([signal, AbortSignal.timeout(timeout)]),
      ...(ca === undefined ? {} : { ca }),
    })
    const fail = (error: Error) =>
      reject(error.name === 'AbortError' && !signal.aborted ? new Error(`no answer within ${timeout} ms`) : error)
    outgoing.on('error', fail)
    outgoing.on('response', (response) => {
      const chunks: Buffer[] = []
      let length = 0
      response.on('error', fail)
      response.on('data', (chunk: Buffer) => {
        length += chunk.length
        if (length > maxAnswer) outgoing.destroy(new Error(`the answer is longer than ${maxAnswer} bytes`))
        else chunks.push(chunk)
      })
      response.on('end', () => {
        const { statusCode = 0 } = response
        const text = Buffer.concat(chunks).toString('utf8')
        if (statusCode >= 200 && statusCode < 300) resolve(text)
        else reject(new HttpStatus(statusCode, text))
      })
    })
    outgoing.end(body)
  })
}

/** The server answered, and not with success. */
export class HttpStatus extends Error {
  override name = 'HttpStatus'
  readonly status: number

  constructor(status: number, text: string) {
    const said = text.trim().slice(0, 200)
    super(`status ${status}${said === '' ? '' : `: ${said}`}`)
    this.status = status
  }
}
