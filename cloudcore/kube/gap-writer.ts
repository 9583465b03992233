import type { GapReport } from '@kedge/shared/reports'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted, refused } from './answer.ts'
import { hasCode, isRefusal } from './errors.ts'
import { gapEvent } from './event-object.ts'
import { KeyedWorker, type Pass } from './keyed-worker.ts'
import { eventsPath } from './paths.ts'
import { type WriterParts, workerOptions } from './writer-parts.ts'

/** Milliseconds from one Event on a lane's gaps to the next: a lane that overflows for days fills no etcd. */
const interval = 60_000

interface Gaps {
  node: string
  /** By id, the widest. */
  wanted: Map<string, GapReport>
}

/** Tells of reports that edges had to drop, as Events of their Nodes. */
export class GapWriter implements Service {
  readonly #parts: WriterParts
  readonly #gaps = new Map<string, Gaps>()
  readonly #worker: KeyedWorker<Answer>

  constructor(parts: WriterParts) {
    this.#parts = parts
    this.#worker = new KeyedWorker({ ...workerOptions(parts), interval, pass: (key) => this.#pass(key) })
  }

  accept(node: string, gap: GapReport): Promise<Answer> {
    const key = `gaps/${node}/${gap.lane}/${gap.why}`
    const gaps = this.#gaps.get(key) ?? { node, wanted: new Map() }
    this.#gaps.set(key, gaps)
    const known = gaps.wanted.get(gap.id)
    if (known === undefined || known.count < gap.count) gaps.wanted.set(gap.id, gap)
    return this.#worker.run(key)
  }

  stop(): Promise<void> {
    return this.#worker.stop()
  }

  async #pass(key: string): Promise<Pass<Answer>> {
    const gaps = this.#gaps.get(key)
    let wrote = false
    for (const gap of [...(gaps?.wanted.values() ?? [])]) {
      const answer = await this.#write(gaps?.node ?? '', gap)
      if (gaps?.wanted.get(gap.id) === gap) gaps.wanted.delete(gap.id)
      if (answer.is === 'refused') return { wrote, result: answer }
      wrote = true
    }
    // A node names its lanes itself: what is told is not remembered.
    if (gaps?.wanted.size === 0) this.#gaps.delete(key)
    return { wrote, result: accepted }
  }

  async #write(node: string, gap: GapReport): Promise<Answer> {
    const { kube, clock, counters, log } = this.#parts
    try {
      await kube.create(eventsPath('default'), gapEvent(node, gap, clock.now()))
    } catch (error) {
      if (isRefusal(error)) return refused(error.message)
      // 409: it has been told.
      if (!hasCode(error, 409)) throw error
      return accepted
    }
    const { lane, why, count, bytes } = gap
    log.warn({ node, lane, why, count, bytes }, 'reports dropped at the edge')
    counters.add('writes')
    counters.add('gaps')
    return accepted
  }
}
