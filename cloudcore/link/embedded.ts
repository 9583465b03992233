import { Socket } from 'node:net'
import type { Clock } from '@kedge/shared/clock'
import { type DownFrame, maxFrameBytes } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { type Broker, openBroker } from '@kedge/shared/mqtt-broker'
import { isNodeName, linkTopic, parseLinkTopic } from '@kedge/shared/topics'
import type { AuthenticateError, Client, PublishPacket, Subscription } from 'aedes'
import { Gate } from './gate.ts'
import type { Link, LinkEvents } from './link.ts'
import { Outlet } from './outlet.ts'
import type { Rate } from './token-bucket.ts'
import { Traffic } from './traffic.ts'

export interface EmbeddedLinkOptions {
  host: string
  port: number
  events: LinkEvents
  clock: Clock
  log: Log
  /** How fast nodes may begin conversations; see `gate.ts`. */
  admission?: Rate
  /** Milliseconds after which a node that reads nothing of what waits for it is cut off. */
  patience?: number
}

/** Characters of a client id that are logged. */
const longestName = 253
/** MQTT 3.1.1, 3.2.2.3. */
const identifierRejected = 2
const notAuthorized = 5
/** aedes counts from the first byte that waits to the last that has gone, which punishes slow links: not used. */
const drainTimeout = 2 ** 31 - 1

/**
 * The link over cloudcore's own broker. Frames are taken where the broker asks whether a client may publish; it reads on
 * from that client when they have had their turn.
 *
 * Invariants:
 * - A connection speaks for one node, its client id, and reaches the topics of that node alone.
 * - Nothing that a connection does, or does not do, holds up another one.
 */
export class EmbeddedLink implements Link {
  readonly traffic = new Traffic()
  readonly #gate: Gate
  readonly #log: Log
  /** The connections that have subscribed, by node. */
  readonly #outlets = new Map<string, Outlet>()
  readonly #timer: NodeJS.Timeout
  #broker: Broker | undefined

  static async open(options: EmbeddedLinkOptions): Promise<EmbeddedLink> {
    const link = new EmbeddedLink(options)
    try {
      await link.#open(options)
    } catch (error) {
      await link.stop()
      throw error
    }
    return link
  }

  private constructor({ events, clock, log, admission, patience = 45_000 }: EmbeddedLinkOptions) {
    this.#log = log
    this.#gate = new Gate({
      events: {
        ...events,
        onFrame: (node, frame) => {
          if (frame.is === 'have') this.#outlets.get(node)?.begin(frame.talk)
          events.onFrame(node, frame)
        },
      },
      traffic: this.traffic,
      askAll: (node) => this.send(node, { is: 'tell', what: 'all' }),
      backlog: () => this.backlog,
      ...{ clock, log, admission },
    })
    this.#timer = setInterval(() => {
      for (const outlet of this.#outlets.values()) outlet.look()
    }, patience)
    this.#timer.unref()
  }

  get port(): number | undefined {
    return this.#broker?.port
  }

  get backlog(): number {
    let bytes = 0
    for (const outlet of this.#outlets.values()) bytes += outlet.bytes
    return bytes
  }

  get waiting(): number {
    return this.#gate.waiting
  }

  notReady(): string[] {
    return []
  }

  send(node: string, frame: DownFrame): void {
    this.#outlets.get(node)?.send(frame)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    await this.#broker?.stop()
    this.#gate.stop()
  }

  async #open({ host, port }: EmbeddedLinkOptions): Promise<void> {
    this.#broker = await openBroker({
      ...{ host, port, portFlag: '--link-port', maxPacketBytes: maxFrameBytes + 1024, drainTimeout, log: this.#log },
      hooks: {
        authenticate: (client, _user, _password, done) => {
          const refused = this.#arrive(client)
          if (refused === undefined) return done(null, true)
          done(refused, false)
        },
        authorizePublish: (client, packet, done) => {
          // The broker's own messages have no client.
          if (client === null) return done()
          this.#publish(client, packet, done)
        },
        authorizeSubscribe: (client, subscription, done) => {
          const own = subscription.topic === linkTopic(client.id, 'down')
          if (!own) this.#log.warn({ node: client.id, topic: subscription.topic }, 'subscription refused')
          done(null, own ? subscription : null)
        },
      },
    })
    const { aedes } = this.#broker
    aedes.on('subscribe', (subscriptions, client) => this.#subscribed(client, subscriptions))
    aedes.on('clientDisconnect', ({ id }) => {
      this.#outlets.delete(id)
      this.#gate.present(id, false)
    })
  }

  /**
   * Someone connects: why they may not, or undefined. Of two connections in a node's name the broker closes the older
   * (MQTT 3.1.1, 3.1.4-2): a node that is back sooner than its old connection ends, or an impostor.
   */
  #arrive({ id, conn, clean }: Client): AuthenticateError | undefined {
    const address = conn instanceof Socket ? conn.remoteAddress : undefined
    const refuse = (client: string, reason: string, returnCode: number) => {
      this.#log.warn({ client, address, reason }, 'connection refused')
      return Object.assign(new Error(reason), { returnCode })
    }
    if (!isNodeName(id)) {
      const client = id.slice(0, longestName)
      return refuse(client, `client id ${JSON.stringify(client)} is not a node name`, identifierRejected)
    }
    // What the broker would keep for it, nobody would ever bound.
    if (!clean) return refuse(id, 'a session that outlives its connection is not kept: clean session', notAuthorized)
    if (this.#gate.isUp(id)) this.#log.warn({ node: id, address }, 'node link taken over')
    return undefined
  }

  #subscribed(client: Client, subscriptions: readonly Subscription[]): void {
    const own = linkTopic(client.id, 'down')
    const granted = subscriptions.some(({ topic, qos }) => topic === own && Number(qos) !== 0x80)
    if (!granted || client.closed || this.#outlets.get(client.id)?.client === client) return
    const { traffic } = this
    this.#outlets.set(client.id, new Outlet({ client, traffic, cut: (reason) => this.#cut(client, reason) }))
  }

  #cut(client: Client, reason: string): void {
    if (client.closed) return
    this.traffic.cut++
    this.#log.warn({ node: client.id, reason }, 'node cut off')
    client.close()
  }

  /** Takes what a client publishes; an error closes its connection. */
  #publish({ id: node }: Client, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const parsed = parseLinkTopic(packet.topic)
    const foreign = parsed === undefined || parsed.node !== node || parsed.channel === 'down'
    if (foreign || packet.qos === 2) {
      this.#log.warn({ node, topic: packet.topic, qos: packet.qos }, 'publication refused')
      return done(new Error(`${node} may not publish on ${packet.topic} with QoS ${packet.qos}`))
    }
    // Nobody else hears it, so the broker need not keep it.
    packet.retain = false
    const bytes = Buffer.from(packet.payload)
    if (parsed.channel === 'up') return this.#gate.take(node, bytes, done)
    this.#gate.present(node, bytes.toString() === '1')
    done()
  }
}
