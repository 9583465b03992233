import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import mqtt, { type MqttClient } from 'mqtt'
import { SharedTopics, type TopicMessage, type TopicSource, type Topics } from '../topics.ts'
import type { Broker } from './config.ts'

export interface Remote {
  topics: Topics
  /** Hears whether the broker is reached, now and whenever that changes; `why` says why it is not. */
  watch(listener: (up: boolean, why: string) => void): void
  /** The last device that leaves ends the connection. */
  leave(): Promise<void>
}

interface Held {
  connection: Connection
  users: number
}

/** Connections to brokers, by all that they depend on: devices on the same broker share one. */
const connections = new Map<string, Held>()

export function joinBroker(broker: Broker, log: Log): Remote {
  const key = JSON.stringify(broker)
  const held = connections.get(key) ?? { connection: new Connection(broker, log), users: 0 }
  connections.set(key, held)
  held.users++
  const watching = new Set<(up: boolean, why: string) => void>()
  let left = false
  return {
    topics: held.connection.topics,
    watch: (listener) => {
      watching.add(listener)
      held.connection.watchers.add(listener)
      listener(held.connection.up, held.connection.why)
    },
    leave: async () => {
      for (const listener of watching) held.connection.watchers.delete(listener)
      if (left) return
      left = true
      held.users--
      if (held.users > 0) return
      connections.delete(key)
      await held.connection.end()
    },
  }
}

/** The longest payload that is looked at, in bytes; the rest of what a broker sends is dropped with a word in the log. */
const maxPayload = 1024 * 1024
/** Milliseconds between two tries to connect, half of it by chance; and what a try may take. */
const reconnectPeriod = 1000
const connectTimeout = 10_000

/** One connection to a broker that is not edgecore's own. It comes back by itself, with all its subscriptions. */
class Connection implements TopicSource {
  readonly topics = new SharedTopics()
  readonly watchers = new Set<(up: boolean, why: string) => void>()
  readonly #client: MqttClient
  readonly #log: Log
  readonly #filters = new Map<string, (message: TopicMessage) => void>()
  up = false
  why = 'connecting'

  constructor({ url, username, password, ca }: Broker, log: Log) {
    this.#log = log.child({ broker: new URL(url).host })
    this.#client = mqtt.connect(url, {
      ...(username === undefined ? {} : { username }),
      ...(password === undefined ? {} : { password }),
      ...(ca === undefined ? {} : { ca }),
      reconnectPeriod: reconnectPeriod / 2 + Math.random() * reconnectPeriod,
      connectTimeout,
      resubscribe: false,
      keepalive: 30,
      protocolVersion: 4,
    })
    this.#client.on('connect', () => this.#connected())
    this.#client.on('error', (error) => this.#lost(explain(error)))
    this.#client.on('close', () => this.#lost('the connection was closed'))
    this.#client.on('message', (topic, payload, { retain }) => this.#deliver({ topic, payload, retained: retain }))
    this.topics.attach(this)
  }

  open(filter: string, deliver: (message: TopicMessage) => void): () => void {
    this.#filters.set(filter, deliver)
    if (this.up) this.#subscribe([filter])
    return () => {
      this.#filters.delete(filter)
      if (this.up) this.#client.unsubscribe(filter, () => undefined)
    }
  }

  /** A broker sends what it keeps again when it is asked for again. */
  retained(filter: string): void {
    if (this.up) this.#subscribe([filter])
  }

  async publish({ topic, payload, qos = 1, retain = false }: Parameters<TopicSource['publish']>[0]): Promise<void> {
    // Kept in memory by the library, it would be sent late or never; the caller tries again.
    if (!this.up) throw new Error(`the broker is not reached: ${this.why}`)
    await this.#client.publishAsync(topic, payload, { qos, retain })
  }

  async end(): Promise<void> {
    this.watchers.clear()
    this.#client.removeAllListeners('message')
    await this.#client.endAsync(true)
  }

  #connected(): void {
    this.up = true
    this.why = ''
    this.#log.info('broker reached')
    this.#subscribe([...this.#filters.keys()])
    this.#tell()
  }

  #lost(why: string): void {
    const first = this.up || this.why === 'connecting'
    // The error tells more than the closing that follows it.
    if (this.up || this.why === 'connecting' || !why.startsWith('the connection')) this.why = why
    this.up = false
    if (!first) return
    this.#log.warn({ reason: why }, 'broker lost')
    this.#tell()
  }

  #subscribe(filters: string[]): void {
    if (filters.length === 0) return
    this.#client.subscribe(filters, { qos: 1 }, (error, granted) => {
      if (error) return this.#log.warn({ filters, reason: explain(error) }, 'broker does not let subscribe')
      const refused = granted?.filter(({ qos }) => (qos as number) === 128).map(({ topic }) => topic)
      if (refused?.length) this.#log.warn({ filters: refused }, 'broker refused a subscription')
    })
  }

  #deliver(message: TopicMessage): void {
    if (message.payload.length > maxPayload) {
      return this.#log.warn({ topic: message.topic, bytes: message.payload.length }, 'mqtt message too long')
    }
    // Each shared filter looks whether the topic is one of its own.
    for (const deliver of this.#filters.values()) deliver(message)
  }

  #tell(): void {
    for (const watcher of this.watchers) watcher(this.up, this.why)
  }
}
