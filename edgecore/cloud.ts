import { randomUUID } from 'node:crypto'
import { explain } from '@kedge/shared/errors'
import { type DownFrame, type Frame, talkName } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import type { NodeReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { version } from '@kedge/shared/version'
import type { Devices } from './devices/host.ts'
import type { IdentityKeeper } from './identity/keeper.ts'
import { openKeeper } from './identity/open.ts'
import { type CloudAccessSettings, cloudAccess } from './link/access.ts'
import { CloudLink } from './link/link.ts'
import type { NodeParts } from './node/node-parts.ts'
import { allReported, reportsOn } from './reports/again.ts'
import { careForBudget } from './reports/budget-care.ts'
import { Drain } from './reports/drain.ts'
import type { LinkBudget } from './reports/link-budget.ts'
import type { NodeConditions } from './reports/node-conditions.ts'
import type { NodeStatus } from './reports/node-status.ts'
import type { OutboxCare } from './reports/outbox-care.ts'
import type { EdgecoreSettings } from './settings.ts'
import { Objects } from './store/objects.ts'
import type { Outbox } from './store/outbox.ts'
import { PodStatuses } from './store/pods.ts'
import { getMeta, type Store, setMeta } from './store/store.ts'
import { TwinTable } from './store/twins.ts'
import { Conversation } from './sync/conversation.ts'
import type { Holding } from './sync/holding.ts'
import type { NodeClock } from './time/node-clock.ts'

export type CloudSettings = Pick<EdgecoreSettings, 'nodeName' | 'cloud' | 'data'> &
  Partial<Pick<EdgecoreSettings, 'cloudKeepAlive' | 'linkBudget'>> &
  CloudAccessSettings

interface CloudOptions {
  settings: CloudSettings
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
export function openCloud({
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

/** The name of this node's outbox: made with the database and gone with it. */
function boxOf(store: Store): string {
  const known = getMeta(store.db, 'box')
  if (known !== undefined) return known
  const box = randomUUID().slice(0, 8)
  // What was never written down is not missed: the outbox takes nothing either.
  if (store.fault === undefined) setMeta(store.db, 'box', box)
  return box
}
