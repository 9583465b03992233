import type { Socket } from 'node:net'
import { type Backoff, delay } from '@kedge/shared/backoff'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { type DownFrame, decodeDown, encodeFrame, isNewer, type UpFrame } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import type { Lane } from '@kedge/shared/reports'
import { type Service, sleep } from '@kedge/shared/service'
import { linkTopic } from '@kedge/shared/topics'
import { MqttSession } from './mqtt-session.ts'
import { reach } from './reach.ts'

export interface CloudLinkOptions {
  /** `mqtt://host:port` of the broker. */
  url: string
  /** Name of this node: its client id, its user name, and the level of the topics that it may use. */
  node: string
  /** What a broker other than cloudcore's own may ask for. */
  access?: CloudAccess
  /** Opens the connection, in place of what `url` says; may throw `NotNow`. */
  open?: (signal: AbortSignal) => Promise<Socket>
  /** The broker has refused this node (CONNACK, not authorized). */
  onRefused?: () => void
  /** Milliseconds, 30 s unless given: a half-open connection is noticed within one and a half times this. */
  keepAlive?: number
  onUp: () => void
  onDown: () => void
  onFrame: (frame: DownFrame) => void
  onMalformed: (reason: string) => void
  clock: Clock
  /** A draw from [0, 1). */
  random: () => number
  log: Log
}

export interface CloudAccess {
  password?: string | undefined
  /** Certificates that vouch for the broker, PEM. */
  ca?: string | undefined
}

/** There is no sense in trying again soon. */
export class NotNow extends Error {
  override name = 'NotNow'
  /** Not before so many milliseconds. */
  readonly wait: number

  constructor(message: string, wait = 0) {
    super(message)
    this.wait = wait
  }
}

interface Ended {
  connected: boolean
  reason: string
  /** Not to be tried again before so many milliseconds, and then rarely. */
  notNow?: number
}

/** What a frame is sent for: the conversation about the desired state, or a lane of reports. */
export type Purpose = Lane | 'sync'

/** How long the first try and later ones may wait: a cut link is back within seconds, and a fleet comes back spread. */
const quick: Backoff = { base: 250, cap: 2000 }
/** A cloudcore that is started again is back within seconds: the tries of the first ten are for it. */
const soon: Backoff = { base: 250, cap: 500 }
const soonTries = 40
/** Another minute was in vain: from then on, since each try costs bytes. */
const patient: Backoff = { base: 4000, cap: 4000 }
const quickTries = 80
/** Somebody has to do something first, such as to unlock the node. */
const refused: Backoff = { base: 60_000, cap: 900_000 }
/** The return code of a CONNACK packet (MQTT 3.1.1, 3.2.2.3). */
const notAuthorized = 5
const defaultKeepAlive = 30_000
/** The largest that fits into a CONNECT packet, in seconds (MQTT 3.1.1, 3.1.2.10). */
const longestKeepAlive = 65_535
/** Milliseconds until the broker can be reached: the kernel's own tries come ever more rarely, a new one is sooner. */
const reachTimeout = 10_000
/** Milliseconds until a broker that was reached has answered: one with a whole fleet at its door needs its time. */
const connectTimeout = 30_000
/** Milliseconds that a stop waits for the broker to take what was sent. */
const stopGrace = 1000

/** Milliseconds to wait after try number `attempt` (from 0) has failed; `random` is a draw from [0, 1). */
export function retryDelay(attempt: number, random: number): number {
  if (attempt < soonTries) return delay(attempt, soon, random)
  return delay(attempt, attempt < quickTries ? quick : patient, random)
}

/**
 * The one outbound connection to the cloud. Every try is a new MQTT session: what a former
 * connection left unsent is the business of the sync conversation and the outbox, not of MQTT.
 */
export class CloudLink implements Service {
  readonly #options: CloudLinkOptions
  #stopping = new AbortController()
  #stopped = false
  #session: MqttSession | undefined
  #up = false
  #running: Promise<void> | undefined
  /** Bytes of frames in each direction since the start. */
  readonly traffic = { sent: 0, received: 0, malformed: 0, newer: 0 }
  /** Bytes of frames sent, by what they were sent for. */
  readonly sentFor = new Map<Purpose, number>()

  constructor(options: CloudLinkOptions) {
    this.#options = options
  }

  get up(): boolean {
    return this.#up
  }

  start(): void {
    if (!this.#stopped) this.#running ??= this.#run()
  }

  /** Ends the connection and makes no other until `resume`. */
  async pause(): Promise<void> {
    this.#stopping.abort()
    await this.#running
  }

  /** Undoes a `pause`. */
  resume(): void {
    if (this.#stopped || !this.#stopping.signal.aborted) return
    this.#stopping = new AbortController()
    const before = this.#running ?? Promise.resolve()
    this.#running = before.then(() => this.#run())
  }

  /** Hands a frame to the connection; false when there is none. Delivery is confirmed by frames, never by MQTT. */
  send(frame: UpFrame, purpose: Purpose = 'sync'): boolean {
    if (!this.#up || this.#session === undefined) return false
    const bytes = encodeFrame(frame)
    this.traffic.sent += bytes.length
    this.sentFor.set(purpose, (this.sentFor.get(purpose) ?? 0) + bytes.length)
    this.#session.publish(linkTopic(this.#options.node, 'up'), bytes)
    return true
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#stopping.abort()
    await this.#running
  }

  async #run(): Promise<void> {
    const { log, random, clock } = this.#options
    const { signal } = this.#stopping
    let refusals = 0
    for (let attempt = 0; !signal.aborted; attempt++) {
      const began = clock.monotonic()
      const { connected, reason, notNow } = await this.#once(signal)
      if (signal.aborted) return
      // A link that held for a while starts the back-off anew; one that is cut at once does not.
      if (connected && clock.monotonic() - began > patient.cap) attempt = 0
      refusals = notNow === undefined ? 0 : refusals + 1
      const usual = retryDelay(attempt, random())
      const wait = Math.round(
        notNow === undefined ? usual : Math.min(notNow, refused.cap) + delay(refusals - 1, refused, random()),
      )
      // Told when it breaks, then ever more rarely: a node that is offline for a month does not fill its log.
      const worthTelling = connected || (attempt & (attempt - 1)) === 0
      log[worthTelling ? 'warn' : 'debug']({ url: this.#options.url, reason, attempt, wait }, 'link down')
      await sleep(wait, signal)
    }
  }

  /** One connection from the first try to its end. */
  async #once(signal: AbortSignal): Promise<Ended> {
    const { url, access, open } = this.#options
    try {
      const plain = { url, ca: access?.ca, timeout: reachTimeout, tlsTimeout: connectTimeout }
      return await this.#connection(await (open?.(signal) ?? reach({ ...plain, signal })), signal)
    } catch (error) {
      const reason = explain(error)
      return error instanceof NotNow ? { connected: false, reason, notNow: error.wait } : { connected: false, reason }
    }
  }

  #connection(socket: Socket, signal: AbortSignal): Promise<Ended> {
    const { url, node, access = {}, keepAlive = defaultKeepAlive, log, onUp, onDown, onRefused } = this.#options
    return new Promise((resolve) => {
      const alive = linkTopic(node, 'alive')
      const down = linkTopic(node, 'down')
      let farewell: NodeJS.Timeout | undefined
      const abort = () => {
        if (!this.#up) return session.destroy('stopped')
        // A clean disconnect sends no last will: say it in its place.
        session.publish(alive, '0', { retain: true })
        session.end()
        // It waits for the broker, which a dead connection would make it do for long.
        farewell = setTimeout(() => session.destroy('stopped'), stopGrace)
      }
      const session = new MqttSession(socket, {
        clientId: node,
        ...(access.password === undefined ? {} : { username: node, password: access.password }),
        will: { topic: alive, payload: '0' },
        keepalive: Math.min(longestKeepAlive, Math.max(1, Math.round(keepAlive / 1000))),
        connectTimeout,
        onConnect: () => {
          session.publish(alive, '1', { retain: true })
          session.subscribe(down, (granted) => {
            if (!granted) return session.destroy(`subscribe: the broker refuses ${down}: see its ACL`)
            if (signal.aborted) return
            this.#session = session
            this.#up = true
            log.info({ url }, 'link up')
            onUp()
          })
        },
        onMessage: (payload) => this.#receive(payload),
        onClose: ({ reason, code }) => {
          signal.removeEventListener('abort', abort)
          clearTimeout(farewell)
          if (code === notAuthorized) onRefused?.()
          const connected = this.#up
          this.#up = false
          this.#session = undefined
          if (connected) onDown()
          resolve({ connected, reason })
        },
      })
      signal.addEventListener('abort', abort, { once: true })
      if (signal.aborted) abort()
    })
  }

  #receive(payload: Buffer): void {
    const { onFrame, onMalformed, log } = this.#options
    this.traffic.received += payload.length
    const decoded = decodeDown(payload)
    // What only a newer cloud knows is no fault of it.
    if (isNewer(decoded)) this.traffic.newer++
    if (!decoded.ok && decoded.unknown) return log.debug({ reason: decoded.reason }, 'frame passed over')
    if (!decoded.ok) {
      const count = ++this.traffic.malformed
      // A cloud that sends nothing else does not fill the log.
      if (count <= 16 || (count & (count - 1)) === 0) {
        log.warn({ reason: decoded.reason, bytes: payload.length, count }, 'malformed frame')
      }
      return onMalformed(decoded.reason)
    }
    try {
      onFrame(decoded.frame)
    } catch (error) {
      log.error({ frame: decoded.frame.is, reason: explain(error) }, 'frame not handled')
    }
  }
}
