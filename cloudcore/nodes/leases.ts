import { type Clock, rfc3339Micro } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { Kube } from '../kube/api.ts'
import type { Counters } from '../kube/counters.ts'
import { hasCode } from '../kube/errors.ts'
import type { Limiter } from '../kube/limiter.ts'
import { leasePath } from '../kube/paths.ts'

export interface LeasesOptions {
  kube: Pick<Kube, 'create' | 'patch'>
  limiter: Limiter
  clock: Clock
  log: Log
  counters: Counters
  random: () => number
  /** Milliseconds between two renewals. */
  interval: number
}

/** Seconds a lease is good for, as a kubelet's. */
const leaseSeconds = 40

/** Renewals happen on this many beats in an interval: those of one beat share the requests' commits and wake-ups. */
const beats = 20

interface Renewal {
  /** The Node's uid: the lease goes with it. */
  uid: string
  /** Whether it has been renewed before: the first time decides its place in the interval. */
  placed: boolean
  timer: NodeJS.Timeout | undefined
  failing: boolean
}

/** Keeps the Lease in kube-node-lease fresh for every node that it is told to, spread over the interval. */
export class Leases implements Service {
  readonly #options: LeasesOptions
  readonly #renewals = new Map<string, Renewal>()
  readonly #running = new Set<Promise<void>>()

  constructor(options: LeasesOptions) {
    this.#options = options
  }

  /**
   * Starts renewing, or goes on: at once, or at some time in the first interval, for a lease that is known to be fresh
   * and can wait while there is more to do.
   */
  keep(node: KubeObject, first: 'at once' | 'in its turn' = 'at once'): void {
    const uid = node.metadata.uid ?? ''
    if (this.#renewals.get(node.metadata.name)?.uid === uid) return
    this.drop(node.metadata.name)
    const renewal: Renewal = { uid, placed: false, timer: undefined, failing: false }
    this.#renewals.set(node.metadata.name, renewal)
    if (first === 'at once') this.#begin(node.metadata.name, renewal)
    else this.#later(node.metadata.name, renewal, this.#pause(renewal))
  }

  drop(node: string): void {
    clearTimeout(this.#renewals.get(node)?.timer)
    this.#renewals.delete(node)
  }

  async stop(): Promise<void> {
    for (const node of [...this.#renewals.keys()]) this.drop(node)
    await Promise.all(this.#running)
  }

  #begin(node: string, renewal: Renewal): void {
    const done = this.#options.limiter.run(() => this.#renew(node, renewal)).finally(() => this.#running.delete(done))
    this.#running.add(done)
  }

  async #renew(node: string, renewal: Renewal): Promise<void> {
    if (this.#renewals.get(node) !== renewal) return
    const { interval, log, counters } = this.#options
    let wait = this.#pause(renewal)
    try {
      await this.#write(node, renewal.uid)
      counters.add('leases')
      if (renewal.failing) log.info({ node }, 'lease renewed again')
      renewal.failing = false
    } catch (error) {
      if (!renewal.failing) log.warn({ node, error: explain(error) }, 'lease not renewed')
      renewal.failing = true
      wait = interval * 0.3
    }
    // Dropped meanwhile, or dropped and kept again: then another one renews.
    if (this.#renewals.get(node) === renewal) this.#later(node, renewal, wait)
  }

  #later(node: string, renewal: Renewal, wait: number): void {
    renewal.timer = setTimeout(() => this.#begin(node, renewal), this.#toBeat(wait))
  }

  /** Nodes that came together are spread over an interval once; from then on each keeps its distance. */
  #pause(renewal: Renewal): number {
    const { interval, random } = this.#options
    if (renewal.placed) return interval
    renewal.placed = true
    return interval * random()
  }

  /** Milliseconds to the last beat within `wait`, or to the next one. */
  #toBeat(wait: number): number {
    const { interval, clock } = this.#options
    const [beat, now] = [interval / beats, clock.monotonic()]
    const at = Math.floor((now + wait) / beat) * beat
    return Math.ceil((at > now ? at : at + beat) - now)
  }

  async #write(node: string, uid: string): Promise<void> {
    const { kube, clock } = this.#options
    const renewTime = rfc3339Micro(clock.now())
    try {
      await kube.patch(leasePath(node), { spec: { renewTime } })
    } catch (error) {
      if (!hasCode(error, 404)) throw error
      await this.#create(lease(node, uid, renewTime))
    }
  }

  async #create(object: KubeObject): Promise<void> {
    const { kube } = this.#options
    try {
      await kube.create(leasePath(), object)
    } catch (error) {
      if (!hasCode(error, 404)) throw error
      const namespace = { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'kube-node-lease' } }
      await kube.create('/api/v1/namespaces', namespace)
      await kube.create(leasePath(), object)
    }
  }
}

function lease(node: string, uid: string, renewTime: string): KubeObject {
  return {
    apiVersion: 'coordination.k8s.io/v1',
    kind: 'Lease',
    metadata: {
      name: node,
      namespace: 'kube-node-lease',
      ownerReferences: [{ apiVersion: 'v1', kind: 'Node', name: node, uid }],
    },
    spec: { holderIdentity: node, leaseDurationSeconds: leaseSeconds, renewTime },
  }
}
