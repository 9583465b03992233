import { isIP } from 'node:net'
import { connect, type TLSSocket } from 'node:tls'
import { explain } from '@kedge/shared/errors'
import type { Certificate } from '@kedge/shared/identity/certificate'
import { presentedBy } from '@kedge/shared/identity/presented'
import type { Fault, Verdict } from '@kedge/shared/identity/verify'

export interface DialOptions {
  /** `mqtts://HOST:PORT` */
  url: string
  /** What this node shows of itself, PEM. */
  identity?: { key: string; chain: string } | undefined
  /** Says whether the server is the one that is meant. */
  judge: (presented: readonly Certificate[], host: string) => Verdict
  /** Keeps a session, so that the next connection costs a third of the bytes; empty at first. */
  resumption?: Resumption
  signal: AbortSignal
  /** Milliseconds until the server is reached, 10 s unless given; as long again until it has shown itself. */
  timeout?: number
}

/** A TLS session, and what the server showed when it began: when it is resumed, nothing is shown. */
export interface Resumption {
  session?: Buffer | undefined
  presented?: readonly Certificate[] | undefined
}

/** Why there is no connection: the server is not to be trusted. */
export class ServerRefused extends Error {
  override name = 'ServerRefused'
  readonly fault: Fault
  /** The message without what to do about it. */
  readonly reason: string

  constructor(fault: Fault, reason: string) {
    super(`${reason}; ${advice[fault]}`)
    this.fault = fault
    this.reason = reason
  }
}

const advice: Readonly<Record<Fault, string>> = {
  untrusted: 'this is not the cloudcore that this board joined, or its authority has changed: join it again if it has',
  expired: "renew the certificate of cloudcore, or set this board's clock",
  'not-yet-valid': "set this board's clock",
  'wrong-host': 'add the name to --link-names of cloudcore, or use one of its names',
  'wrong-use': 'give cloudcore a certificate for TLS servers',
  unfit: 'give cloudcore another certificate',
}

const defaultPort = 8883

/** Host and port of an `mqtts:` URL. */
export function hostOf(url: string): { host: string; port: number } {
  const { hostname, port } = new URL(url)
  return { host: hostname.replace(/^\[(.*)\]$/, '$1'), port: port === '' ? defaultPort : Number(port) }
}

/**
 * Opens a TLS connection and judges the server by hand before a byte is said on it. Rejects with `ServerRefused`, or with
 * what the network says.
 */
export function dial({
  url,
  identity,
  judge,
  resumption = {},
  signal,
  timeout = 10_000,
}: DialOptions): Promise<TLSSocket> {
  const { host, port } = hostOf(url)
  return new Promise((resolve, reject) => {
    const socket = connect({
      ...{ host, port, minVersion: 'TLSv1.2' },
      ...(isIP(host) > 0 ? {} : { servername: host }),
      ...(identity === undefined ? {} : { key: identity.key, cert: identity.chain }),
      // Judged below, at the time that counts.
      rejectUnauthorized: false,
      ...(resumption.session === undefined ? {} : { session: resumption.session }),
    })
    let session: Buffer | undefined
    let accepted = false
    socket.on('session', (latest) => {
      session = latest
      if (accepted) resumption.session = latest
    })
    // Until somebody else listens, and after that: an error of the connection also ends it, which is told.
    socket.on('error', () => {})
    const over = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.off('error', fail)
      socket.off('close', closed)
    }
    const closed = () => fail(new Error(`${host}:${port} closed the connection before it had shown itself`))
    const fail = (error: Error) => {
      over()
      // Whatever it was: the next try begins from nothing.
      resumption.session = undefined
      socket.destroy()
      reject(error)
    }
    const tooLong = () =>
      fail(new Error(`${host}:${port} ${socket.connecting ? 'cannot be reached' : 'has not shown itself'} in time`))
    let timer = setTimeout(tooLong, timeout)
    const abort = () => fail(new Error('stopped'))
    if (signal.aborted) return abort()
    signal.addEventListener('abort', abort, { once: true })
    socket.once('connect', () => {
      clearTimeout(timer)
      timer = setTimeout(tooLong, timeout)
    })
    socket.once('error', fail)
    socket.once('close', closed)
    socket.once('secureConnect', () => {
      const refusal = refusalOf(socket, resumption, (presented) => judge(presented, host))
      if (refusal !== undefined) return fail(refusal)
      accepted = true
      resumption.session = session ?? resumption.session
      over()
      socket.setNoDelay(true)
      resolve(socket)
    })
  })
}

function refusalOf(
  socket: TLSSocket,
  resumption: Resumption,
  judge: (presented: readonly Certificate[]) => Verdict,
): Error | undefined {
  let presented: readonly Certificate[]
  try {
    // Who resumes a session is the one with whom it began; the time may be another one.
    presented = (socket.isSessionReused() && resumption.presented) || presentedBy(socket)
  } catch (error) {
    return new ServerRefused('unfit', `the certificate of the server cannot be read: ${explain(error)}`)
  }
  const verdict = judge(presented)
  resumption.presented = verdict.ok ? presented : undefined
  return verdict.ok ? undefined : new ServerRefused(verdict.fault, verdict.reason)
}
