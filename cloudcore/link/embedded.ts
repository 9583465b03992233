import { Socket } from 'node:net'
import { type DownFrame, decodeUp, encodeFrame, maxFrameBytes } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { type Broker, openBroker } from '@kedge/shared/mqtt-broker'
import type { Service } from '@kedge/shared/service'
import { isNodeName, linkTopic, parseLinkTopic } from '@kedge/shared/topics'
import type { AuthenticateError } from 'aedes'
import type { Link, LinkEvents } from './link.ts'

export interface EmbeddedLinkOptions {
  host: string
  port: number
  events: LinkEvents
  log: Log
}

/** Characters of a client id that are logged. */
const longestName = 253
/** MQTT 3.1.1, 3.2.2.3: identifier rejected. */
const identifierRejected = 2

/**
 * The link over cloudcore's own broker. Frames are taken where the broker asks whether a client may publish, so they
 * are handled in the order in which the node sent them.
 *
 * Invariants:
 * - A connection speaks for one node, its client id, and reaches the topics of that node alone.
 * - A node is up from its presence or its first frame until its connection ends.
 */
export class EmbeddedLink implements Link, Service {
  readonly #broker: Broker
  readonly #state: LinkState

  private constructor(broker: Broker, state: LinkState) {
    this.#broker = broker
    this.#state = state
  }

  static async open({ host, port, events, log }: EmbeddedLinkOptions): Promise<EmbeddedLink> {
    const state = new LinkState(events, log)
    const broker = await openBroker({
      host,
      port,
      portFlag: '--link-port',
      maxPacketBytes: maxFrameBytes + 1024,
      log,
      hooks: {
        authenticate: (client, _user, _password, done) => {
          const address = client.conn instanceof Socket ? client.conn.remoteAddress : undefined
          const reason = state.arrive(client.id, address)
          if (reason === undefined) return done(null, true)
          done(refusal(reason), false)
        },
        authorizePublish: (client, packet, done) => {
          // The broker's own messages have no client.
          if (client === null) return done()
          done(state.publish(client.id, packet.topic, packet.payload))
        },
        authorizeSubscribe: (client, subscription, done) => {
          const own = subscription.topic === linkTopic(client.id, 'down')
          if (!own) log.warn({ node: client.id, topic: subscription.topic }, 'subscription refused')
          done(null, own ? subscription : null)
        },
      },
    })
    broker.aedes.on('clientDisconnect', (client) => state.gone(client.id))
    return new EmbeddedLink(broker, state)
  }

  get port(): number {
    return this.#broker.port
  }

  /** Bytes of frames in each direction, and the frames that were none, since the start. */
  get traffic(): Readonly<Traffic> {
    return this.#state.traffic
  }

  send(node: string, frame: DownFrame): void {
    const payload = encodeFrame(frame)
    this.#state.traffic.sent += payload.length
    const topic = linkTopic(node, 'down')
    this.#broker.aedes.publish({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false }, () => undefined)
  }

  stop(): Promise<void> {
    return this.#broker.stop()
  }
}

interface Traffic {
  sent: number
  received: number
  malformed: number
}

class LinkState {
  readonly traffic: Traffic = { sent: 0, received: 0, malformed: 0 }
  readonly #up = new Set<string>()
  readonly #events: LinkEvents
  readonly #log: Log

  constructor(events: LinkEvents, log: Log) {
    this.#events = events
    this.#log = log
  }

  /**
   * Someone connects under this name: why they may not, or undefined. Of two connections in a node's name the broker
   * closes the older (MQTT 3.1.1, 3.1.4-2): a node that is back sooner than its old connection ends, or an impostor.
   */
  arrive(name: string, address: string | undefined): string | undefined {
    if (isNodeName(name)) {
      if (this.#up.has(name)) this.#log.warn({ node: name, address }, 'node link taken over')
      return undefined
    }
    const client = name.slice(0, longestName)
    const reason = `client id ${JSON.stringify(client)} is not a node name`
    this.#log.warn({ client, address, reason }, 'connection refused')
    return reason
  }

  /** Takes what a client publishes; an error closes its connection. */
  publish(node: string, topic: string, payload: string | Buffer): Error | null {
    const parsed = parseLinkTopic(topic)
    if (parsed === undefined || parsed.node !== node || parsed.channel === 'down') {
      this.#log.warn({ node, topic }, 'publication refused')
      return new Error(`${node} may not publish on ${topic}`)
    }
    const bytes = Buffer.from(payload)
    if (parsed.channel === 'alive') this.#presence(node, bytes.toString() === '1')
    else this.#frame(node, bytes)
    return null
  }

  gone(node: string): void {
    this.#presence(node, false)
  }

  #presence(node: string, up: boolean): void {
    if (this.#up.has(node) === up) return
    if (up) this.#up.add(node)
    else this.#up.delete(node)
    this.#log.info({ node, up }, 'node link')
    if (up) this.#events.onUp(node)
    else this.#events.onDown(node)
  }

  #frame(node: string, bytes: Buffer): void {
    this.traffic.received += bytes.length
    this.#presence(node, true)
    const decoded = decodeUp(bytes)
    if (decoded.ok) return this.#events.onFrame(node, decoded.frame)
    this.traffic.malformed++
    this.#log.warn({ node, reason: decoded.reason, bytes: bytes.length }, 'malformed frame')
    this.#events.onMalformed(node, decoded.reason)
  }
}

function refusal(message: string): AuthenticateError {
  return Object.assign(new Error(message), { returnCode: identifierRejected })
}
