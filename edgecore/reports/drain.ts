import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { type Frame, maxFrameBytes } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import { type Lane, lanes } from '@kedge/shared/reports'
import type { Outbox, OutboxRow } from '../store/outbox.ts'
import type { Store } from '../store/store.ts'

export interface DrainOptions {
  store: Store
  outbox: Outbox
  /** Names this outbox, so that answers to an earlier database are told apart. */
  box: string
  /** Hands a frame to the link; false when the link is down. */
  send: (frame: Frame<'reports'>) => boolean
  clock: Clock
  log: Log
}

/** Rows that may be on their way unanswered at once. */
const window = 2000
/** Rows and, roughly, characters of one frame. */
const frameRows = 200
const frameChars = 64 * 1024
/** A larger report fits into no frame, with room for the frame around it. */
const maxReportBytes = maxFrameBytes - 1024
/** Least milliseconds between two frames of fresh reports: what changes faster folds meanwhile. */
const gap = 50

/**
 * Takes reports from the outbox to the cloud and the cloud's answers back.
 *
 * Invariants:
 * - A row leaves the outbox when its newest version was answered, never because it was sent.
 * - On a new link everything unanswered goes again, in the order of lanes.
 * - At most `window` rows are unanswered, whatever the outbox holds.
 * - A report that fits into no frame is set aside: sent, it would end the link each time, and all behind it would wait.
 */
export class Drain {
  readonly #options: DrainOptions
  /** Rows on their way: sequence number to the version sent. */
  readonly #sent = new Map<number, number>()
  /** Rows written since the link came up, by lane. */
  readonly #fresh = new Map<Lane, Set<number>>(lanes.map((lane) => [lane, new Set()]))
  /** How far the reports from before the link came up have been read; undefined when all have. */
  #backlog: { lane: Lane; seq: number } | 'start' | undefined
  #linkUp = false
  #timer: NodeJS.Timeout | undefined
  #lastFrameAt = Number.NEGATIVE_INFINITY

  constructor(options: DrainOptions) {
    this.#options = options
    options.outbox.onAdd(({ seq, lane }) => {
      if (!this.#linkUp) return
      this.#fresh.get(lane)?.add(seq)
      this.#schedule()
    })
  }

  up(): void {
    this.#linkUp = true
    this.#sent.clear()
    for (const rows of this.#fresh.values()) rows.clear()
    this.#backlog = 'start'
    this.#schedule()
  }

  down(): void {
    this.#linkUp = false
    clearTimeout(this.#timer)
    this.#timer = undefined
  }

  /** Takes the cloud's answers; rows go once that is committed. */
  answered(frame: Frame<'answered'>): void {
    const { store, outbox, box, log } = this.#options
    if (frame.box !== box) return
    for (const { ref, reason } of frame.refused) log.warn({ seq: ref[0], reason }, 'report refused')
    store
      .commit(() => {
        for (const [seq, version] of frame.accepted) outbox.accepted(seq, version)
        for (const { ref, reason } of frame.refused) outbox.refused(...ref, reason)
      })
      .then(
        () => {
          for (const [seq, version] of frame.accepted) this.#settle(seq, version)
          for (const { ref } of frame.refused) this.#settle(...ref)
          this.#schedule()
        },
        // The rows stay and are sent again on the next link: applying a report twice does no harm.
        (error: unknown) => log.error({ reason: explain(error) }, 'answers not kept'),
      )
  }

  #setAside({ seq, version, subject }: OutboxRow, bytes: number): void {
    const { store, outbox, log } = this.#options
    const reason = `a report of ${bytes} bytes fits into no frame: at most ${maxReportBytes}`
    log.error({ seq, subject, reason }, 'report set aside')
    store
      .commit(() => outbox.refused(seq, version, reason))
      .catch((error: unknown) => log.error({ reason: explain(error) }, 'report not set aside'))
  }

  #settle(seq: number, version: number): void {
    if (this.#sent.get(seq) === version) this.#sent.delete(seq)
  }

  /** Sends soon: at once after a quiet moment, otherwise when the gap has passed. */
  #schedule(): void {
    if (this.#timer !== undefined || !this.#linkUp) return
    const wait = Math.max(0, this.#lastFrameAt + gap - this.#options.clock.monotonic())
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#pump()
    }, wait)
  }

  #pump(): void {
    if (!this.#linkUp) return
    for (let rows = this.#next(); rows.length > 0; rows = this.#next()) {
      const items = rows.map(({ seq, version, report }) => ({ seq, version, report }))
      if (!this.#options.send({ is: 'reports', box: this.#options.box, items })) return
      for (const { seq, version } of rows) this.#sent.set(seq, version)
      this.#lastFrameAt = this.#options.clock.monotonic()
    }
  }

  /** The rows of the next frame: fresh ones first, lane by lane, then what was waiting from before. */
  #next(): OutboxRow[] {
    const rows: OutboxRow[] = []
    let chars = 0
    const full = () => rows.length >= frameRows || chars >= frameChars || this.#sent.size + rows.length >= window
    const taken = new Set<number>()
    const take = (row: OutboxRow) => {
      if (taken.has(row.seq) || this.#sent.get(row.seq) === row.version) return
      const text = JSON.stringify(row.report)
      if (Buffer.byteLength(text) > maxReportBytes) return this.#setAside(row, Buffer.byteLength(text))
      taken.add(row.seq)
      rows.push(row)
      chars += text.length
    }
    for (const fresh of this.#fresh.values()) {
      for (const seq of fresh) {
        if (full()) return rows
        fresh.delete(seq)
        const row = this.#options.outbox.get(seq)
        if (row !== undefined) take(row)
      }
    }
    while (this.#backlog !== undefined && !full()) {
      const after = this.#backlog === 'start' ? undefined : this.#backlog
      const [row] = this.#options.outbox.pending(1, after)
      this.#backlog = row && { lane: row.lane, seq: row.seq }
      if (row !== undefined) take(row)
    }
    return rows
  }
}
