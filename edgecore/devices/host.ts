import type { Clock } from '@kedge/shared/clock'
import type { DeviceMethod } from '@kedge/shared/devices'
import type { Log } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import { type Announcement, discoveredAnnotation, type Proposal, proposalsOf } from '@kedge/shared/proposals'
import type { Service } from '@kedge/shared/service'
import type { Address } from '@kedge/shared/setting-types'
import type { LocalBrokerSettings } from '../settings.ts'
import type { Objects } from '../store/objects.ts'
import type { Outbox } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'
import { type DeviceBroker, openDeviceBroker } from './broker.ts'
import { BrokerAccess, credentials } from './broker-access.ts'
import { Discovery } from './discovery/discovery.ts'
import type { LinkPatience } from './dmi/link.ts'
import { Mapping } from './dmi/mapping.ts'
import type { MapperCounts } from './dmi/metrics.ts'
import { builtInDrivers } from './drivers/catalog.ts'
import type { Driver, LazyDriver } from './drivers/driver.ts'
import type { Patience } from './drivers/instance.ts'
import { SharedTopics } from './drivers/topics.ts'
import { WebhookServer } from './drivers/webhooks.ts'
import { Engine } from './engine.ts'
import type { Warned } from './refusals.ts'
import type { Message } from './requests.ts'
import { Uploads } from './uploads.ts'

export interface DevicesOptions {
  store: Store
  objects: Objects
  outbox: Outbox
  clock: Clock
  log: Log
  nodeName: string
  /** Where the local broker listens; 127.0.0.1 unless given. */
  host?: string
  /** 0 takes a free one. */
  port: number
  /** Who may use the local broker, and whether it is one of the node's own; the built-in one for everybody unless given. */
  mqtt?: LocalBrokerSettings
  /** The built-in drivers unless given. */
  drivers?: readonly (Driver | LazyDriver)[]
  /** Where webhooks are served once a device needs one; null for nowhere, a free port of 127.0.0.1 unless given. */
  webhookAddress?: Address | null
  /** How long drivers may take, where that differs from the rule. */
  patience?: Partial<Patience>
  /** Where gRPC mappers register, a path or `auto`, beside the data folder; nowhere unless given. */
  dmi?: { socket: string; data: string } | undefined
  /** How long mappers may take, where that differs from the rule. */
  mapperPatience?: Partial<LinkPatience>
  /** Takes what is published on the upload topics to the cloud; not unless given. */
  uploads?: boolean | undefined
  /** For tests: unique ids and chance. */
  newId?: () => string
  random?: () => number
}

export interface Devices extends Service {
  /** The port of the local broker. */
  readonly port: number
  /** Where gRPC mappers register; undefined where they cannot. */
  readonly mapperSocket: string | undefined
  /** Undefined where mappers cannot register. */
  readonly mappers: MapperCounts | undefined
  /** How many devices have a driver, and how often the driver of which device failed. */
  readonly drivers: { readonly size: number; readonly failures: ReadonlyMap<string, number> }
  /** How often something was wrong with which device, since edgecore started. */
  readonly warned: Iterable<Warned>
  /** The port of the webhooks, while a device needs them. */
  readonly webhookPort: number | undefined
  /**
   * Applies what the cloud changed: keys of devices and device models, after their change was committed; other keys are
   * ignored. Resolves once twins are written and devices are told.
   */
  wake(keys: readonly Key[]): Promise<void>
  /** A request on a device topic by someone on this node; see `Engine.ask`. */
  ask(topic: string, payload: Buffer): Promise<string>
  /** The methods of a device, `<namespace>/<name>`; undefined when this node has no such device. */
  methods(id: string): DeviceMethod[] | undefined
  /** Manifests for the devices that are announced on the local broker and that this node does not have yet. */
  discovered(namespace: string): Proposal[]
  /** What is announced on the local broker and no device of this node yet. */
  announced(): Announcement[]
  /** Calls `listener` when something else is announced. */
  onAnnounced(listener: () => void): void
  /** Hears every message that goes out on device topics. Returns what ends that. */
  listen(hear: (message: Message) => void): () => void
}

/**
 * Starts the devices of this node: takes up the twins where the last run left them, opens the local MQTT broker, starts
 * the drivers. Throws a `UserError` when the port is in use.
 */
export async function startDevices(options: DevicesOptions): Promise<Devices> {
  const { log, drivers = builtInDrivers, host = '127.0.0.1' } = options
  const { webhookAddress = { host: '127.0.0.1', port: 0 } } = options
  const topics = new SharedTopics()
  const shared = { topics, webhooks: new WebhookServer(webhookAddress, log) }
  const listeners = new Set<(message: Message) => void>()
  let broker: DeviceBroker | undefined
  // Before the broker is open nobody can be subscribed.
  const publish = (message: Message, done?: () => void) => {
    for (const hear of listeners) hear(message)
    if (broker) broker.publish(message, done)
    else done?.()
  }
  const mapping = options.dmi && new Mapping({ ...options, patience: options.mapperPatience })
  const engine = new Engine({ ...options, drivers, shared, publish, mappers: mapping?.mappers })
  await engine.start()
  try {
    broker = await openBroker({ ...options, host, engine })
    if (options.dmi) await mapping?.open(engine, options.dmi)
  } catch (error) {
    topics.close()
    await engine.stop()
    await broker?.stop()
    throw error
  }
  const opened = broker
  topics.attach(opened.topics)
  let announced = () => {}
  const discovery = new Discovery({ topics, onChange: () => announced(), log })
  return {
    port: opened.port,
    drivers: engine.drivers,
    get warned() {
      return engine.warned
    },
    get webhookPort() {
      return shared.webhooks.port
    },
    wake: async (keys) => {
      await engine.wake(keys)
      // What is a device now is no longer to be proposed.
      if (!discovery.isEmpty) announced()
    },
    ask: (topic, payload) => engine.ask(topic, payload),
    methods: (id) => {
      const entry = engine.devices.get(id)
      return entry && (entry.device?.spec?.methods ?? [])
    },
    discovered: (namespace) => {
      const { known, taken } = devicesThere(engine, namespace)
      return proposalsOf(discovery.announcements, { nodeName: options.nodeName, namespace, known, taken })
    },
    announced: () => {
      const { known } = devicesThere(engine, '')
      return discovery.announcements.filter(({ id }) => !known.has(id))
    },
    onAnnounced: (listener) => {
      announced = listener
    },
    listen: (hear) => {
      listeners.add(hear)
      return () => void listeners.delete(hear)
    },
    mapperSocket: mapping?.path,
    get mappers() {
      return mapping?.mappers.counts
    },
    stop: async () => {
      discovery.stop()
      await mapping?.stop()
      await engine.stop()
      await opened.stop()
    },
  }
}

/** The built-in broker, or the client of one of the node's own: then nothing of the first is loaded. */
async function openBroker(options: DevicesOptions & { host: string; engine: Engine }): Promise<DeviceBroker> {
  const { mqtt = {}, host, log } = options
  const uploads = new Uploads({ ...options, enabled: options.uploads ?? false })
  if (mqtt.mqttBroker !== undefined) {
    const { openExternalBroker } = await import('./external-broker.ts')
    return openExternalBroker({ ...options, uploads, url: mqtt.mqttBroker, ...credentials(mqtt) })
  }
  const broker = await openDeviceBroker({ ...options, uploads, access: BrokerAccess.load(mqtt) })
  log.info({ host, port: broker.port }, 'local mqtt broker open')
  return broker
}

/** Names of devices in a namespace, and the ids that devices of this node were announced with. */
function devicesThere(engine: Engine, namespace: string): { taken: Set<string>; known: Set<string> } {
  const taken = new Set<string>()
  const known = new Set<string>()
  for (const entry of engine.devices.all()) {
    if (entry.namespace === namespace) taken.add(entry.name)
    const id = entry.device?.metadata.annotations?.[discoveredAnnotation]
    if (id !== undefined) known.add(id)
  }
  return { taken, known }
}
