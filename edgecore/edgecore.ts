import { existsSync } from 'node:fs'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { metricsText } from '@kedge/shared/metrics'
import { type Service, stopAll } from '@kedge/shared/service'
import { openStatusServer } from '@kedge/shared/status-server'
import { version } from '@kedge/shared/version'
import { type Cloud, openCloud } from './cloud.ts'
import { controlPath } from './control/path.ts'
import { openControl } from './control/server.ts'
import { blame } from './devices/drivers/blame.ts'
import { driverOptions } from './devices/drivers/named.ts'
import { startDevices } from './devices/host.ts'
import type { CloudAccessSettings } from './link/access.ts'
import { type EdgeParts, edgeMetrics } from './metrics.ts'
import { circumstancesOf } from './node/circumstances.ts'
import { startNodeParts } from './node/node-parts.ts'
import { openRuntime, type RuntimeSettings } from './pods/open-runtime.ts'
import { reportDiscovered } from './reports/discovered.ts'
import { NodeConditions } from './reports/node-conditions.ts'
import { bootId, type NodeStatus, startNodeStatus } from './reports/node-status.ts'
import { startOutboxCare } from './reports/outbox-care.ts'
import { secretsCondition } from './reports/secrets-condition.ts'
import { storageCondition, tellDamage } from './reports/storage-condition.ts'
import { databasePath, type EdgecoreSettings, type LocalBrokerSettings } from './settings.ts'
import { Objects } from './store/objects.ts'
import { Outbox } from './store/outbox.ts'
import { defaultBounds, type OutboxBounds } from './store/outbox-bounds.ts'
import { renewing } from './store/renewal.ts'
import { Store } from './store/store.ts'
import { Holding } from './sync/holding.ts'
import { usable } from './sync/usable.ts'
import { NodeClock } from './time/node-clock.ts'
import { clockCondition, keepTime } from './time/timekeeping.ts'

export interface EdgecoreOptions {
  settings: Pick<EdgecoreSettings, 'nodeName' | 'cloud' | 'data' | 'mqttHost' | 'mqttPort' | 'metricsAddress'> &
    Partial<
      Pick<
        EdgecoreSettings,
        | 'commitInterval'
        | 'outboxBytes'
        | 'outboxAge'
        | 'linkBudget'
        | 'dmiSocket'
        | 'cloudKeepAlive'
        | 'driver'
        | 'webhookAddress'
        | 'uploads'
        | 'secretsKeyFile'
        | 'staticPods'
        | 'systemReserved'
        | 'autonomy'
      >
    > &
    CloudAccessSettings &
    LocalBrokerSettings &
    RuntimeSettings
  clock: Clock
  /** A draw from [0, 1). */
  random: () => number
  log: Log
  /** Claims the data folder for this process, before its database is opened; throws when another holds it. */
  claim?: () => void
}

export interface Edgecore extends Service {
  /** Port of the local MQTT broker. */
  readonly mqttPort: number
  /** True once the cloud has confirmed, on the present link, what this node holds. */
  readonly inSync: boolean
}

export interface RunningEdgecore extends Edgecore {
  /** Takes an error that nobody caught: true when edgecore goes on all the same. */
  survive(error: unknown): boolean
}

/** Starts edgecore over its store, and again over a new one when that has to be opened anew. */
export async function startEdgecore(options: EdgecoreOptions): Promise<RunningEdgecore> {
  const { settings, log, claim } = options
  const { commitInterval, secretsKeyFile } = settings
  const clock = new NodeClock({ system: options.clock, synchronized: () => existsSync(synchronizedFile) })
  const running = await renewing<Edgecore>({
    open: (damaged) =>
      Store.open({ path: databasePath(settings.data), commitInterval, secretsKeyFile, claim, clock, log, damaged }),
    start: (store, before) => startParts({ ...options, clock, store, before }),
    log,
  })
  return {
    get mqttPort() {
      return running.current.mqttPort
    },
    get inSync() {
      return running.current.inSync
    },
    survive: (error) => running.survive(error) || blame(error),
    stop: () => running.stop(),
  }
}

/** What systemd-timesyncd leaves once it has the time (systemd-timesyncd.service(8)). */
const synchronizedFile = '/run/systemd/timesync/synchronized'

interface PartsOptions extends EdgecoreOptions {
  clock: NodeClock
  store: Store
  /** What ran until now: local clients find the same port again. */
  before: Edgecore | undefined
}

/**
 * Builds edgecore in the order of the flow: the store; what runs from it, with or without a cloud; and last the link,
 * which brings changes down to it and takes reports up. When a part cannot start, those before it are stopped again.
 */
async function startParts({ settings, clock, random, log, store, before }: PartsOptions): Promise<Edgecore> {
  const started: Service[] = []
  const add = <T extends Service>(service: T): T => {
    started.push(service)
    return service
  }
  const stop = () => stopAll(started, (error) => log.error({ reason: explain(error) }, 'stop failed'))
  try {
    const objects = new Objects(store.db)
    const outbox = new Outbox(store.db, clock, { bounds: boundsOf(settings) })
    const holding = new Holding(store, objects, usable)
    const conditions = new NodeConditions()
    conditions.add(() => storageCondition(store))
    store.onFault(() => conditions.changed())
    conditions.add(() => secretsCondition(store))
    add(keepTime({ store, clock, log }))
    conditions.add(() => clockCondition(clock))
    const common = { conditions, store, objects, outbox, clock, log, nodeName: settings.nodeName }

    const runtime = await openRuntime(settings, { store, clock, log, bootId: bootId() })
    add({ stop: async () => runtime.close() })
    const { mqttHost: host, dmiSocket, data, uploads } = settings
    const port = before?.mqttPort ?? settings.mqttPort
    const dmi = dmiSocket ? { socket: dmiSocket, data } : undefined
    const devices = add(
      await startDevices({ ...common, host, port, mqtt: settings, dmi, uploads, random, ...driverOptions(settings) }),
    )
    let nodeStatus: NodeStatus | undefined
    let cloud: Cloud | undefined
    const pods = await startNodeParts({
      ...{ ...common, runtime, settings, add },
      verified: () => holding.complete,
      circumstances: () => circumstancesOf({ store, clock, nodeStatus, cloud }),
      link: () => cloud?.link,
    })
    const standing = () => ({
      ...{ version, node: settings.nodeName, conditions: conditions.now() },
      ...(cloud && { link: { url: settings.cloud ?? '', up: cloud.link.up, inSync: cloud.inSync } }),
    })
    add(await openControl({ path: controlPath(data), devices, pods: pods.routes, standing, log }))
    const care = add(startOutboxCare(common))
    add(reportDiscovered({ ...common, devices }))
    const status = add(
      startNodeStatus({ ...common, runtime, dataDir: settings.data, reserved: settings.systemReserved }),
    )
    nodeStatus = status
    if (settings.cloud !== undefined)
      cloud = add(openCloud({ ...common, holding, settings, random, devices, pods, nodeStatus: status, care }))
    if (settings.metricsAddress !== null) {
      const parts: EdgeParts = { store, objects, outbox, clock, cloud, devices, node: pods }
      const { host, port } = settings.metricsAddress
      const metrics = metricsText(edgeMetrics(parts))
      const served = add(await openStatusServer({ host, port, notReady: () => [], metrics }))
      log.info({ host, port: served.port }, 'metrics served')
    }
    store.onFault(() => {
      if (store.fault !== undefined || store.inMemory) return
      log.info({}, 'taking up what could not be written')
      status.again()
      pods.wake([])
      cloud?.again()
      devices.wake([]).catch((error: unknown) => log.error({ reason: explain(error) }, 'devices not applied'))
    })
    await tellDamage({ store, outbox, clock, nodeName: settings.nodeName })
    cloud?.start()
    log.info({ cloud: settings.cloud ?? 'none', mqttPort: devices.port }, 'edgecore started')
    return {
      mqttPort: devices.port,
      get inSync() {
        return cloud?.inSync ?? false
      },
      stop,
    }
  } catch (error) {
    await stop()
    throw error
  }
}

function boundsOf({ outboxBytes, outboxAge }: EdgecoreOptions['settings']): OutboxBounds {
  return { bytes: outboxBytes ?? defaultBounds.bytes, age: outboxAge ?? defaultBounds.age }
}
