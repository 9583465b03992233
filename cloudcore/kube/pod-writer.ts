import { rfc3339 } from '@kedge/shared/clock'
import { type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import type { PodReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted, refused } from './answer.ts'
import { hasCode, isRefusal } from './errors.ts'
import { KeyedWorker, type Pass } from './keyed-worker.ts'
import { withoutNulls } from './merge-patch.ts'
import { objectPath } from './paths.ts'
import { podStatus } from './pod-status.ts'
import { type Written, writeObject } from './status-patch.ts'
import { answerOf, type WriterParts, workerOptions } from './writer-parts.ts'

/**
 * Writes what nodes say of their pods.
 *
 * Invariant: of one pod only the newest report is written; an older one is answered with it.
 */
export class PodWriter implements Service {
  readonly #parts: WriterParts
  readonly #newest = new Map<Key, PodReport>()
  readonly #worker: KeyedWorker<Answer>

  constructor(parts: WriterParts) {
    this.#parts = parts
    const pass = (key: string) => this.#pass(key as Key)
    this.#worker = new KeyedWorker({ ...workerOptions(parts), interval: 0, pass })
  }

  /** The report must come from the pod's own node. */
  accept(report: PodReport): Promise<Answer> {
    const key = keyOf('pods', report.namespace, report.name)
    this.#newest.set(key, report)
    return this.#worker.run(key)
  }

  stop(): Promise<void> {
    return this.#worker.stop()
  }

  async #pass(key: Key): Promise<Pass<Answer>> {
    const report = this.#newest.get(key)
    if (report === undefined) return { wrote: false, result: accepted }
    const pass = await this.#write(key, report)
    if (this.#newest.get(key) === report) this.#newest.delete(key)
    return pass
  }

  async #write(key: Key, report: PodReport): Promise<Pass<Answer>> {
    const { kube, freshest, clock, counters, log } = this.#parts
    const now = rfc3339(clock.now())
    const status = withoutNulls(report.status)
    const wanted = (base: KubeObject) =>
      base.metadata.uid === report.uid ? { ...base, status: podStatus(base.status ?? {}, status, now) } : undefined
    const path = objectPath(key)
    const written = await writeObject({ kube, freshest, counters, key, path, part: 'status', wanted })
    if (!report.stopped || written.is === 'gone') return answerOf(written, { log, counters, key })
    return this.#remove(key, report, written)
  }

  /** The pod has stopped for good, as asked; a status that could not be written must not keep it. */
  async #remove(key: Key, { uid }: PodReport, written: Written): Promise<Pass<Answer>> {
    const { kube, counters, log } = this.#parts
    const path = objectPath(key)
    if (!(await this.#isLeaving(key, uid))) {
      counters.add('refused')
      return {
        wrote: false,
        result: refused('the pod is not being deleted, so it may not be reported stopped for good'),
      }
    }
    try {
      await kube.delete(path, { gracePeriodSeconds: 0, preconditions: { uid } })
    } catch (error) {
      if (isRefusal(error)) return answerOf({ is: 'refused', reason: error.message }, { log, counters, key })
      // 409: the name has a new owner.
      if (!hasCode(error, 404) && !hasCode(error, 409)) throw error
    }
    return { wrote: written.is === 'written', result: accepted }
  }

  async #isLeaving(key: Key, uid: string): Promise<boolean> {
    const known = this.#parts.freshest.get(key)
    if (known?.metadata.deletionTimestamp !== undefined) return true
    try {
      const { metadata } = await this.#parts.kube.get(objectPath(key))
      return metadata.uid !== uid || metadata.deletionTimestamp !== undefined
    } catch (error) {
      if (hasCode(error, 404)) return true
      throw error
    }
  }
}
