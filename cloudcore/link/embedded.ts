import { Socket } from 'node:net'
import type { Clock } from '@kedge/shared/clock'
import { type DownFrame, maxFrameBytes } from '@kedge/shared/frames'
import type { HalfOpenBounds } from '@kedge/shared/half-open'
import { isEnrolClientId, maxEnrolBytes } from '@kedge/shared/identity/enrol'
import type { Log } from '@kedge/shared/log'
import { type Broker, openBroker } from '@kedge/shared/mqtt-broker'
import { sourceOf } from '@kedge/shared/source-address'
import { isNodeName, linkTopic, parseLinkTopic } from '@kedge/shared/topics'
import type { AuthenticateError, Client, PublishPacket, Subscription } from 'aedes'
import type { Barred } from '../identity/issuing.ts'
import type { Door } from './door.ts'
import { Enrolling } from './enrolling.ts'
import { Gate } from './gate.ts'
import { Holders } from './holders.ts'
import type { Connection, Link, LinkEvents } from './link.ts'
import { Outlet } from './outlet.ts'
import type { Rate } from './token-bucket.ts'
import { Traffic } from './traffic.ts'
import { type RefusalKind, TurnedAway } from './turned-away.ts'

export interface EmbeddedLinkOptions {
  host: string
  port: number
  events: LinkEvents
  /** Judges who comes, over TLS. Without it the link is plain MQTT, and whoever says that it is a node is believed. */
  door?: Door | undefined
  clock: Clock
  log: Log
  /** How fast nodes may begin conversations; see `gate.ts`. */
  admission?: Rate
  /** Milliseconds after which a node that reads nothing of what waits for it is cut off. */
  patience?: number
  /** Milliseconds between two looks whether certificates of standing connections have ended. */
  sweep?: number
  /** Bounds connections that have not shown who they are; only with TLS. */
  halfOpen?: HalfOpenBounds
}

/** Characters of a client id that are logged. */
const longestName = 253
/** MQTT 3.1.1, 3.2.2.3. */
const identifierRejected = 2
const notAuthorized = 5
/** aedes counts from the first byte that waits to the last that has gone, which punishes slow links: not used. */
const drainTimeout = 2 ** 31 - 1
/** Milliseconds from the end of the TLS handshake until a client must have said who it is. */
const connectTimeout = 10_000
const defaultHalfOpen: HalfOpenBounds = { total: 2048, perSource: 1024 }

/**
 * The link over cloudcore's own broker. Frames are taken where the broker asks whether a client may publish; it reads on
 * from that client when they have had their turn.
 *
 * Invariants:
 * - A connection speaks for one node, its client id, and reaches the topics of that node alone. Over TLS the client id is
 *   the name in its certificate.
 * - A connection stands no longer than its certificate, and ends at once when its node is revoked or locked.
 * - Nothing that a connection does, or does not do, holds up another one.
 */
export class EmbeddedLink implements Link {
  readonly traffic = new Traffic()
  readonly turnedAway: TurnedAway
  readonly #gate: Gate
  readonly #door: Door | undefined
  readonly #enrolling: Enrolling | undefined
  readonly #holders: Holders
  readonly #endings: (() => void)[] = []
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

  private constructor(options: EmbeddedLinkOptions) {
    const { events, door, clock, log, admission, patience = 45_000, sweep } = options
    this.#log = log
    this.turnedAway = new TurnedAway(log)
    this.#door = door
    this.#enrolling = door && new Enrolling({ door, turnedAway: this.turnedAway })
    this.#holders = new Holders({ clock, sweep, barred: (node, serial) => door?.barred(node, serial) })
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

  get enrolling(): number {
    return this.#enrolling?.size ?? 0
  }

  connectionOf(node: string): Connection | undefined {
    return this.#holders.of(node)
  }

  prolong(node: string, end: number): void {
    this.#holders.prolong(node, end)
  }

  send(node: string, frame: DownFrame): void {
    this.#outlets.get(node)?.send(frame)
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    for (const end of this.#endings) end()
    this.#holders.stop()
    this.#enrolling?.stop()
    await this.#broker?.stop()
    this.#gate.stop()
  }

  async #open({ host, port, halfOpen = defaultHalfOpen }: EmbeddedLinkOptions): Promise<void> {
    const door = this.#door
    this.#broker = await openBroker({
      ...{ host, port, portFlag: '--link-port', drainTimeout, log: this.#log },
      ...(door === undefined ? {} : { tls: door.tls(), halfOpen, connectTimeout }),
      maxPacketBytes: (socket) =>
        door === undefined || door.visitor(socket).is === 'node' ? maxFrameBytes + 1024 : maxEnrolBytes + 1024,
      onTurnedAway: (source, why, reason) =>
        this.turnedAway.tell(why, source, 'connection refused', { source, reason }),
      hooks: {
        authenticate: (client, _user, _password, done) => {
          const refused = this.#arrive(client)
          if (refused === undefined) return done(null, true)
          done(refused, false)
        },
        authorizePublish: (client, packet, done) => {
          // The broker's own messages have no client.
          if (client === null) return done()
          if (this.#enrolling?.isOne(client)) return this.#enrolling.publish(client, packet, done)
          this.#publish(client, packet, done)
        },
        authorizeSubscribe: (client, subscription, done) => {
          done(null, this.#maySubscribe(client, subscription.topic) ? subscription : null)
        },
      },
    })
    if (door !== undefined) {
      this.#endings.push(
        door.onTls(() => this.#broker?.setSecureContext(door.tls())),
        door.options.onIdentity((node) => this.#holders.look(node)),
      )
    }
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
  #arrive(client: Client): AuthenticateError | undefined {
    const { id, conn, clean } = client
    const address = conn instanceof Socket ? conn.remoteAddress : undefined
    const refuse = (kind: RefusalKind, reason: string, returnCode: number) => {
      const name = id.slice(0, longestName)
      this.turnedAway.tell(kind, sourceOf(address), 'connection refused', { client: name, address, reason })
      return Object.assign(new Error(reason), { returnCode })
    }
    const isEnrolling = this.#door !== undefined && isEnrolClientId(id)
    if (!isEnrolling && !isNodeName(id)) {
      const found = JSON.stringify(id.slice(0, longestName))
      return refuse('client-id', `client id ${found} is not a node name`, identifierRejected)
    }
    // What the broker would keep for it, nobody would ever bound.
    if (!clean)
      return refuse('session', 'a session that outlives its connection is not kept: clean session', notAuthorized)
    if (isEnrolling) return void this.#enrolling?.begin(client)
    const fault = this.#admit(client)
    if (fault !== undefined) return refuse(fault.kind, fault.reason, notAuthorized)
    if (this.#gate.isUp(id)) this.#log.warn({ node: id, address }, 'node link taken over')
    return undefined
  }

  /** Why a client may not speak for the node that it names, or undefined. */
  #admit(client: Client): { kind: RefusalKind; reason: string } | undefined {
    const { id, conn } = client
    const holder = { end: (kind: RefusalKind, reason: string) => this.#end(client, kind, reason), conn }
    if (this.#door === undefined) {
      this.#holders.add(id, { ...holder, serial: undefined, leaf: undefined, ends: undefined })
      return undefined
    }
    const visitor = this.#door.visitor(conn)
    if (visitor.is !== 'node') return { kind: 'certificate', reason: visitor.reason }
    const { node, serial, leaf, end: ends } = visitor
    if (node !== id) return { kind: 'certificate', reason: `the certificate is that of node ${node}` }
    const bar = this.#door.barred(node, serial)
    if (bar !== undefined) return { kind: kindOf(bar), reason: bar.reason }
    this.#holders.add(id, { ...holder, serial, leaf, ends })
    this.#broker?.admitted(conn)
    return undefined
  }

  #end(client: Client, kind: RefusalKind, reason: string): void {
    if (client.closed) return
    this.turnedAway.tell(kind, client.id, 'node cut off', { node: client.id, reason })
    client.close()
  }

  #maySubscribe(client: Client, topic: string): boolean {
    if (this.#enrolling?.isOne(client)) return this.#enrolling.maySubscribe(client, topic)
    if (topic === linkTopic(client.id, 'down')) return true
    this.turnedAway.tell('subscription', client.id, 'subscription refused', { node: client.id, topic })
    return false
  }

  #subscribed(client: Client, subscriptions: readonly Subscription[]): void {
    const own = linkTopic(client.id, 'down')
    if (this.#enrolling?.isOne(client)) return
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
      const { topic, qos } = packet
      this.turnedAway.tell('publication', node, 'publication refused', { node, topic, qos })
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

function kindOf({ code }: Barred): RefusalKind {
  return code === 'node-locked' ? 'locked' : 'revoked'
}
