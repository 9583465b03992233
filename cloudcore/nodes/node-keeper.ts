import { rfc3339 } from '@kedge/shared/clock'
import type { KubeObject } from '@kedge/shared/objects'
import type { NodeReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted, refused } from '../kube/answer.ts'
import type { NodeChange } from '../kube/catalog-entry.ts'
import type { Condition } from '../kube/conditions.ts'
import { hasCode, isRefusal } from '../kube/errors.ts'
import { KeyedWorker, type Pass } from '../kube/keyed-worker.ts'
import { isJson } from '../kube/merge-patch.ts'
import { nodePath } from '../kube/paths.ts'
import { type Written, writeObject } from '../kube/status-patch.ts'
import { isEdgeNode } from '../kube/trim.ts'
import { answerOf, type WriterParts, workerOptions } from '../kube/writer-parts.ts'
import { Leases } from './leases.ts'
import { heard } from './node-claims.ts'
import { lostReady, newNode, nodeStatus, readyByLink, relabelled } from './node-object.ts'
import { type NodePlan, nodePlan, withTaint } from './node-plan.ts'
import type { Presence } from './presence.ts'

export interface NodeKeeperParts extends WriterParts {
  catalog: {
    nodes(): Iterable<KubeObject>
    onNodeChange(listener: (change: NodeChange) => void): () => void
    ready: Promise<void>
  }
  presence: Presence
  /** Milliseconds that a link may be gone before the Node says so. */
  grace: number
  /** Milliseconds that a node may be out of reach and keep its pods, unless it declares its own. */
  defaultAutonomy: number
  /** Asks a node that has a link to report itself again. */
  ask: (node: string) => void
  /** What else is to be said of a node. */
  conditionsOf?: (node: KubeObject, isLinked: boolean) => Condition[]
  /** Milliseconds between two renewals of a lease. */
  leaseInterval?: number
}

/** What a pass works with. */
interface Look {
  name: string
  node: KubeObject
  plan: NodePlan
  /** To be written, or undefined when the node has said nothing new. */
  report: NodeReport | undefined
}

/** No timer is longer than this; a later look sets the next. */
const longestWait = 3_600_000

/** The key of a node among the freshest copies. */
export function nodeKey(name: string): string {
  return `nodes/${name}`
}

/**
 * Keeps the Node object and the lease of every edge node: registers it, writes what it says of itself, and what
 * cloudcore knows of its link.
 *
 * Invariants:
 * - a node's object is written by one pass at a time, from its newest copy;
 * - a report is answered after it is written, labels and status;
 * - a lease is renewed exactly while the last plan of its node says so.
 */
export class NodeKeeper implements Service {
  readonly #parts: NodeKeeperParts
  readonly #leases: Leases
  readonly #worker: KeyedWorker<Answer>
  /** The newest report of each node, and whether Kubernetes has it. */
  readonly #reports = new Map<string, { report: NodeReport; written: boolean }>()
  readonly #timers = new Map<string, NodeJS.Timeout>()
  /** What each node last said and was not heard on. */
  readonly #unheard = new Map<string, string>()
  #unsubscribe: () => void = () => {}
  #stopped = false

  constructor(parts: NodeKeeperParts) {
    this.#parts = parts
    this.#leases = new Leases({ ...parts, interval: parts.leaseInterval ?? 10_000 })
    this.#worker = new KeyedWorker({ ...workerOptions(parts), interval: 0, pass: (name) => this.#pass(name) })
  }

  /** Begins once the catalog is ready. */
  async start(): Promise<void> {
    const { catalog, presence } = this.#parts
    await catalog.ready
    if (this.#stopped) return
    this.#unsubscribe = catalog.onNodeChange((change) => this.#changed(change))
    presence.onChange((node) => (node === undefined ? this.#wakeAll() : this.#worker.wake(node)))
    this.#wakeAll()
  }

  /** The link of a node is up, since `since` (wall time, ms). */
  connected(node: string, { since }: { since?: number } = {}): void {
    this.#parts.presence.connected(node, since)
  }

  disconnected(node: string): void {
    this.#parts.presence.disconnected(node)
  }

  /** Something else is known of a node. */
  look(node: string): void {
    if (!this.#stopped) this.#worker.wake(node)
  }

  /** What a node says of itself; registers it the first time. */
  report(node: string, report: NodeReport): Promise<Answer> {
    const { report: own, unheard } = heard(report, (name) => name !== node && this.#isNode(name))
    this.#tellUnheard(node, unheard.join(', '))
    this.#reports.set(node, { report: own, written: false })
    return this.#worker.run(node)
  }

  #isNode(name: string): boolean {
    return this.#parts.freshest.get(nodeKey(name)) !== undefined
  }

  /** Said once for each thing, counted each time. */
  #tellUnheard(node: string, unheard: string): void {
    const before = this.#unheard.get(node) ?? ''
    if (unheard === '') this.#unheard.delete(node)
    else this.#unheard.set(node, unheard)
    if (unheard === '') return
    this.#parts.counters.add('unheard')
    if (unheard === before) return
    const told = unheard.slice(0, 1024)
    this.#parts.log.warn({ node, unheard: told }, 'node speaks of what is not its own: left out')
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#unsubscribe()
    for (const timer of this.#timers.values()) clearTimeout(timer)
    await Promise.all([this.#worker.stop(), this.#leases.stop()])
  }

  #wakeAll(): void {
    for (const node of this.#parts.catalog.nodes()) if (isEdgeNode(node)) this.#worker.wake(node.metadata.name)
  }

  #changed({ name, before, after }: NodeChange): void {
    if ((before && isEdgeNode(before)) || (after && isEdgeNode(after))) this.#worker.wake(name)
  }

  async #pass(name: string): Promise<Pass<Answer>> {
    const said = this.#reports.get(name)
    const isLinked = this.#parts.presence.of(name, this.#parts.grace).is === 'connected'
    // A Node that was deleted while its edge has a link comes back.
    if (said !== undefined && isLinked && this.#parts.freshest.get(nodeKey(name)) === undefined) said.written = false
    const node = await this.#find(name, said?.written ? undefined : said?.report)
    if (node === undefined || 'is' in node) {
      if (node === undefined && isLinked) this.#parts.ask(name)
      this.#leases.drop(name)
      return { wrote: false, result: node === undefined ? accepted : (node as Answer) }
    }
    const { presence, grace, defaultAutonomy, clock, log, counters } = this.#parts
    const plan = nodePlan({ node, presence: presence.of(name, grace), defaultAutonomy, now: clock.now() })
    const isBack = isLinked && lostReady(node)
    plan.conditions.push(...(this.#parts.conditionsOf?.(node, isLinked) ?? []))
    const look = { name, node, plan, report: said && (!said.written || isBack) ? said.report : undefined }
    if (isBack && said === undefined) {
      plan.conditions.push(readyByLink)
      this.#parts.ask(name)
    }
    const written = await this.#write(look)
    if (said !== undefined && look.report !== undefined) said.written = written.is !== 'gone'
    this.#follow(look)
    return answerOf(written, { log, counters, key: nodeKey(name) })
  }

  /** Labels, taint and annotations, then the status. */
  async #write({ name, node, plan, report }: Look): Promise<Written> {
    const { kube, freshest, counters, clock } = this.#parts
    const now = rfc3339(clock.now())
    const key = nodeKey(name)
    const common = { kube, freshest, counters, key, path: nodePath(name) }
    const newest = () => {
      const known = freshest.get(key)
      return known && isEdgeNode(known) ? known : node
    }
    const object = await writeObject({
      ...common,
      part: 'object',
      base: newest(),
      wanted: (base) => {
        const labelled = report === undefined ? base : relabelled(base, report)
        return { ...labelled, spec: withTaint(base.spec ?? {}, plan.tainted) }
      },
    })
    if (object.is === 'refused' || object.is === 'gone') return object
    const wanted = (base: KubeObject) => ({
      ...base,
      status: nodeStatus(base.status ?? {}, report?.status, plan.conditions, now),
    })
    return writeObject({ ...common, part: 'status', base: newest(), wanted })
  }

  #follow({ name, node, plan }: Look): void {
    if (this.#stopped) return
    // When cloudcore has only just started, the run before it kept the lease, and a fleet is about to come back.
    const isKnown = this.#parts.presence.of(name, this.#parts.grace).is !== 'unknown'
    if (plan.renew) this.#leases.keep(node, isKnown ? 'at once' : 'in its turn')
    else this.#leases.drop(name)
    clearTimeout(this.#timers.get(name))
    this.#timers.delete(name)
    if (plan.lookAgainIn === undefined) return
    const wait = Math.min(plan.lookAgainIn, longestWait)
    this.#timers.set(
      name,
      setTimeout(() => this.#worker.wake(name), wait),
    )
  }

  /** The node's object, registered first when it reports itself; undefined when it is none of ours. */
  async #find(name: string, report: NodeReport | undefined): Promise<KubeObject | Answer | undefined> {
    const known = this.#parts.freshest.get(nodeKey(name))
    if (known !== undefined && isEdgeNode(known)) return known
    if (report === undefined) return undefined
    const existing = await this.#get(name)
    if (existing === undefined) return this.#register(name, report)
    // Someone may have made the Node beforehand; one that a kubelet keeps is not ours to take.
    if (isEdgeNode(existing) || !hasKubelet(existing)) return existing
    return refused(`node ${name} exists and is not an edge node: give this edge node another name, or delete that Node`)
  }

  async #get(name: string): Promise<KubeObject | undefined> {
    try {
      return await this.#parts.kube.get(nodePath(name))
    } catch (error) {
      if (hasCode(error, 404)) return undefined
      throw error
    }
  }

  async #register(name: string, report: NodeReport): Promise<KubeObject | Answer> {
    const { kube, log } = this.#parts
    try {
      const node = await kube.create('/api/v1/nodes', newNode(name, report))
      log.info({ node: name }, 'node registered')
      return node
    } catch (error) {
      // 409, when another cloudcore was faster, is tried again from the start.
      if (isRefusal(error)) return refused(error.message)
      throw error
    }
  }
}

function hasKubelet({ status }: KubeObject): boolean {
  return isJson(status?.nodeInfo) && Boolean(status.nodeInfo.kubeletVersion)
}
