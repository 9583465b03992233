import type { Socket } from 'node:net'
import { explain } from '@kedge/shared/errors'
import mqttPacket from '@kedge/shared/mqtt-packets'
import type { IConnackPacket, IConnectPacket, IPublishPacket, Packet } from 'mqtt-packet'

export interface SessionOptions {
  clientId: string
  username?: string
  password?: string
  /** What the broker says in this client's place when the connection is lost: QoS 1, retained. */
  will?: { topic: string; payload: string }
  /** Seconds: a connection on which nothing was heard for half as long again is dead. At least 1. */
  keepalive: number
  /** Milliseconds that the broker has to answer the first packet. */
  connectTimeout: number
  onConnect: () => void
  /** A message of the subscription; it is acknowledged when this returns. */
  onMessage: (payload: Buffer) => void
  /** The connection has ended. Called once, and nothing after it. */
  onClose: (end: SessionEnd) => void
}

export interface SessionEnd {
  reason: string
  /** Why the broker did not let this client in: a return code of CONNACK (MQTT 3.1.1, 3.2.2.3). */
  code?: number
}

const refusals = [
  '',
  'unacceptable protocol version',
  'identifier rejected',
  'server unavailable',
  'bad user name or password',
  'not authorized',
]
/** What a SUBACK says of a subscription that is not granted (MQTT 3.1.1, 3.9.3). */
const notGranted = 0x80
const mostIds = 65_535

/**
 * One MQTT 3.1.1 connection with a clean session, on a socket that is open. A whole client library is 2 MB of a board's
 * memory for what the link has no use for: queues, stores and new connections of its own.
 *
 * Invariants:
 * - What was published goes once, at QoS 1, and is forgotten with the connection.
 * - Whatever is heard has been answered, or is an answer: who hears enough has said enough, and pings only in silence.
 */
export class MqttSession {
  readonly #socket: Socket
  readonly #options: SessionOptions
  readonly #unanswered = new Set<number>()
  readonly #subscribing = new Map<number, (granted: boolean) => void>()
  readonly #silence: NodeJS.Timeout
  #deadline: NodeJS.Timeout
  #lastId = 0
  #connected = false
  #ending = false
  #end: SessionEnd | undefined

  constructor(socket: Socket, options: SessionOptions) {
    this.#socket = socket
    this.#options = options
    const { keepalive, connectTimeout } = options
    this.#silence = setTimeout(() => this.#ping(), keepalive * 1000)
    this.#deadline = setTimeout(
      () => this.destroy(`the broker has not answered within ${connectTimeout / 1000} s`),
      connectTimeout,
    )
    const parser = mqttPacket.parser({ protocolVersion: 4 })
    parser.on('packet', (packet) => this.#take(packet))
    parser.on('error', (error) => this.destroy(`malformed packet: ${explain(error)}`))
    socket.setNoDelay(true)
    socket.on('data', (bytes) => {
      this.#heard()
      parser.parse(bytes)
    })
    socket.on('error', (error) => {
      this.#end ??= { reason: explain(error) }
    })
    socket.once('close', () => this.#closed())
    // It may have ended before anybody listened.
    if (socket.closed) setImmediate(() => this.#closed())
    this.#send(connectOf(options))
  }

  /** Sends a message at QoS 1. */
  publish(topic: string, payload: Buffer | string, { retain = false } = {}): void {
    const messageId = this.#nextId()
    this.#unanswered.add(messageId)
    this.#send({ cmd: 'publish', topic, payload, qos: 1, retain, dup: false, messageId })
  }

  /** Subscribes at QoS 1; `done` is told whether the broker grants it. */
  subscribe(topic: string, done: (granted: boolean) => void): void {
    const messageId = this.#nextId()
    this.#subscribing.set(messageId, done)
    this.#send({ cmd: 'subscribe', messageId, subscriptions: [{ topic, qos: 1 }] })
  }

  /** Says goodbye once the broker has taken what was published: it sends no last will then. */
  end(): void {
    this.#ending = true
    this.#endIfAnswered()
  }

  /** Ends the connection at once. */
  destroy(reason: string): void {
    this.#end ??= { reason }
    this.#socket.destroy()
  }

  #take(packet: Packet): void {
    if (this.#socket.destroyed) return
    if (packet.cmd === 'connack') return this.#admitted(packet)
    if (!this.#connected) return this.destroy(`${packet.cmd} before the broker has let this client in`)
    switch (packet.cmd) {
      case 'publish':
        return this.#message(packet)
      case 'puback':
        this.#unanswered.delete(packet.messageId ?? 0)
        return this.#endIfAnswered()
      case 'suback': {
        const done = this.#subscribing.get(packet.messageId ?? 0)
        this.#subscribing.delete(packet.messageId ?? 0)
        return done?.(packet.granted[0] !== notGranted)
      }
      case 'pingresp':
        return
      default:
        return this.destroy(`${packet.cmd} is not for a client that publishes and subscribes at QoS 1`)
    }
  }

  #admitted({ returnCode = 0 }: IConnackPacket): void {
    if (this.#connected) return this.destroy('a second connack')
    clearTimeout(this.#deadline)
    if (returnCode !== 0) {
      this.#end ??= { reason: `connection refused: ${refusals[returnCode] ?? `code ${returnCode}`}`, code: returnCode }
      this.#socket.destroy()
      return
    }
    this.#connected = true
    this.#options.onConnect()
  }

  #message({ qos, payload, messageId }: IPublishPacket): void {
    if (qos === 2) return this.destroy('a message at QoS 2, which was not subscribed to')
    this.#options.onMessage(Buffer.isBuffer(payload) ? payload : Buffer.from(payload))
    if (qos === 1) this.#send({ cmd: 'puback', messageId })
  }

  #heard(): void {
    this.#silence.refresh()
    if (this.#connected) clearTimeout(this.#deadline)
  }

  #ping(): void {
    if (!this.#connected) return
    const { keepalive } = this.#options
    this.#send({ cmd: 'pingreq' })
    this.#deadline = setTimeout(() => this.destroy('keep-alive: nothing was heard'), keepalive * 500)
  }

  #endIfAnswered(): void {
    if (!this.#ending || this.#unanswered.size > 0 || this.#socket.destroyed) return
    this.#send({ cmd: 'disconnect' })
    this.#socket.end()
  }

  #closed(): void {
    clearTimeout(this.#silence)
    clearTimeout(this.#deadline)
    this.#options.onClose(this.#end ?? { reason: 'closed by the other side' })
  }

  #nextId(): number {
    do this.#lastId = (this.#lastId % mostIds) + 1
    while (this.#unanswered.has(this.#lastId) || this.#subscribing.has(this.#lastId))
    return this.#lastId
  }

  /** After a goodbye nothing is said any more. */
  #send(packet: Packet): void {
    if (this.#socket.writable) mqttPacket.writeToStream(packet, this.#socket)
  }
}

function connectOf({ clientId, username, password, will, keepalive }: SessionOptions): IConnectPacket {
  return {
    ...{ cmd: 'connect', protocolId: 'MQTT', protocolVersion: 4, clean: true, clientId, keepalive },
    ...(username !== undefined && { username }),
    ...(password !== undefined && { password: Buffer.from(password) }),
    ...(will && { will: { topic: will.topic, payload: Buffer.from(will.payload), qos: 1, retain: true } }),
  }
}
