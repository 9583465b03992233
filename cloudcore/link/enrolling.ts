import { type EnrolDown, enrolTimeout, enrolTopic, isEnrolClientId, parseEnrolUp } from '@kedge/shared/identity/enrol'
import type { Client, PublishPacket } from 'aedes'
import type { Door } from './door.ts'
import type { TurnedAway } from './turned-away.ts'

/** Milliseconds that a request waits for its turn: the rest of `enrolTimeout` is for the answer. */
const patience = 15_000

interface Session {
  source: string
  /** A request is being worked on. */
  busy: boolean
  timer: NodeJS.Timeout
}

export interface EnrollingOptions {
  door: Door
  turnedAway: TurnedAway
  /** Milliseconds that such a connection may last. */
  timeout?: number
}

/**
 * The connections that enrol.
 *
 * Invariants:
 * - Such a connection says and hears nothing but its own request and its answer, one at a time; nor does its last will.
 * - It ends when its time is over, whatever it is doing.
 */
export class Enrolling {
  readonly #options: EnrollingOptions
  readonly #sessions = new Map<Client, Session>()
  /** All that there ever were: a last will is published when the session has ended. */
  readonly #known = new WeakSet<Client>()

  constructor(options: EnrollingOptions) {
    this.#options = options
  }

  /** Connections that enrol at the moment. */
  get size(): number {
    return this.#sessions.size
  }

  isOne(client: Client): boolean {
    return this.#known.has(client)
  }

  begin(client: Client): void {
    const { door, timeout = enrolTimeout } = this.#options
    const timer = setTimeout(() => client.close(), timeout)
    this.#known.add(client)
    this.#sessions.set(client, { source: door.caller(client.conn).source, busy: false, timer })
    client.conn.once('close', () => {
      clearTimeout(timer)
      this.#sessions.delete(client)
    })
  }

  maySubscribe(client: Client, topic: string): boolean {
    if (isEnrolClientId(client.id) && topic === enrolTopic(client.id, 'down')) return true
    // By where it comes from: each has another client id.
    const source = this.#sessions.get(client)?.source ?? 'unknown'
    this.#options.turnedAway.tell('subscription', source, 'subscription refused', { source, topic })
    return false
  }

  /** Takes what such a connection publishes; an error closes it. */
  publish(client: Client, packet: PublishPacket, done: (error?: Error | null) => void): void {
    const session = this.#sessions.get(client)
    const { topic, qos, retain } = packet
    if (session === undefined || topic !== enrolTopic(client.id, 'up') || qos === 2 || retain) {
      return this.#refuse(client, { topic, qos, retain }, 'it may do nothing but enrol', done)
    }
    if (session.busy) return this.#refuse(client, { topic }, 'it has not got its answer yet', done)
    session.busy = true
    done()
    void this.#answer(client, Buffer.from(packet.payload)).finally(() => {
      session.busy = false
    })
  }

  /** Ends all of them. */
  stop(): void {
    for (const { timer } of this.#sessions.values()) clearTimeout(timer)
  }

  async #answer(client: Client, bytes: Buffer): Promise<void> {
    const { door, turnedAway } = this.#options
    const caller = door.caller(client.conn)
    const parsed = parseEnrolUp(bytes)
    if (!parsed.ok) {
      turnedAway.tell('enrolment', caller.source, 'enrolment refused', { source: caller.source, reason: parsed.reason })
      return send(client, { is: 'refused', code: 'csr-invalid', reason: parsed.reason })
    }
    const asking = { ...caller, gone: () => client.closed, patience }
    const result = await door.options.enroller.answer(asking, parsed.message)
    if (result.is === 'refused') {
      const { code, reason } = result
      turnedAway.tell('enrolment', caller.source, 'enrolment refused', { source: caller.source, code, reason })
      return send(client, result)
    }
    const { broker } = door.options
    send(client, { is: 'enrolled', ...result.given, ...(broker === undefined ? {} : { broker }) })
  }

  #refuse(client: Client, found: object, reason: string, done: (error: Error) => void): void {
    const source = this.#sessions.get(client)?.source ?? 'unknown'
    this.#options.turnedAway.tell('enrolment', source, 'enrolment refused', { source, ...found, reason })
    done(new Error(reason))
  }
}

function send(client: Client, message: EnrolDown): void {
  if (client.closed) return
  const topic = enrolTopic(client.id, 'down')
  const payload = Buffer.from(JSON.stringify(message))
  client.publish({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false }, () => {})
}
