import { isKey, type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import type { EventReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted, refused } from './answer.ts'
import { hasCode, isRefusal } from './errors.ts'
import { eventNamespace, eventObject } from './event-object.ts'
import { KeyedWorker, type Pass } from './keyed-worker.ts'
import { eventsPath, objectPath } from './paths.ts'
import { nodeOf } from './trim.ts'
import { type WriterParts, workerOptions } from './writer-parts.ts'

interface Said {
  node: string
  report: EventReport
}

/** Writes what happens at the edge as Events, each once: its name is its id. */
export class EventWriter implements Service {
  readonly #parts: WriterParts
  readonly #said = new Map<string, Said>()
  readonly #worker: KeyedWorker<Answer>

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#worker = new KeyedWorker({ ...workerOptions(parts), interval: 0, pass: (key) => this.#pass(key) })
  }

  /** Refuses an event about something that is not the node's. */
  accept(node: string, report: EventReport): Promise<Answer> {
    const key = `events/${node}/${report.id}`
    this.#said.set(key, { node, report })
    return this.#worker.run(key).finally(() => this.#said.delete(key))
  }

  stop(): Promise<void> {
    return this.#worker.stop()
  }

  async #pass(key: string): Promise<Pass<Answer>> {
    const said = this.#said.get(key)
    if (said === undefined) return { wrote: false, result: accepted }
    const { node, report } = said
    const foreign = await this.#foreign(node, report)
    return foreign === undefined ? this.#create(node, report) : this.#refuse(foreign)
  }

  async #create(node: string, report: EventReport): Promise<Pass<Answer>> {
    const { kube, clock, counters, log } = this.#parts
    try {
      await kube.create(eventsPath(eventNamespace(report)), eventObject(node, report, clock.now()))
      counters.add('writes')
    } catch (error) {
      if (isRefusal(error)) return this.#refuse(error.message)
      if (hasCode(error, 404)) {
        counters.add('obsolete')
        log.info({ node, namespace: eventNamespace(report) }, 'event in a namespace that is gone')
      } else if (!hasCode(error, 409)) throw error
    }
    return { wrote: true, result: accepted }
  }

  #refuse(reason: string): Pass<Answer> {
    this.#parts.counters.add('refused')
    return { wrote: false, result: refused(reason) }
  }

  /** Why the node has no word in this; undefined when it has, or when what it speaks of is gone. */
  async #foreign(node: string, { regarding }: EventReport): Promise<string | undefined> {
    const { kind, namespace, name } = regarding
    if (kind === 'Node') return name === node ? undefined : `node ${name} is not the node that reports`
    if (kind !== 'Pod' && kind !== 'Device')
      return `a node reports events of its pods, devices and itself, not of a ${kind}`
    const key = keyOf(kind === 'Pod' ? 'pods' : 'devices', namespace ?? '', name)
    if (!isKey(key)) return `regarding: ${namespace}/${name} is not the name of a ${kind}`
    const object = await this.#find(key)
    const bound = nodeOf(object)
    return object === undefined || bound === node
      ? undefined
      : `${kind} ${namespace}/${name} is bound to ${bound ?? 'no node'}`
  }

  /** Pods of other nodes are not in the catalog: only the server can say that one is gone. */
  async #find(key: Key): Promise<KubeObject | undefined> {
    const known = this.#parts.freshest.get(key)
    if (known !== undefined || key.startsWith('devices/')) return known
    try {
      return await this.#parts.kube.get(objectPath(key))
    } catch (error) {
      if (hasCode(error, 404)) return undefined
      throw error
    }
  }
}
