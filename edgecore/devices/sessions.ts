import { matches } from '@kedge/shared/device-topics'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { LocalMqtt } from '../store/local-mqtt.ts'
import { capOfflineQueues } from './offline-queues.ts'

interface Client {
  id: string
}

interface Subscription {
  topic: string
  qos: number
}

export interface KeptPacket {
  topic: string
  payload: Buffer
  qos: number
  retain: boolean
}

/** aedes' own persistence, which lives in memory: the part that is overheard here. */
export interface Memory {
  storeRetained(packet: object): Promise<void>
  addSubscriptions(client: Client, subscriptions: Subscription[]): Promise<unknown>
  removeSubscriptions(client: Client, filters: string[]): Promise<unknown>
  cleanSubscriptions(client: Client): Promise<unknown>
  outgoingEnqueueCombi(sessions: { clientId: string }[], packet: { payload: Buffer }): Promise<unknown>
  outgoingClearMessageId(
    client: Client,
    packet: { messageId: number | undefined },
  ): Promise<{ payload: Buffer } | undefined>
}

export interface SessionsOptions {
  table: LocalMqtt
  /** One transaction of the store, on disk when it resolves. */
  commit: <T>(write: () => T) => Promise<T>
  log: Log
}

/** What a run finds of the one before. */
export interface Kept {
  /** Of all sessions. */
  filters: string[]
  retained: { topic: string; bytes: number }[]
}

/** Messages kept for one client while it is away. */
const maxQueued = 1000
/** Sessions of clients that may be away; further ones are refused. */
const maxSessions = 256

/**
 * Keeps retained messages and persistent sessions of the local broker in the database, behind aedes' persistence in
 * memory, which goes on serving them.
 *
 * Invariants:
 * - What a client publishes is on disk for every session that it is meant for, before it is acknowledged.
 * - A row goes once its client has acknowledged the message; after a crash a message may come twice, never not at all.
 * - Rows are found again by the payload's buffer: aedes makes packets of packets, and each carries the same buffer.
 */
export class Sessions {
  readonly #options: SessionsOptions
  /** The filters of each persistent session, with their QoS. */
  readonly #filters = new Map<string, Map<string, number>>()
  /** Row of a queued message, by client. */
  readonly #rows = new WeakMap<Buffer, Map<string, number>>()

  constructor(options: SessionsOptions) {
    this.#options = options
  }

  /** Goes behind the persistence of a broker that serves nobody yet, and brings back what the last run kept. */
  async attach(memory: Memory): Promise<Kept> {
    const { table, log } = this.#options
    const retained = table.retained()
    for (const { topic, payload, qos } of retained) {
      await memory.storeRetained({ cmd: 'publish', topic, payload, qos, retain: true, dup: false })
    }
    for (const { client, filter, qos } of table.filters()) {
      this.#note(client, filter, qos)
      await memory.addSubscriptions({ id: client }, [{ topic: filter, qos }])
    }
    this.#overhear(memory)
    capOfflineQueues(memory, maxQueued, log)
    for (const { id, client, topic, payload } of table.queued()) {
      this.#rows.set(payload, new Map([[client, id]]))
      // aedes tells two messages apart by the last two.
      const packet = { topic, payload, qos: 1, retain: false, brokerId: 'kept', brokerCounter: id }
      await memory.outgoingEnqueueCombi([{ clientId: client }], packet)
    }
    const filters = [...this.#filters.values()].flatMap((each) => [...each.keys()])
    return { filters, retained: retained.map(({ topic, payload }) => ({ topic, bytes: payload.length })) }
  }

  /** Whether one more client may have a persistent session. */
  admits(client: string): boolean {
    return this.#filters.has(client) || this.#filters.size < maxSessions
  }

  /** Keeps what a message is owed; undefined when that is nothing. Acknowledge it after this has resolved. */
  keep({ topic, payload, qos, retain }: KeptPacket): Promise<void> | undefined {
    const sessions = qos > 0 ? this.#sessionsOf(topic) : []
    if (!retain && sessions.length === 0) return undefined
    const { table, commit } = this.#options
    return commit(() => {
      if (retain) table.retain({ topic, payload, qos: qos === 0 ? 0 : 1 })
      if (sessions.length > 0) this.#rows.set(payload, this.#enqueue(sessions, topic, payload))
    })
  }

  #enqueue(sessions: readonly string[], topic: string, payload: Buffer): Map<string, number> {
    const { table } = this.#options
    return new Map(sessions.map((client) => [client, table.enqueue({ client, topic, payload })]))
  }

  #sessionsOf(topic: string): string[] {
    const found: string[] = []
    for (const [client, filters] of this.#filters) {
      for (const [filter, qos] of filters) {
        if (qos === 0 || !matches(filter, topic)) continue
        found.push(client)
        break
      }
    }
    return found
  }

  #note(client: string, filter: string, qos: number): void {
    const filters = this.#filters.get(client) ?? new Map<string, number>()
    this.#filters.set(client, filters.set(filter, qos))
  }

  #overhear(memory: Memory): void {
    const { table, commit } = this.#options
    const [add, remove] = [memory.addSubscriptions.bind(memory), memory.removeSubscriptions.bind(memory)]
    const [clean, clear] = [memory.cleanSubscriptions.bind(memory), memory.outgoingClearMessageId.bind(memory)]
    const enqueue = memory.outgoingEnqueueCombi.bind(memory)

    // SUBACK waits for this.
    memory.addSubscriptions = async (client, subscriptions) => {
      // A client that is back brings its subscriptions along: those are kept already.
      const fresh = subscriptions.filter(({ topic, qos }) => this.#filters.get(client.id)?.get(topic) !== qos)
      for (const { topic, qos } of fresh) this.#note(client.id, topic, qos)
      if (fresh.length > 0) {
        await commit(() => {
          for (const each of fresh) this.#subscribe(client.id, each)
        })
      }
      return add(client, subscriptions)
    }
    memory.removeSubscriptions = async (client, filters) => {
      const known = this.#filters.get(client.id)
      for (const filter of filters) known?.delete(filter)
      if (known?.size === 0) this.#filters.delete(client.id)
      if (known !== undefined) {
        await commit(() => {
          for (const filter of filters) table.unsubscribe(client.id, filter)
        })
      }
      return remove(client, filters)
    }
    // Every clean connection comes by here: most have nothing to forget.
    memory.cleanSubscriptions = async (client) => {
      if (this.#filters.delete(client.id)) await commit(() => table.forget(client.id))
      return clean(client)
    }
    memory.outgoingEnqueueCombi = (sessions, packet) => {
      if (sessions.length > 0 && !this.#rows.has(packet.payload)) this.#keepOwn(sessions, packet)
      return enqueue(sessions, packet)
    }
    memory.outgoingClearMessageId = async (client, packet) => {
      const cleared = await clear(client, packet)
      const rows = cleared && this.#rows.get(cleared.payload)
      if (rows !== undefined) this.#lazily(() => this.#dequeue(rows, client.id))
      return cleared
    }
  }

  #subscribe(client: string, { topic, qos }: Subscription): void {
    this.#options.table.subscribe({ client, filter: topic, qos: qos === 0 ? 0 : 1 })
  }

  /** Looked up in the transaction: the one that made the row may be queued before it. */
  #dequeue(rows: Map<string, number>, client: string): void {
    const row = rows.get(client)
    if (row !== undefined) this.#options.table.dequeue(row)
    rows.delete(client)
  }

  /** A message that edgecore itself publishes: nobody waits for an acknowledgement. */
  #keepOwn(sessions: { clientId: string }[], packet: { payload: Buffer; topic?: string }): void {
    const rows = new Map<string, number>()
    this.#rows.set(packet.payload, rows)
    this.#lazily(() => {
      const clients = sessions.map(({ clientId }) => clientId)
      for (const [client, id] of this.#enqueue(clients, packet.topic ?? '', packet.payload)) rows.set(client, id)
    })
  }

  #lazily(write: () => void): void {
    const { commit, log } = this.#options
    commit(write).catch((error: unknown) => log.error({ reason: explain(error) }, 'mqtt session not kept'))
  }
}
