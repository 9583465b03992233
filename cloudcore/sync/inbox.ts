import { explain } from '@kedge/shared/errors'
import { type Frame, parseReport } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import type { Report } from '@kedge/shared/reports'

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
  log: Log
}

/**
 * Reports in. Each is answered by itself once Kubernetes has decided on it; answers that fall together share a frame.
 *
 * Invariant: nothing is answered `accepted` before the sink has said so.
 */
export class Inbox {
  readonly #options: InboxOptions
  readonly #answers = new Map<string, Frame<'answered'>>()

  constructor(options: InboxOptions) {
    this.#options = options
  }

  receive(node: string, { box, items }: Frame<'reports'>): void {
    for (const { seq, version, report } of items) {
      const parsed = parseReport(report)
      if (parsed.ok) this.#accept(node, box, [seq, version], parsed.report)
      else this.#refuse(node, box, [seq, version], parsed.reason)
    }
  }

  #accept(node: string, box: string, ref: [number, number], report: Report): void {
    this.#options.sink.accept(node, report).then(
      (verdict) => {
        if (verdict.is === 'refused') return this.#refuse(node, box, ref, verdict.reason)
        this.#answer(node, box).accepted.push(ref)
      },
      (error: unknown) => this.#options.log.debug({ node, seq: ref[0], reason: explain(error) }, 'report not answered'),
    )
  }

  #refuse(node: string, box: string, ref: [number, number], reason: string): void {
    this.#options.log.warn({ node, seq: ref[0], reason }, 'report refused')
    this.#answer(node, box).refused.push({ ref, reason })
  }

  /** The answer frame being filled for a node; it goes out at the end of this turn of the event loop. */
  #answer(node: string, box: string): Frame<'answered'> {
    const key = `${node}/${box}`
    const filling = this.#answers.get(key)
    if (filling !== undefined) return filling
    const frame: Frame<'answered'> = { is: 'answered', box, accepted: [], refused: [] }
    this.#answers.set(key, frame)
    setImmediate(() => {
      this.#answers.delete(key)
      this.#options.send(node, frame)
    })
    return frame
  }
}
