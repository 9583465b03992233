import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { type BrokerOptions, openBroker, PacketTooLarge } from '@kedge/shared/mqtt-broker'
import type { Aedes, AedesPublishPacket, Client } from 'aedes'
import { LocalMqtt } from '../store/local-mqtt.ts'
import type { Store } from '../store/store.ts'
import { Audience } from './audience.ts'
import { BrokerAccess } from './broker-access.ts'
import { embeddedTopics } from './drivers/local-topics.ts'
import type { TopicSource } from './drivers/topics.ts'
import type { Engine } from './engine.ts'
import { maxRequestBytes } from './messages.ts'
import type { Message } from './requests.ts'
import { type Memory, Sessions } from './sessions.ts'
import type { Uploads } from './uploads.ts'

export interface DeviceBrokerOptions {
  host: string
  port: number
  store: Pick<Store, 'db' | 'commit'>
  /** Everybody may everything unless given. */
  access?: BrokerAccess | undefined
  engine: Pick<Engine, 'take' | 'openDeltas' | 'unread'>
  uploads: Pick<Uploads, 'take'>
  log: Log
}

export interface DeviceBroker {
  readonly port: number
  /** Sends a message to whoever subscribes to its topic; `done` is called when it is written to them. */
  publish(message: Message, done?: () => void): void
  /** For the drivers: what clients publish, and publishing as one of them. */
  readonly topics: TopicSource
  stop(): Promise<void>
}

/** No packet on the local broker is larger than this, in bytes. */
const maxPacketBytes = maxRequestBytes
/** Retained messages of clients, in bytes of topics and payloads. */
const maxRetainedBytes = 8 * 1024 * 1024

/**
 * The MQTT broker of the local devices. A request on a device topic, or an upload, is acknowledged once it is kept: the broker waits in
 * `authorizePublish`, because it sends PUBACK before any later hook. Everything else that clients send each other passes
 * through, except that only edgecore speaks on the topics of its answers, and that there is no QoS 2.
 */
export async function openDeviceBroker(options: DeviceBrokerOptions): Promise<DeviceBroker> {
  const { host, port, store, access = new BrokerAccess({}), engine, uploads, log } = options
  const table = new LocalMqtt(store.db)
  const sessions = new Sessions({ table, commit: (write) => store.commit(write), log })
  const door = new Door({ engine, uploads, sessions, access, log })
  const audience = new Audience()
  const hooks: BrokerOptions['hooks'] = {
    ...access.hooks((client, reason) => log.warn({ client: client.id, reason }, 'mqtt client refused')),
    authorizePublish: door.publish.bind(door),
    authorizeSubscribe: (client, subscription, done) => {
      if (client !== null && !access.may(client, 'read', subscription.topic)) {
        log.warn({ client: client.id, filter: subscription.topic }, 'mqtt subscription refused')
        return done(null, null)
      }
      if (client?.clean === false && !sessions.admits(client.id)) {
        log.warn({ client: client.id, filter: subscription.topic }, 'too many mqtt sessions')
        return done(null, null)
      }
      if (client !== null) audience.joins(client, subscription.topic)
      done(null, subscription)
    },
  }
  const prepare = async (aedes: Aedes) => {
    // Not among aedes' types.
    const { persistence } = aedes as unknown as { persistence: Memory }
    const kept = await sessions.attach(persistence)
    for (const { topic, bytes } of kept.retained) door.retains(topic, bytes)
    for (const filter of kept.filters) audience.joins({ clean: false }, filter)
  }
  const broker = await openBroker({
    host,
    port,
    portFlag: '--mqtt-port',
    maxPacketBytes,
    log,
    hooks,
    prepare,
    tls: access.tls,
  })
  const { aedes } = broker
  aedes.on('subscribe', (subscriptions, client) => {
    for (const { topic, qos } of subscriptions) {
      // 128 is a refused subscription (MQTT 3.1.1, 3.9.3).
      if ((qos as number) === 128) continue
      for (const message of engine.openDeltas(topic))
        client.publish({ ...packetOf(message), qos: qos === 0 ? 0 : 1 }, () => undefined)
    }
  })
  aedes.on('clientError', (client, error) => {
    if (!(error instanceof PacketTooLarge)) return
    log.warn({ client: client.id, topic: error.topic, reason: error.message }, 'mqtt client cut off')
    if (error.topic !== undefined) engine.unread(error.topic, error.message)
  })
  aedes.on('clientDisconnect', (client) => audience.gone(client))
  return {
    port: broker.port,
    topics: embeddedTopics(aedes, log),
    publish: (message, done) => {
      if (!audience.hears(message.topic)) return done?.()
      aedes.publish(packetOf(message), (error) => {
        if (error) log.warn({ topic: message.topic, reason: explain(error) }, 'mqtt message not sent')
        done?.()
      })
    },
    stop: () => broker.stop(),
  }
}

function packetOf({ topic, payload }: Message) {
  return { cmd: 'publish', topic, payload: Buffer.from(payload), qos: 1, retain: false, dup: false } as const
}

interface DoorOptions extends Pick<DeviceBrokerOptions, 'engine' | 'uploads' | 'log'> {
  sessions: Sessions
  access: BrokerAccess
}

type Done = (error?: Error | null) => void

/**
 * Decides on what clients publish.
 *
 * Invariant: messages of one client go on in the order in which they came (MQTT 3.1.1, 4.6), also where one has to wait
 * for the disk and the next has not.
 */
class Door {
  readonly #engine: DeviceBrokerOptions['engine']
  readonly #uploads: DeviceBrokerOptions['uploads']
  readonly #sessions: Sessions
  readonly #access: BrokerAccess
  readonly #log: Log
  /** The last message of each client that waits; it settles after all before it, and never rejects. */
  readonly #last = new WeakMap<Client, Promise<void>>()
  readonly #retained = new Map<string, number>()
  #retainedBytes = 0

  constructor({ engine, uploads, sessions, access, log }: DoorOptions) {
    this.#engine = engine
    this.#uploads = uploads
    this.#sessions = sessions
    this.#access = access
    this.#log = log
  }

  publish(client: Client | null, packet: Pick<AedesPublishPacket, 'topic' | 'payload' | 'qos' | 'retain'>, done: Done) {
    const { topic, qos } = packet
    const refuse = (why: string) => this.#refuse({ client, topic, why }, done)
    if (qos === 2) return refuse('QoS 2 is not supported: publish with QoS 1')
    if (client !== null && !this.#access.may(client, 'write', topic)) return refuse('the rules do not allow this topic')
    if (topic.startsWith('$SYS/')) return refuse('topics below $SYS/ belong to the broker')
    const payload = typeof packet.payload === 'string' ? Buffer.from(packet.payload) : packet.payload
    // The sessions know a message by its buffer.
    packet.payload = payload
    const taken = this.#engine.take(topic, payload)
    if (taken === 'not allowed') return refuse('only edgecore publishes on this topic')
    // A request is carried out once; kept for later subscribers it would say something that is long over.
    if (taken !== 'not ours') packet.retain = false
    if (packet.retain && !this.retains(topic, payload.length)) return refuse('too many bytes of retained messages')
    const before = client === null ? undefined : this.#last.get(client)
    const owed = this.#sessions.keep({ topic, payload, qos, retain: packet.retain })
    const ours = taken === 'not ours' ? this.#uploads.take(topic, payload) : taken
    if (ours === undefined && owed === undefined && before === undefined) return done(null)
    const kept = ours === undefined ? owed : Promise.all([ours, owed])
    const settled = this.#afterwards(before, kept).then(
      () => done(null),
      (error: unknown) => refuse(explain(error)),
    )
    if (client !== null) this.#remember(client, settled)
  }

  /** Settles as `kept` does, but not before `before`. */
  async #afterwards(before: Promise<void> | undefined, kept: Promise<unknown> | undefined): Promise<void> {
    // Looked at now, so that a rejection that comes while waiting has a handler.
    const [, result] = await Promise.allSettled([before, kept])
    if (result.status === 'rejected') throw result.reason
  }

  #remember(client: Client, settled: Promise<void>): void {
    const last = settled.then(() => {
      if (this.#last.get(client) === last) this.#last.delete(client)
    })
    this.#last.set(client, last)
  }

  /** MQTT 3.1.1 has no way to refuse one message: the connection ends, and the log says why. */
  #refuse({ client, topic, why }: { client: Client | null; topic: string; why: string }, done: Done): void {
    this.#log.warn({ client: client?.id, topic, reason: why }, 'mqtt client cut off')
    done(new Error(why))
  }

  /** Counts a retained message; false when there is no room. An empty one removes it. */
  retains(topic: string, length: number): boolean {
    const bytes = length === 0 ? 0 : topic.length + length
    const after = this.#retainedBytes + bytes - (this.#retained.get(topic) ?? 0)
    if (after > maxRetainedBytes) return false
    this.#retainedBytes = after
    if (bytes === 0) this.#retained.delete(topic)
    else this.#retained.set(topic, bytes)
    return true
  }
}
