import { createServer, type Server, type Socket } from 'node:net'
import { createServer as createTlsServer, type TlsOptions } from 'node:tls'
import { Aedes, type AedesOptions, type Client } from 'aedes'
import { codeOf, explain, UserError } from './errors.ts'
import type { HalfOpenBounds } from './half-open.ts'
import { boundHalfOpen } from './half-open-sockets.ts'
import { inTurns } from './handshakes.ts'
import type { Log } from './log.ts'
import { deliverOnce } from './mqtt-deliver-once.ts'
import './mqtt-packets.ts'
import type { Service } from './service.ts'
import { sourceOf } from './source-address.ts'

/** Connections that may wait to be taken: after a restart all devices, or all nodes, come back at once. */
const backlog = 4096
/** Milliseconds for a TLS handshake. */
const handshakeTimeout = 10_000
/** TLS handshakes at once; the others wait. */
const handshakesAtOnce = 64

export interface BrokerOptions {
  host: string
  /** 0 takes a free one. */
  port: number
  /** The flag that chooses another port, for the message when this one is taken. */
  portFlag: string
  /** Larger packets close the connection, in bytes; a function decides for each connection. */
  maxPacketBytes: number | ((socket: Socket) => number)
  /** Who may connect, publish and subscribe. */
  hooks: Pick<AedesOptions, 'authenticate' | 'authorizePublish' | 'authorizeSubscribe' | 'authorizeForward'>
  /**
   * Milliseconds that a client may take to read what was written for it before it is cut off; 5 s unless given. It
   * measures the time, not the progress: on a slow link a large packet takes longer.
   */
  drainTimeout?: number
  /** TLS in place of plain TCP; 1.2 and up. */
  tls?: TlsOptions | undefined
  /** Bounds connections until `admitted` is called for them; unbounded unless given. */
  halfOpen?: HalfOpenBounds | undefined
  /** Milliseconds until a connection must have said CONNECT; 30 s unless given. */
  connectTimeout?: number
  /** A connection that ended before it was served: a handshake that failed, or one too many. */
  onTurnedAway?: (source: string, why: 'handshake' | 'half-open', reason: string) => void
  /** Runs before the first client is served. */
  prepare?: (aedes: Aedes) => Promise<void>
  log: Log
}

export interface Broker extends Service {
  readonly aedes: Aedes
  readonly port: number
  /** A connection has shown who it is: it no longer counts as half open. */
  admitted(socket: unknown): void
  /** With TLS: what connections from now on are shown. */
  setSecureContext(options: TlsOptions): void
}

/**
 * An embedded MQTT 3.1.1 broker on TCP. Settings that are not aedes' defaults, and why:
 * - `concurrency: 0`: with a bounded emitter queue one subscriber that stops reading stops every other one.
 * - `drainTimeout`: such a subscriber is cut off after seconds, not after a minute.
 * - packets are capped in size, which aedes does not do by itself.
 */
export async function openBroker(options: BrokerOptions): Promise<Broker> {
  const { host, port, portFlag, maxPacketBytes, hooks, drainTimeout = 5000, tls, log } = options
  const { connectTimeout = 30_000 } = options
  const aedes = await Aedes.createBroker({ concurrency: 0, drainTimeout, queueLimit: 1000, connectTimeout, ...hooks })
  deliverOnce(aedes)
  await options.prepare?.(aedes).catch((error: unknown) => {
    aedes.close()
    throw error
  })
  aedes.on('clientError', (client, error) => log.debug({ client: client.id, reason: explain(error) }, 'client cut off'))
  aedes.on('connectionError', (_client, error) => log.debug({ reason: explain(error) }, 'connection refused'))
  const sockets = new Set<Socket>()
  const serve = (socket: Socket) => {
    socket.setNoDelay(true)
    sockets.add(socket)
    socket.once('close', () => sockets.delete(socket))
    capPackets(aedes.handle(socket), typeof maxPacketBytes === 'number' ? maxPacketBytes : maxPacketBytes(socket))
  }
  const secure = tls && createTlsServer({ minVersion: 'TLSv1.2', handshakeTimeout, ...tls }, serve)
  const server = secure === undefined ? createServer(serve) : inTurns(secure, handshakesAtOnce)
  const admitted = boundHalfOpen(server, options)
  secure?.on('tlsClientError', (error, socket) => {
    log.debug({ reason: explain(error) }, 'connection refused')
    options.onTurnedAway?.(sourceOf(socket.remoteAddress), 'handshake', explain(error))
  })
  const taken = await listen(server, { host, port, portFlag }).catch((error: unknown) => {
    // Its heartbeat would keep a program alive that has failed to start.
    aedes.close()
    throw error
  })
  let stopped: Promise<void> | undefined
  const stop = () =>
    new Promise<void>((resolve) => {
      server.close()
      aedes.close(() => {
        for (const socket of sockets) socket.destroy()
        resolve()
      })
    })
  return {
    aedes,
    port: taken,
    admitted,
    setSecureContext: (context) => secure?.setSecureContext(context),
    stop: () => {
      stopped ??= stop()
      return stopped
    },
  }
}

/** Resolves with the port that the server listens on. */
function listen(server: Server, { host, port, portFlag }: { host: string; port: number; portFlag: string }) {
  return new Promise<number>((resolve, reject) => {
    server.once('error', (cause) => {
      const taken = codeOf(cause) === 'EADDRINUSE'
      reject(
        taken
          ? new UserError(`port ${port} on ${host} is in use: choose another with ${portFlag}`)
          : new Error(`listen on ${host}:${port}`, { cause }),
      )
    })
    server.listen({ port, host, backlog }, () => {
      const address = server.address()
      resolve(typeof address === 'object' && address !== null ? address.port : port)
    })
  })
}

/** A packet that ended its connection before it was read. */
export class PacketTooLarge extends Error {
  override name = 'PacketTooLarge'
  /** Where it was to be published; undefined where that was not to be seen yet. */
  readonly topic: string | undefined

  constructor({ bytes, maxBytes, topic }: { bytes: number; maxBytes: number; topic: string | undefined }) {
    super(`packet of ${bytes} bytes, at most ${maxBytes} are taken`)
    this.topic = topic
  }
}

/** The part of mqtt-packet's parser that knows a packet's length before its bytes have come. */
interface LengthParser {
  packet: { length: number; cmd: string | null }
  /** What has come of the packet, behind its length. */
  _list: {
    length: number
    readUInt16BE(at: number): number
    toString(encoding: 'utf8', from: number, to: number): string
  }
  _parseLength(): boolean
  _emitError(error: Error): false
}

function capPackets(client: Client, maxBytes: number): void {
  const parser = (client as unknown as { _parser: LengthParser })._parser
  const parseLength = parser._parseLength.bind(parser)
  parser._parseLength = () => {
    if (!parseLength()) return false
    if (parser.packet.length <= maxBytes) return true
    return parser._emitError(new PacketTooLarge({ bytes: parser.packet.length, maxBytes, topic: topicSeen(parser) }))
  }
}

/** The topic of a packet of which only the beginning is here: it comes first (MQTT 3.1.1, 3.3.2.1). */
function topicSeen({ packet, _list: bytes }: LengthParser): string | undefined {
  if (packet.cmd !== 'publish' || bytes.length < 2) return undefined
  const end = 2 + bytes.readUInt16BE(0)
  return bytes.length < end ? undefined : bytes.toString('utf8', 2, end)
}
