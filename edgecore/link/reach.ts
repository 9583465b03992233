import { isIP, connect as openTcp, type Socket } from 'node:net'
import { connect as openTls } from 'node:tls'

export interface ReachOptions {
  /** `mqtt://host:port`, or `mqtts://` for TLS. */
  url: string
  /** Certificates that vouch for the broker, PEM; those that Node.js trusts unless given. */
  ca?: string | undefined
  signal: AbortSignal
  /** Milliseconds until the broker can be reached. */
  timeout: number
  /** Milliseconds that it then has to show who it is. */
  tlsTimeout: number
}

const defaultPorts: Readonly<Record<string, number>> = { 'mqtt:': 1883, 'mqtts:': 8883 }

/** Opens a connection to a broker; over TLS it has shown itself. Rejects with what the network says, or 'stopped'. */
export function reach({ url, ca, signal, timeout, tlsTimeout }: ReachOptions): Promise<Socket> {
  const { protocol, hostname, port } = new URL(url)
  const host = hostname.replace(/^\[(.*)\]$/, '$1')
  const where = { host, port: port === '' ? (defaultPorts[protocol] ?? 0) : Number(port) }
  return new Promise((resolve, reject) => {
    if (signal.aborted) return reject(new Error('stopped'))
    const isTls = protocol === 'mqtts:'
    const name = isIP(host) > 0 ? {} : { servername: host }
    const socket = isTls ? openTls({ ...where, ...name, ...(ca !== undefined && { ca }) }) : openTcp(where)
    const over = () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', stop)
      socket.off('error', fail)
      socket.off('close', closed)
    }
    const fail = (error: Error) => {
      over()
      socket.on('error', () => {})
      socket.destroy()
      reject(error)
    }
    const stop = () => fail(new Error('stopped'))
    const closed = () => fail(new Error('closed by the other side'))
    let timer = setTimeout(() => fail(new Error(`the broker cannot be reached within ${timeout / 1000} s`)), timeout)
    signal.addEventListener('abort', stop, { once: true })
    socket.once('error', fail)
    socket.once('close', closed)
    socket.once('connect', () => {
      clearTimeout(timer)
      const late = () => fail(new Error(`the broker has not shown itself within ${tlsTimeout / 1000} s`))
      timer = setTimeout(late, tlsTimeout)
    })
    socket.once(isTls ? 'secureConnect' : 'connect', () => {
      over()
      resolve(socket)
    })
  })
}
