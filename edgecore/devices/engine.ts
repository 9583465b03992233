import { randomUUID } from 'node:crypto'
import type { Clock } from '@kedge/shared/clock'
import {
  type DeviceName,
  type DeviceTopic,
  deviceTopic,
  isAnswer,
  matches,
  parseDeviceTopic,
} from '@kedge/shared/device-topics'
import type { Device } from '@kedge/shared/devices'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import type { Key } from '@kedge/shared/objects'
import { StorageError } from '../store/faults.ts'
import type { Objects } from '../store/objects.ts'
import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import { TwinTable } from '../store/twins.ts'
import { baseHost } from './base-host.ts'
import { Cloud } from './cloud.ts'
import type { Driver, LazyDriver } from './drivers/driver.ts'
import type { BaseHost, Patience, Shared } from './drivers/instance.ts'
import { Runner } from './drivers/runner.ts'
import { fault, readGet } from './messages.ts'
import { Push } from './push/push.ts'
import type { Pushed } from './push/targets.ts'
import { Refusals, type Warned } from './refusals.ts'
import { type Entry, Registry } from './registry.ts'
import { type Context, type Message, type Outcome, Requests } from './requests.ts'
import { UnknownTopics } from './unknown-topics.ts'
import { type Transaction, Writer } from './writer.ts'

export interface EngineOptions {
  store: Store
  objects: Objects
  outbox: Outbox
  clock: Clock
  log: Log
  nodeName: string
  drivers: readonly (Driver | LazyDriver)[]
  /** What the drivers share: the local broker, the webhooks. */
  shared: Shared
  /** How long a driver may take. */
  patience?: Partial<Patience> | undefined
  /** The gRPC mappers; a device that one of them serves has no driver. */
  mappers?: { serves(entry: Entry): boolean; wake(id: string): void } | undefined
  /** Sends a message to whoever subscribes to its topic; `done` is called when it is on its way. */
  publish: (message: Message, done?: () => void) => void
  /** A new unique id; a random UUID unless given. */
  newId?: (() => string) | undefined
  /** A draw from [0, 1); for virtual devices. */
  random?: (() => number) | undefined
}

/** What became of a message that a client published. */
export type Taken = 'not ours' | 'not allowed' | Promise<void>

/** How long to wait before what could not be written is tried again, in milliseconds. */
const retryAfter = 5000

/**
 * The devices of this node: their twins, the requests on their topics, their drivers.
 *
 * Invariants:
 * - An answer, and the promise that lets the broker acknowledge a message, come after the commit.
 * - Answers leave in the order in which the requests came.
 * - What the cloud wants is read from the database each time, so that being woken twice, or after a crash, is harmless.
 */
export class Engine {
  readonly #options: EngineOptions
  readonly #registry = new Registry()
  readonly #context: Context
  readonly #requests: Requests
  readonly #cloud: Cloud
  readonly #table: TwinTable
  readonly #writer: Writer
  readonly #runner: Runner
  readonly #push: Push
  readonly #unknown: UnknownTopics
  /** Keys whose change could not be written yet. */
  readonly #unapplied = new Set<Key>()
  #retry: NodeJS.Timeout | undefined
  #stopped: Promise<void> | undefined

  constructor(options: EngineOptions) {
    this.#options = options
    const { store, objects, outbox, clock, log, nodeName, newId = randomUUID, drivers } = options
    const registry = this.#registry
    this.#unknown = new UnknownTopics(log)
    this.#context = { registry, refusals: new Refusals(), clock, newId, nodeName, log }
    this.#requests = new Requests(this.#context)
    this.#cloud = new Cloud({ ...this.#context, objects, requests: this.#requests })
    this.#table = new TwinTable(store.db)
    const onFailure = () => this.#recover()
    const { shared, patience, random = Math.random } = options
    this.#push = new Push({
      ...{ store, random, log },
      mapped: (entry) => options.mappers?.serves(entry) === true,
      onRefused: (pushed, reason) => this.#pushRefused(pushed, reason),
    })
    this.#writer = new Writer({ store, table: this.#table, outbox, registry, push: this.#push, log, onFailure })
    const hostFor = (entry: Entry) => this.hostOf(entry)
    this.#runner = new Runner({ drivers, hostFor, shared, patience, clock, random, log })
  }

  /** Takes up where the last run stopped; call it once, before anything else. */
  async start(): Promise<void> {
    this.#cloud.load(this.#table)
    await this.wake(this.#cloud.allKeys()).catch((error: unknown) => {
      if (!(error instanceof StorageError)) throw error
      // A disk that takes no write: it goes on as the last run left it, and `recover` has seen to another try.
      this.#options.log.error({ reason: explain(error) }, 'devices not applied')
    })
    this.#push.start()
  }

  /**
   * Applies what the cloud changed: call it with the keys of devices and models once their change is committed. Resolves
   * when the twins are written and everyone is told; rejects when they could not be written, and then tries again by
   * itself.
   */
  async wake(keys: readonly Key[]): Promise<void> {
    for (const key of keys) this.#unapplied.add(key)
    const outcome = await this.#writer.submit((transaction) => {
      const pending = [...this.#unapplied]
      this.#unapplied.clear()
      return this.#cloud.apply(transaction, pending)
    }, 'now')
    this.#tell(outcome)
  }

  /** What `pushMethod` has under way, for the metrics. */
  get push(): Pick<Push, 'waiting' | 'dropped'> {
    return this.#push
  }

  /** What the drivers do, for the metrics. */
  get drivers(): Pick<Runner, 'size' | 'failures'> {
    return this.#runner
  }

  /** How often something was wrong with which device, for the metrics. */
  get warned(): Iterable<Warned> {
    return this.#context.refusals.counts()
  }

  /** A message of a client that was not read, and so has no answer: the device that it was for shows it. */
  unread(topic: string, reason: string): void {
    const parsed = parseDeviceTopic(topic)
    const entry = parsed?.of === 'device' ? this.#registry.find(parsed) : undefined
    if (entry) this.warn(entry, 'WriteRefused', reason)
  }

  /** A client's message. The promise resolves once it is kept and answered, and rejects when it could not be kept. */
  take(topic: string, payload: Buffer): Taken {
    const parsed = parseDeviceTopic(topic)
    if (parsed === undefined) {
      this.#unknown.heed(topic)
      return 'not ours'
    }
    if (isAnswer(parsed.action)) return 'not allowed'
    return this.#serve(topic, payload, (transaction) => this.#request(transaction, parsed, payload))
  }

  /**
   * A request on a topic by someone on this node who is no MQTT client. Resolves with the answer once it is kept and
   * everyone is told; rejects when it could not be kept.
   */
  async ask(topic: string, payload: Buffer): Promise<string> {
    const parsed = parseDeviceTopic(topic)
    if (parsed === undefined || isAnswer(parsed.action)) throw new Error(`nobody may ask on ${topic}`)
    const outcome = await this.#writer.submit((transaction) => this.#request(transaction, parsed, payload), 'now')
    this.#tell(outcome)
    return must(outcome.messages.find((message) => message.topic === `${topic}/result`)?.payload, 'the answer')
  }

  /** The deltas that stand open on topics which a filter matches: what a client that subscribes has missed. */
  openDeltas(filter: string): Message[] {
    if (!filter.startsWith('$hw/')) return []
    const wanted = (name: DeviceName) => matches(filter, deviceTopic(name, 'twin/update/delta'))
    const entries = [...this.#registry.all()].filter((entry) => this.#registry.namesOf(entry).some(wanted))
    return entries.flatMap((entry) => this.#requests.openDelta(entry)).filter(({ topic }) => matches(filter, topic))
  }

  #request(transaction: Transaction, topic: DeviceTopic, payload: Buffer): Outcome {
    if (topic.of === 'node') return this.#requests.membershipGet(topic.node, payload)
    if (topic.action === 'twin/update') return this.#requests.twinUpdate(transaction, topic, payload)
    if (topic.action === 'twin/get') return this.#requests.twinGet(transaction, topic, payload)
    return this.#requests.stateUpdate(transaction, topic, payload)
  }

  async #serve(topic: string, payload: Buffer, work: (transaction: Transaction) => Outcome): Promise<void> {
    try {
      this.#tell(await this.#writer.submit(work))
    } catch (error) {
      const { eventId } = readGet(payload)
      const answer = fault({ eventId, now: this.#options.clock.now() }, { code: 500, reason: explain(error) })
      await new Promise<void>((resolve) =>
        this.#options.publish({ topic: `${topic}/result`, payload: answer }, resolve),
      )
      throw error
    }
  }

  /** What follows from work that is committed. */
  #tell({ messages, touched, desired }: Outcome): void {
    for (const message of messages) this.#options.publish(message)
    const started = new Set(touched.filter((id) => this.#attach(id)))
    for (const [id, values] of desired) {
      this.#options.mappers?.wake(id)
      const entry = started.has(id) ? undefined : this.#registry.get(id)
      if (entry !== undefined) this.#runner.desired(entry, values)
    }
  }

  /** Sees to it that what serves a device, its mapper or its driver, knows it as it is. True when a driver starts. */
  #attach(id: string): boolean {
    const { mappers } = this.#options
    const entry = this.#registry.get(id)
    const isMapped = entry !== undefined && mappers?.serves(entry) === true
    const started = this.#runner.update(id, isMapped ? undefined : entry)
    if (entry?.device && !isMapped) this.#tellPushFaults(entry, entry.device)
    mappers?.wake(id)
    return started
  }

  /** Once for each text: a device is touched by many things. */
  #tellPushFaults(entry: Entry, device: Device): void {
    const text = this.#push.faults(device).join('; ')
    if (text !== '' && text !== entry.pushFaults) this.warn(entry, 'PushUnsupported', text)
    entry.pushFaults = text
  }

  #pushRefused({ namespace, name, property }: Pushed, reason: string): void {
    const entry = this.#registry.get(`${namespace}/${name}`)
    if (entry) this.warn(entry, 'PushRefused', `${property}: ${reason}`)
  }

  /** Which of mappers and drivers serves these devices may have changed. */
  reattach(ids: readonly string[]): void {
    const { mappers, log } = this.#options
    for (const id of ids) this.#attach(id)
    const replaced = ids.filter((id) => {
      const entry = this.#registry.get(id)
      return entry && mappers?.serves(entry) && this.#runner.serves(entry)
    })
    if (replaced.length > 0) log.info({ devices: replaced.length, first: replaced[0] }, 'mapper instead of driver')
  }

  /** The devices, to read. */
  get devices(): Pick<Registry, 'get' | 'all' | 'find' | 'missing'> {
    return this.#registry
  }

  /** What an attachment of a device may do. */
  hostOf(entry: Entry): BaseHost {
    const { registry, clock, log } = this.#context
    return baseHost(entry, {
      ...{ registry, clock, log, requests: this.#requests, writer: this.#writer },
      random: this.#options.random ?? Math.random,
      tell: (outcome) => this.#tell(outcome),
      note: (work) => this.#note(work),
    })
  }

  /** Leaves a Warning event on a device and a line in the log, not too often. `reason` is one word for machines. */
  warn({ id }: Entry, reason: string, text: string): void {
    this.#note((transaction) => {
      const entry = this.#registry.get(id)
      if (entry) this.#requests.warn(transaction, entry, { reason, text })
    })
  }

  /** A transaction failed: takes the devices from the database again, and tries again what the cloud wants of them. */
  #recover(): void {
    if (this.#stopped !== undefined) return
    this.#cloud.load(this.#table)
    this.#cloud.describe()
    this.#push.recount()
    for (const key of this.#cloud.allKeys()) this.#unapplied.add(key)
    this.#retry ??= setTimeout(() => {
      this.#retry = undefined
      this.wake([]).catch((error: unknown) =>
        this.#options.log.error({ reason: explain(error) }, 'devices not applied'),
      )
    }, retryAfter)
  }

  #note(work: (transaction: Transaction) => void): void {
    this.#writer
      .submit(work)
      .catch((error: unknown) => this.#options.log.error({ reason: explain(error) }, 'event not kept'))
  }

  /** Stops the drivers and waits for what is being written; safe to call twice. */
  stop(): Promise<void> {
    this.#stopped ??= this.#end()
    return this.#stopped
  }

  async #end(): Promise<void> {
    clearTimeout(this.#retry)
    await this.#runner.stop()
    await this.#push.stop()
    await this.#writer.submit(() => undefined, 'now').catch(() => undefined)
  }
}
