import type { Key, KubeObject } from '@kedge/shared/objects'
import type { EventReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted, refused } from './answer.ts'
import { hasCode, isRefusal } from './errors.ts'
import { eventNamespace, eventObject } from './event-object.ts'
import { Departed, nodeItself, referenceTo, subjectClaimed } from './event-subject.ts'
import { KeyedWorker, type Pass } from './keyed-worker.ts'
import { eventsPath, objectPath } from './paths.ts'
import { nodeOf } from './trim.ts'
import { type WriterParts, workerOptions } from './writer-parts.ts'

interface Said {
  node: string
  report: EventReport
}

/**
 * Writes what happens at the edge as Events, each once: its name is its id.
 *
 * Invariants:
 * - an Event names only what is the reporting node's: itself, or what is or was bound to it;
 * - what is gone, and perhaps was another's, is spoken of on the node: nothing is lost, and no namespace is written to that
 *   the node has no pod or device in.
 */
export class EventWriter implements Service {
  readonly #parts: WriterParts
  readonly #said = new Map<string, Said>()
  readonly #departed = new Departed()
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

  /** A pod or a device is gone. */
  gone(key: Key, object: KubeObject): void {
    this.#departed.remember(key, object)
  }

  stop(): Promise<void> {
    return this.#worker.stop()
  }

  async #pass(key: string): Promise<Pass<Answer>> {
    const said = this.#said.get(key)
    if (said === undefined) return { wrote: false, result: accepted }
    const { node, report } = said
    const own = await this.#own(node, report)
    return typeof own === 'string' ? this.#refuse(own) : this.#create(node, own)
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

  /** The report about what it may be about, or why the node has no word in this. */
  async #own(node: string, report: EventReport): Promise<EventReport | string> {
    const claimed = subjectClaimed(node, report)
    if (claimed.is === 'refused') return claimed.reason
    if (claimed.is === 'node') return { ...report, regarding: claimed.regarding }
    const { key, uid } = claimed
    const object = await this.#find(key)
    if (object !== undefined && (uid ?? object.metadata.uid) === object.metadata.uid) {
      const bound = nodeOf(object)
      if (bound !== node) return `${key} is bound to ${bound ?? 'no node'}, not to ${node}`
      return { ...report, regarding: referenceTo(key, object.metadata.uid) }
    }
    if (this.#departed.of(key, uid) === node) return { ...report, regarding: referenceTo(key, uid) }
    const message = `${key}, which is gone: ${report.message}`.slice(0, 1024)
    return { ...report, regarding: nodeItself(node), message }
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
