import { createHash } from 'node:crypto'
import { rfc3339 } from '@kedge/shared/clock'
import { type Key, type KubeObject, keyOf, kinds, parseKey } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted, refused } from './answer.ts'
import { type Condition, conditionOf, conditionsIn, withConditions } from './conditions.ts'
import type { SyncStanding } from './device-conditions.ts'
import { hasCode, isRefusal } from './errors.ts'
import { KeyedWorker, type Pass } from './keyed-worker.ts'
import { eventsPath, objectPath } from './paths.ts'
import { writeObject } from './status-patch.ts'
import { answerOf, type WriterParts, workerOptions } from './writer-parts.ts'

export interface RefusalWriterParts extends WriterParts {
  catalog: { podsOn(node: string): Iterable<KubeObject> }
  /** Where an object stands on a node, as far as the sync with that node knows. */
  standing: (node: string, key: Key) => SyncStanding | undefined
}

/** Whether the node of a pod can use it: said of those that it cannot, and of those that it could not. */
export const usableCondition = 'kedge.io/Usable'

/**
 * Shows in Kubernetes what a node cannot use: on a pod in a condition, on what has no status (a ConfigMap, a Secret, a
 * DeviceModel), and on a pod whose status cannot be written, in an Event. Devices say it in their own conditions.
 */
export class RefusalWriter implements Service {
  readonly #parts: RefusalWriterParts
  readonly #worker: KeyedWorker<Answer>

  constructor(parts: RefusalWriterParts) {
    this.#parts = parts
    this.#worker = new KeyedWorker({ ...workerOptions(parts), interval: 0, pass: (item) => this.#pass(item) })
  }

  /** Something has become known of an object on a node, or, without a key, of all of them. */
  synced(node: string, key?: Key): void {
    if (key !== undefined) return this.#look(node, key)
    for (const { metadata } of this.#parts.catalog.podsOn(node)) {
      this.#look(node, keyOf('pods', metadata.namespace ?? '', metadata.name))
    }
  }

  stop(): Promise<void> {
    return this.#worker.stop()
  }

  #look(node: string, key: Key): void {
    if (key.startsWith('devices/')) return
    const { freshest, standing } = this.#parts
    const object = freshest.get(key)
    const sync = standing(node, key)
    if (object === undefined || sync === undefined) return
    const news = key.startsWith('pods/') ? conditionAbout(object, sync) !== undefined : sync.state === 'refused'
    if (news) this.#worker.wake(`${node} ${key}`)
  }

  async #pass(item: string): Promise<Pass<Answer>> {
    const [node, key] = item.split(' ') as [string, Key]
    const sync = this.#parts.standing(node, key)
    if (sync === undefined) return { wrote: false, result: accepted, gone: true }
    if (key.startsWith('pods/')) {
      const pass = await this.#condition(key, sync)
      // What an API refuses to write to, as older ones have taken it, can still be spoken of.
      if (pass.result.is === 'accepted') return pass
    }
    return sync.state === 'refused' ? this.#event(node, key, sync.reason ?? '') : { wrote: false, result: accepted }
  }

  async #condition(key: Key, sync: SyncStanding): Promise<Pass<Answer>> {
    const { kube, freshest, counters, clock, log } = this.#parts
    const now = rfc3339(clock.now())
    const wanted = (base: KubeObject) => {
      const condition = conditionAbout(base, sync)
      if (condition === undefined) return base
      const conditions = withConditions(conditionsIn(base.status), [condition], now)
      return { ...base, status: { ...base.status, conditions } }
    }
    const path = objectPath(key)
    const written = await writeObject({ kube, freshest, counters, key, path, part: 'status', wanted })
    return answerOf(written, { log, counters, key })
  }

  async #event(node: string, key: Key, reason: string): Promise<Pass<Answer>> {
    const { kube, freshest, clock, counters } = this.#parts
    const object = freshest.get(key)
    if (object === undefined) return { wrote: false, result: accepted, gone: true }
    const event = refusalEvent({ node, key, object, reason, now: clock.now() })
    try {
      await kube.create(eventsPath(event.metadata.namespace ?? 'default'), event)
      counters.add('writes')
    } catch (error) {
      if (isRefusal(error)) return { wrote: false, result: refused(error.message) }
      // 409: said already. 404: the namespace is gone.
      if (!hasCode(error, 409) && !hasCode(error, 404)) throw error
    }
    return { wrote: true, result: accepted }
  }
}

/** What is to be said of a pod; undefined when nothing, or when it says so already. */
function conditionAbout(pod: KubeObject, { state, reason = '' }: SyncStanding): Condition | undefined {
  const held = conditionOf(pod.status, usableCondition)
  if (state === 'refused') {
    const condition: Condition = { type: usableCondition, status: 'False', reason: 'RefusedByNode', message: reason }
    return held?.status === 'False' && held.message === reason ? undefined : condition
  }
  if (state !== 'held' || held?.status !== 'False') return undefined
  return { type: usableCondition, status: 'True', reason: 'Held', message: 'the node holds it and can use it' }
}

interface Refusal {
  node: string
  key: Key
  object: KubeObject
  reason: string
  /** Milliseconds since the epoch. */
  now: number
}

/** One Event per node, object, version and reason: its name says which. */
function refusalEvent({ node, key, object, reason, now }: Refusal): KubeObject {
  const { resource, namespace, name } = parseKey(key) ?? { resource: 'configmaps' as const, namespace: '', name: '' }
  const { uid, resourceVersion } = object.metadata
  const id = createHash('sha256')
    .update(JSON.stringify([node, key, uid, resourceVersion, reason]))
    .digest('hex')
  const at = rfc3339(now)
  return {
    apiVersion: 'v1',
    kind: 'Event',
    metadata: { name: `${name.slice(0, 200)}.${id.slice(0, 16)}`, namespace },
    involvedObject: { ...kinds[resource], namespace, name, uid, resourceVersion },
    type: 'Warning',
    reason: 'RefusedByNode',
    message: `node ${node} cannot use it: ${reason}`.slice(0, 1024),
    source: { component: 'kedge-cloudcore' },
    reportingComponent: 'kedge-cloudcore',
    reportingInstance: node,
    firstTimestamp: at,
    lastTimestamp: at,
    count: 1,
  }
}
