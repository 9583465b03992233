import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { NodeReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { version } from '@kedge/shared/version'
import type { Amounts } from '../pods/claim.ts'
import type { Runtime } from '../pods/runtime.ts'
import { type Scheduler, systemScheduler } from '../pods/scheduler.ts'
import { StorageError } from '../store/faults.ts'
import type { Outbox } from '../store/outbox.ts'
import { getMeta, type Store, setMeta } from '../store/store.ts'
import { NodeConditions } from './node-conditions.ts'
import { type NodeFacts, otherDisk, readNodeFacts } from './node-facts.ts'
import { nodeImages } from './node-images.ts'
import { nodeReport, type Pressures, pressuresOf, sameNode } from './node-report.ts'

export interface NodeStatusOptions {
  store: Store
  outbox: Outbox
  clock: Clock
  log: Log
  nodeName: string
  /** Folder of this edgecore's data: its file system is the node's ephemeral storage. */
  dataDir: string
  runtime: Pick<Runtime, 'name' | 'version' | 'notice' | 'health' | 'images'> & Partial<Pick<Runtime, 'imageFsInfo'>>
  /** What is set aside for the system. */
  reserved?: Amounts | undefined
  /** What the other parts say of the node. */
  conditions?: NodeConditions
  scheduler?: Scheduler
  facts?: (dataDir: string) => Promise<NodeFacts>
}

export interface NodeStatus extends Service {
  /** Looks at once, and not only when the next minute is over; resolves when what was found is written down. */
  look(): Promise<void>
  /** Reports once more what was reported last. */
  again(): void
  /** What the machine runs short of, as reported last; undefined before the first look. */
  readonly pressures: Pressures | undefined
  /** The newest report when the disk did not take it, or undefined: what the outbox has is then older. */
  readonly unkept: NodeReport | undefined
  /** Calls `listener` with each report that the disk did not take: it goes to the cloud from memory or not at all. */
  onUnkept(listener: (report: NodeReport) => void): void
}

export { bootId, internalIP } from './node-facts.ts'

const everyMs = 60_000
/** So often while the container engine is away or has no network: the node is not ready for as long as nobody looks. */
const troubledMs = 5000
/** What changes is reported after so long, with what else changes meanwhile. */
const soonMs = 250
/** A pressure that has gone counts on for so long, so that a node at its threshold does not flap. */
const pressureLastsMs = 300_000
const metaName = 'node-report'

/**
 * Reports on the node itself at the start and whenever something other than the time has changed.
 *
 * Invariants:
 * - The last report is kept with the outbox row, in one transaction; the times in it live on over restarts.
 * - A disk that takes no write does not silence the node: its reports then go out from memory, every minute.
 */
export function startNodeStatus(options: NodeStatusOptions): NodeStatus {
  const { store, outbox, clock, log, scheduler = systemScheduler, runtime, dataDir } = options
  const conditions = options.conditions ?? new NodeConditions()
  const pressed = new Map<keyof Pressures, number>()
  /** Whether the next report goes out even if it says nothing new. */
  let first = true
  let stopped = false
  let cancel = () => {}
  let looking: Promise<void> | undefined
  /** Another look follows the one under way, and soon. */
  let again = false
  let soon = false
  let unkept: NodeReport | undefined
  let pressures: Pressures | undefined
  let troubled = false
  const listeners: ((report: NodeReport) => void)[] = []

  async function find(): Promise<NodeReport> {
    const own = await (options.facts ?? readNodeFacts)(dataDir)
    const health = await runtime.health()
    troubled = !health.runtime.ok || !health.network.ok
    const [imageDisk, engineVersion, images] = await Promise.all([
      findImageDisk().catch(() => undefined),
      runtime.version().catch(() => undefined),
      runtime.images().then(nodeImages, () => undefined),
    ])
    const facts = { ...own, ...(imageDisk && { imageDisk }) }
    const { nodeName, reserved } = options
    const { name, notice } = runtime
    const previous = unkept ?? readLast(store)
    pressures = lasting(pressuresOf(facts), pressed, clock.monotonic())
    return nodeReport({
      ...{ nodeName, facts, version, arch: process.arch, platform: process.platform, now: clock.now() },
      runtime: { name, health, ...(engineVersion && { version: engineVersion }), ...(notice && { notice }) },
      ...(reserved && { reserved }),
      ...(images && { images }),
      pressures,
      conditions: conditions.now(),
      ...(previous && { previous }),
    })
  }

  async function findImageDisk(): Promise<NodeFacts['imageDisk']> {
    const places = (await runtime.imageFsInfo?.()) ?? []
    return otherDisk(
      places.map(({ path }) => path),
      dataDir,
    )
  }

  async function look(): Promise<void> {
    try {
      const report = await find()
      const last = readLast(store)
      if (!first && unkept === undefined && last && sameNode(last, report)) return
      first = false
      await keep(report)
    } catch (error) {
      first = true
      log.warn({ reason: explain(error), retryMs: everyMs }, 'node report failed')
    }
  }

  async function keep(report: NodeReport): Promise<void> {
    try {
      await store.commit(() => {
        setMeta(store.db, metaName, JSON.stringify(report))
        outbox.add(report)
      })
      unkept = undefined
      log.debug({ report }, 'node reported')
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      unkept = report
      for (const listener of listeners) listener(report)
    }
  }

  function lookOnce(): Promise<void> {
    cancel()
    soon = false
    looking ??= look().finally(() => {
      looking = undefined
      if (again) lookSoon(soonMs)
      else if (!stopped) cancel = scheduler.after(troubled ? troubledMs : everyMs, () => void lookOnce())
    })
    return looking
  }

  function lookSoon(ms: number): void {
    // A look under way may not have seen what this one is for.
    again = looking !== undefined
    if (again || soon || stopped) return
    cancel()
    soon = true
    cancel = scheduler.after(ms, () => void lookOnce())
  }

  conditions.onChange(() => lookSoon(soonMs))
  void lookOnce()
  return {
    look: lookOnce,
    again() {
      first = true
      lookSoon(0)
    },
    get pressures() {
      return pressures
    },
    get unkept() {
      return unkept
    },
    onUnkept: (listener) => void listeners.push(listener),
    async stop() {
      stopped = true
      cancel()
      await looking
    },
  }
}

function readLast(store: Store): NodeReport | undefined {
  const text = getMeta(store.db, metaName)
  const parsed = text === undefined ? undefined : NodeReport.safeParse(JSON.parse(text))
  return parsed?.success ? parsed.data : undefined
}

function lasting(now: Pressures, pressed: Map<keyof Pressures, number>, at: number): Pressures {
  const lasts = (name: keyof Pressures) => {
    if (now[name]) pressed.set(name, at)
    const since = pressed.get(name)
    return since !== undefined && at - since < pressureLastsMs
  }
  return { memory: lasts('memory'), disk: lasts('disk'), pids: lasts('pids') }
}
