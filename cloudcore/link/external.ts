import { type Backoff, delay } from '@kedge/shared/backoff'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { type DownFrame, encodeFrame } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { sendAtOnce } from '@kedge/shared/mqtt-no-delay'
import '@kedge/shared/mqtt-packets'
import { sleep } from '@kedge/shared/service'
import { linkFilter, linkTopic, parseLinkTopic } from '@kedge/shared/topics'
import mqtt, { type ISubscriptionGrant, type MqttClient } from 'mqtt'
import type { Barred } from '../identity/issuing.ts'
import type { BrokerAccess } from './broker-access.ts'
import { Gate } from './gate.ts'
import type { Link, LinkEvents } from './link.ts'
import type { Rate } from './token-bucket.ts'
import { Traffic } from './traffic.ts'
import { TurnedAway } from './turned-away.ts'

export interface ExternalLinkOptions {
  broker: BrokerAccess
  events: LinkEvents
  clock: Clock
  /** A draw from [0, 1). */
  random: () => number
  log: Log
  /** Why a node is to be treated as not there; undefined when it is welcome. */
  barred?: (node: string) => Barred | undefined
  /** How fast nodes may begin conversations; see `gate.ts`. */
  admission?: Rate
  /** Seconds: a broker that is gone without a word is noticed within one and a half times this. */
  keepAlive?: number
}

/** Of two cloudcores at one broker the newer stays, as of two connections of one node. */
const clientId = 'kedge-cloudcore'
const backoff: Backoff = { base: 500, cap: 4000 }
const connectTimeout = 10_000
/** Bytes that the broker has not taken after which it counts as stuck. */
const maxUnsent = 128 * 1024 * 1024

/**
 * The link over somebody else's MQTT broker, which holds each node to its own topics (deploy/mosquitto).
 *
 * Presence is what the nodes and their last wills say there. A retained `1` may be older than the broker's last crash,
 * and a node does not notice that cloudcore was away: so whoever is said to be there is asked to begin anew, and counts
 * as connected when it speaks. The same after a `0`: it may be the last will of a connection that has been replaced.
 *
 * Invariants:
 * - No node is up while there is no connection to the broker.
 * - What is retained is never taken for a frame.
 */
export class ExternalLink implements Link {
  readonly traffic = new Traffic()
  readonly port = undefined
  readonly enrolling = 0
  readonly turnedAway: TurnedAway
  readonly #options: ExternalLinkOptions
  readonly #gate: Gate
  readonly #stopping = new AbortController()
  readonly #running: Promise<void>
  #client: MqttClient | undefined
  #up = false
  #unsent = 0
  /** Why the last connection has ended, and what the present one would end of. */
  #reason = 'not connected yet'
  #ending = ''

  /** Connects, and goes on trying to, until it is stopped. */
  constructor(options: ExternalLinkOptions) {
    this.#options = options
    const { events, clock, log, admission } = options
    this.turnedAway = new TurnedAway(log)
    this.#gate = new Gate({
      ...{ events, clock, log, admission, traffic: this.traffic },
      askAll: (node) => this.send(node, { is: 'tell', what: 'all' }),
      backlog: () => this.#unsent,
    })
    this.#running = this.#run()
  }

  get backlog(): number {
    return this.#unsent
  }

  get waiting(): number {
    return this.#gate.waiting
  }

  notReady(): string[] {
    return this.#up ? [] : [`no connection to the broker ${this.#options.broker.url}: ${this.#reason}`]
  }

  send(node: string, frame: DownFrame): void {
    const client = this.#client
    if (client === undefined || this.#options.barred?.(node) !== undefined) return
    const bytes = encodeFrame(frame)
    if (this.#unsent + bytes.length > maxUnsent) return this.#stuck(client)
    this.#unsent += bytes.length
    client.publish(linkTopic(node, 'down'), bytes, { qos: 1 }, (error) => {
      if (this.#client !== client) return
      this.#unsent -= bytes.length
      if (!error) this.traffic.count(node, 'sent', bytes.length)
    })
  }

  /** That broker keeps the connections of the nodes. */
  connectionOf(): undefined {
    return undefined
  }

  prolong(): void {}

  /** Something else is known of a node: one that is barred now is no longer there, one that is welcome begins anew. */
  look(node: string): void {
    if (this.#isBarred(node)) this.#gate.present(node, false)
    else if (this.#up && !this.#gate.isUp(node)) this.#askAll(node)
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#running
    this.#gate.stop()
  }

  async #run(): Promise<void> {
    const { broker, clock, random, log } = this.#options
    const { signal } = this.#stopping
    for (let attempt = 0; !signal.aborted; attempt++) {
      const began = clock.monotonic()
      const connected = await this.#once(signal)
      if (signal.aborted) return
      if (connected && clock.monotonic() - began > backoff.cap) attempt = 0
      const wait = Math.round(delay(attempt, backoff, random()))
      const worthTelling = connected || (attempt & (attempt - 1)) === 0
      log[worthTelling ? 'warn' : 'debug']({ url: broker.url, reason: this.#reason, attempt, wait }, 'link broker down')
      await sleep(wait, signal)
    }
  }

  /** One connection from the first try to its end; whether it was of use. */
  #once(signal: AbortSignal): Promise<boolean> {
    const { broker, keepAlive: keepalive = 30 } = this.#options
    const { url, user: username, password, ca, cert, key } = broker
    return new Promise((resolve) => {
      const client = mqtt.connect(url, {
        ...{ clientId, username, password, keepalive, connectTimeout, clean: true, reconnectPeriod: 0 },
        ...{ resubscribe: false, queueQoSZero: false },
        ...(ca === undefined ? {} : { ca }),
        ...(cert === undefined ? {} : { cert }),
        ...(key === undefined ? {} : { key }),
      })
      this.#ending = 'closed by the broker'
      const abort = () => void client.end(true)
      signal.addEventListener('abort', abort, { once: true })
      client.on('error', (error) => {
        this.#ending = explain(error)
      })
      client.on('connect', () => {
        sendAtOnce(client)
        if (client.connected) this.#subscribe(client)
      })
      client.on('message', (topic, payload, { retain }) => this.#receive(topic, payload, retain))
      client.on('close', () => {
        signal.removeEventListener('abort', abort)
        const connected = this.#up
        this.#reason = this.#ending
        this.#client = undefined
        this.#up = false
        this.#unsent = 0
        client.end(true)
        this.#gate.allGone()
        resolve(connected)
      })
    })
  }

  #subscribe(client: MqttClient): void {
    this.#client = client
    client.subscribe([linkFilter('up'), linkFilter('alive')], { qos: 1 }, (error, granted) => {
      const refused = granted?.filter(isRefused).map(({ topic }) => topic) ?? []
      if (error || refused.length > 0) {
        this.#ending = error
          ? `subscribe: ${explain(error)}`
          : `the broker refuses ${refused.join(' and ')}: see its ACL`
        client.end(true)
        return
      }
      if (this.#client !== client) return
      this.#up = true
      this.#options.log.info({ url: this.#options.broker.url }, 'link broker up')
    })
  }

  #receive(topic: string, payload: Buffer, retained: boolean): void {
    const parsed = parseLinkTopic(topic)
    if (parsed === undefined) return
    const { node, channel } = parsed
    if (this.#isBarred(node)) return
    if (channel === 'up') {
      if (!retained) this.#gate.take(node, payload)
      return
    }
    const present = payload.toString() === '1'
    if (!retained) this.#gate.present(node, present)
    if (present === retained) this.#askAll(node)
  }

  #isBarred(node: string): boolean {
    const bar = this.#options.barred?.(node)
    if (bar === undefined) return false
    const kind = bar.code === 'node-locked' ? 'locked' : 'revoked'
    this.turnedAway.tell(kind, node, 'node refused', { node, reason: bar.reason })
    return true
  }

  #askAll(node: string): void {
    this.send(node, { is: 'tell', what: 'all' })
  }

  #stuck(client: MqttClient): void {
    this.traffic.cut++
    this.#ending = `it has not taken ${this.#unsent} bytes`
    this.#client = undefined
    client.end(true)
  }
}

function isRefused({ qos }: ISubscriptionGrant): boolean {
  return Number(qos) === 0x80
}
