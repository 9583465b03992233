import { randomUUID } from 'node:crypto'
import { existsSync } from 'node:fs'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { type DownFrame, type Frame, talkName } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { metricsText } from '@kedge/shared/metrics'
import type { Key } from '@kedge/shared/objects'
import type { NodeReport } from '@kedge/shared/reports'
import { type Service, stopAll } from '@kedge/shared/service'
import { openStatusServer } from '@kedge/shared/status-server'
import { version } from '@kedge/shared/version'
import { controlPath } from './control/path.ts'
import { openControl } from './control/server.ts'
import { blame } from './devices/drivers/blame.ts'
import { driverOptions } from './devices/drivers/named.ts'
import { type Devices, startDevices } from './devices/host.ts'
import type { IdentityKeeper } from './identity/keeper.ts'
import { openKeeper } from './identity/open.ts'
import { type CloudAccessSettings, cloudAccess } from './link/access.ts'
import { CloudLink } from './link/link.ts'
import { type EdgeParts, edgeMetrics } from './metrics.ts'
import { circumstancesOf } from './node/circumstances.ts'
import { type NodeParts, startNodeParts } from './node/node-parts.ts'
import { openRuntime, type RuntimeSettings } from './pods/open-runtime.ts'
import { allReported, reportsOn } from './reports/again.ts'
import { careForBudget } from './reports/budget-care.ts'
import { reportDiscovered } from './reports/discovered.ts'
import { Drain } from './reports/drain.ts'
import type { LinkBudget } from './reports/link-budget.ts'
import { NodeConditions } from './reports/node-conditions.ts'
import { bootId, type NodeStatus, startNodeStatus } from './reports/node-status.ts'
import { type OutboxCare, startOutboxCare } from './reports/outbox-care.ts'
import { secretsCondition } from './reports/secrets-condition.ts'
import { storageCondition, tellDamage } from './reports/storage-condition.ts'
import { databasePath, type EdgecoreSettings, type LocalBrokerSettings } from './settings.ts'
import { Objects } from './store/objects.ts'
import { Outbox } from './store/outbox.ts'
import { defaultBounds, type OutboxBounds } from './store/outbox-bounds.ts'
import { PodStatuses } from './store/pods.ts'
import { renewing } from './store/renewal.ts'
import { getMeta, Store, setMeta } from './store/store.ts'
import { TwinTable } from './store/twins.ts'
import { Conversation } from './sync/conversation.ts'
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

interface CloudOptions {
  settings: EdgecoreOptions['settings']
  store: Store
  holding: Holding
  outbox: Outbox
  devices: Devices
  pods: Pick<NodeParts, 'wake'>
  nodeStatus: NodeStatus
  care: OutboxCare
  conditions: NodeConditions
  clock: NodeClock
  random: () => number
  log: Log
}

export interface Cloud extends Service {
  readonly link: CloudLink
  /** Looks after the node's certificate, where it has one. */
  readonly keeper: IdentityKeeper | undefined
  readonly budget: LinkBudget | undefined
  readonly inSync: boolean
  start(): void
  /** Asks and says once more what was under way, where there is a link: what came meanwhile could not be kept. */
  again(): void
}

/** The link with its two users: the conversation about what this node holds, and the drain of its reports. */
function openCloud({
  settings,
  store,
  holding,
  outbox,
  devices,
  pods,
  nodeStatus,
  care,
  conditions,
  clock,
  random,
  log,
}: CloudOptions): Cloud {
  const run = randomUUID().slice(0, 8)
  let talks = 0
  const keeper = openKeeper({ settings, conditions, clock, log, send: (frame) => link.send(frame) })
  const conversation = new Conversation({
    holding,
    send: (frame) => link.send(frame),
    wake: (keys: readonly Key[]) => {
      pods.wake(keys)
      // Told by the devices themselves when it fails; it is tried again with the next change and at the next start.
      devices
        .wake(keys)
        .catch((error: unknown) => log.error({ reason: explain(error) }, 'devices not told of a change'))
    },
    newTalk: () => talkName(run, ++talks),
    version,
    ...(keeper && { trust: () => keeper.trust }),
    clock,
    log,
  })
  const { db } = store
  const known = { statuses: new PodStatuses(db), twins: new TwinTable(db), objects: new Objects(db) }
  const reportAgain = (keys: readonly Key[]) => {
    store
      .commit(() => reportsOn(keys, known).forEach((report) => void outbox.add(report)))
      .catch((error: unknown) => log.error({ reason: explain(error) }, 'reports not made again'))
  }
  const box = `${boxOf(store)}.${run}`
  const drain = new Drain({
    ...{ store, outbox, box, clock, random, log },
    send: (frame, lane) => link.send(frame, lane),
    isOurs: (subject) => care.isOurs(subject),
    onRefused: (reason) => care.refused(reason),
    pause: (lane) => budget?.budget.pause(lane) ?? 0,
  })
  nodeStatus.onUnkept((report) => link.send(unkeptFrame(report)))
  const begin = () => {
    conversation.up()
    drain.up()
    if (nodeStatus.unkept) link.send(unkeptFrame(nodeStatus.unkept))
  }
  if (settings.cloud?.startsWith('mqtt:')) {
    log.warn({ cloud: settings.cloud, todo: 'edgecore join mqtts://HOST:8883 --token TOKEN' }, 'link is plain')
  }
  const link = new CloudLink({
    url: settings.cloud ?? '',
    node: settings.nodeName,
    access: cloudAccess(settings),
    ...(settings.cloudKeepAlive === undefined ? {} : { keepAlive: settings.cloudKeepAlive }),
    ...(keeper && { open: (signal) => keeper.open(signal), onRefused: () => keeper.refused() }),
    onUp: () => {
      keeper?.up()
      begin()
    },
    onDown: () => {
      conversation.down()
      drain.down()
    },
    onFrame: (frame: DownFrame) => {
      if (frame.is === 'answered' && frame.now !== undefined) clock.cloudSays(frame.now)
      if (frame.is === 'answered') drain.answered(frame)
      else if (frame.is === 'renewed') keeper?.answered(frame)
      else if (frame.is === 'identity') keeper?.told(frame)
      else if (frame.is !== 'tell') conversation.receive(frame)
      else if (frame.what === 'node') nodeStatus.again()
      else if (frame.what === 'state') reportAgain(frame.keys ?? allReported(known))
      else begin()
    },
    onMalformed: () => conversation.malformed(),
    ...{ clock, random, log },
  })
  const { linkBudget: limit } = settings
  const carried = () => link.traffic.sent + link.traffic.received
  const budget = limit ? careForBudget({ limit, store, conditions, carried, clock, log }) : undefined
  const timer = setInterval(() => {
    budget?.tick()
    conversation.tick()
    drain.tick()
    keeper?.tick()
  }, 1000)
  return {
    link,
    keeper,
    budget: budget?.budget,
    get inSync() {
      return conversation.inSync
    },
    start: () => link.start(),
    again: () => {
      if (link.up) begin()
    },
    stop: async () => {
      clearInterval(timer)
      await link.stop()
      drain.down()
      budget?.tick()
      await budget?.save()
    },
  }
}

/** What the disk did not take goes out in a box of its own, whose answers nobody waits for. */
function unkeptFrame(report: NodeReport): Frame<'reports'> {
  return { is: 'reports', box: 'memory', items: [{ seq: 1, version: 1, report }] }
}

function boundsOf({ outboxBytes, outboxAge }: EdgecoreOptions['settings']): OutboxBounds {
  return { bytes: outboxBytes ?? defaultBounds.bytes, age: outboxAge ?? defaultBounds.age }
}

/** The name of this node's outbox: made with the database and gone with it. */
function boxOf(store: Store): string {
  const known = getMeta(store.db, 'box')
  if (known !== undefined) return known
  const box = randomUUID().slice(0, 8)
  // What was never written down is not missed: the outbox takes nothing either.
  if (store.fault === undefined) setMeta(store.db, 'box', box)
  return box
}
