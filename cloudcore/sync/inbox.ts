import { explain } from '@kedge/shared/errors'
import { type Frame, parseReport } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import type { Report } from '@kedge/shared/reports'
import { Turns } from './turns.ts'

/** Hands reports to Kubernetes. */
export interface ReportSink {
  /**
   * Resolves once Kubernetes has accepted the report, or will never take it. Rejects only when cloudcore stops, or when
   * it cannot be known whether it was taken: the edge then sends it again.
   */
  accept(node: string, report: Report): Promise<{ is: 'accepted' } | { is: 'refused'; reason: string }>
}

export interface InboxOptions {
  sink: ReportSink
  /** Hands answers to the link. */
  send: (node: string, frame: Frame<'answered'>) => void
  /** Reports of one node that may be undecided at once; what comes beyond is not taken, and the edge sends it again. */
  mostPending?: number
  /** Milliseconds of a clock that is never set; the process's own unless given. */
  monotonic?: () => number
  log: Log
}

/** Twice what an edge sends before it waits for answers. */
const defaultMost = 4000
/** Events that are being written at once, of all nodes: states always find the way to Kubernetes free. */
const eventsAtOnce = 16
/** An event that Kubernetes does not decide on in this time, in milliseconds, no longer holds up others. */
const eventPatience = 10_000
/** Refusals of one node that are logged one by one in a minute; the rest are counted with the next. */
const toldAtOnce = 10
const tellEvery = 60_000
/** Milliseconds that the answer to an event waits for others to share its frame. */
const answerLater = 25

interface Filling {
  frame: Frame<'answered'>
  flush: () => void
  urgent: boolean
}

/** Where an answer goes. */
interface Asker {
  node: string
  box: string
  ref: [number, number]
  /** Others wait for this answer, or for the place that it frees. */
  urgent: boolean
}

/**
 * Reports in. Each is answered by itself once Kubernetes has decided on it; answers that fall together share a frame.
 *
 * Invariants:
 * - Nothing is answered `accepted` before the sink has said so.
 * - What is held of one node is bounded, and a node that sends much does not slow down the events of another.
 */
export class Inbox {
  readonly #options: InboxOptions
  readonly #answers = new Map<string, Filling>()
  readonly #events = new Turns({ limit: eventsAtOnce, patience: eventPatience })
  /** Undecided reports by node. */
  readonly #pending = new Map<string, number>()
  /** Refusals of a node that were told since `since`, and those that were not. */
  readonly #told = new Map<string, { since: number; told: number; untold: number }>()
  /** Reports received, and those of them that were not taken, or refused. */
  readonly counts = { received: 0, untaken: 0, refused: 0 }

  constructor(options: InboxOptions) {
    this.#options = options
  }

  receive(node: string, { box, items }: Frame<'reports'>): void {
    const { mostPending = defaultMost, log } = this.#options
    this.counts.received += items.length
    for (const [index, { seq, version, report }] of items.entries()) {
      if ((this.#pending.get(node) ?? 0) >= mostPending) {
        const left = items.length - index
        this.counts.untaken += left
        log.warn({ node, reports: left, pending: mostPending }, 'reports not taken')
        return
      }
      this.#decide({ node, box, ref: [seq, version], urgent: true }, report)
    }
  }

  /** Reports of all nodes that Kubernetes has not decided on. */
  get pending(): number {
    return [...this.#pending.values()].reduce((sum, count) => sum + count, 0)
  }

  #decide(asker: Asker, content: unknown): void {
    const parsed = parseReport(content)
    if (!parsed.ok) return this.#refuse(asker, parsed.reason)
    const { report } = parsed
    const { node } = asker
    this.#pending.set(node, (this.#pending.get(node) ?? 0) + 1)
    if (report.is === 'event') this.#events.run(node, () => this.#accept({ ...asker, urgent: false }, report))
    else void this.#accept(asker, report)
  }

  async #accept(asker: Asker, report: Report): Promise<void> {
    const { node, ref } = asker
    try {
      const verdict = await this.#options.sink.accept(node, report)
      if (verdict.is === 'refused') this.#refuse(asker, verdict.reason)
      else this.#answer(asker).accepted.push(ref)
    } catch (error) {
      this.#options.log.debug({ node, seq: ref[0], reason: explain(error) }, 'report not answered')
    } finally {
      this.#decided(node)
    }
  }

  #decided(node: string): void {
    const left = (this.#pending.get(node) ?? 1) - 1
    if (left > 0) this.#pending.set(node, left)
    else this.#pending.delete(node)
  }

  #refuse(asker: Asker, reason: string): void {
    const { node, ref } = asker
    this.counts.refused += 1
    this.#tellRefused(node, { seq: ref[0], reason })
    this.#answer(asker).refused.push({ ref, reason })
  }

  /** A node that does nothing but say what is refused fills no log. */
  #tellRefused(node: string, about: { seq: number; reason: string }): void {
    const now = this.#options.monotonic?.() ?? performance.now()
    const known = this.#told.get(node)
    const isNew = known === undefined || now - known.since >= tellEvery
    const told = isNew ? { since: now, told: 0, untold: 0 } : known
    this.#told.set(node, told)
    if (told.told >= toldAtOnce) {
      told.untold += 1
      return
    }
    told.told += 1
    const more = isNew ? (known?.untold ?? 0) : 0
    const reason = about.reason.slice(0, 512)
    this.#options.log.warn({ node, seq: about.seq, reason, ...(more > 0 ? { more } : {}) }, 'report refused')
  }

  /** The answer frame being filled for a node; it goes out at the end of this turn of the event loop, or a bit later. */
  #answer({ node, box, urgent }: Asker): Frame<'answered'> {
    const key = `${node}/${box}`
    const filling = this.#answers.get(key) ?? this.#begin(node, key, box)
    if (urgent && !filling.urgent) {
      filling.urgent = true
      setImmediate(filling.flush)
    }
    return filling.frame
  }

  #begin(node: string, key: string, box: string): Filling {
    const frame: Frame<'answered'> = { is: 'answered', box, accepted: [], refused: [] }
    const flush = () => {
      if (this.#answers.get(key) !== filling) return
      clearTimeout(timer)
      this.#answers.delete(key)
      this.#options.send(node, frame)
    }
    const filling: Filling = { frame, flush, urgent: false }
    const timer = setTimeout(flush, answerLater)
    this.#answers.set(key, filling)
    return filling
  }
}
