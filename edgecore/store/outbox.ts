import { randomUUID } from 'node:crypto'
import type { Clock } from '@kedge/shared/clock'
import { type DeviceReport, type Lane, laneOf, lanes, type Report, subjectOf } from '@kedge/shared/reports'
import type { Database } from '@kedge/shared/sqlite'
import { defaultBounds, type OutboxBounds, partBytes, rowBytes, type Sum } from './outbox-bounds.ts'
import { Keeper } from './outbox-keeper.ts'
import { type OutboxRow, type RawRow, rowOf, textsOf } from './outbox-row.ts'
import { type PutRow, type PutStatement, type Statements, statements, type Waiting } from './outbox-statements.ts'

export { recount } from './outbox-keeper.ts'
export type { OutboxRow } from './outbox-row.ts'
export type { Waiting } from './outbox-statements.ts'

/** Where a report has been put. */
export interface Added {
  seq: number
  lane: Lane
  /** 1 for a new row. */
  version: number
}

export interface OutboxOptions {
  bounds?: OutboxBounds
  /** A new unique id; a random UUID unless given. */
  newId?: () => string
}

/**
 * Reports waiting for the cloud's answer.
 *
 * Invariants:
 * - A report is in the table before anyone is told that it was taken.
 * - What was said goes when it is answered, or when its lane is full or it has waited too long and a gap record counts
 *   it; how something is now is never dropped.
 * - A fold keeps the row's place in line.
 */
export class Outbox {
  readonly #clock: Clock
  readonly #keeper: Keeper
  readonly #sql: Statements
  readonly #listeners: ((added: Added) => void)[] = []

  constructor(db: Database, clock: Clock, { bounds = defaultBounds, newId = randomUUID }: OutboxOptions = {}) {
    this.#clock = clock
    this.#sql = statements(db)
    this.#keeper = new Keeper({ db, clock, bounds, newId, add: (report) => this.add(report) })
  }

  /** Adds or folds a report. Call it inside `Store.commit`, in the same transaction as what it reports. */
  add(report: Report): void {
    const lane = laneOf(report)
    const { seq, version, bytes } = report.is === 'device' ? this.#putDevice(report) : this.#putWhole(report, lane)
    for (const listener of this.#listeners) listener({ seq, version, lane })
    this.#keeper.grown(bytes)
  }

  /** Calls `listener` on every `add`, before its transaction has committed: it may only make a note. */
  onAdd(listener: (added: Added) => void): void {
    this.#listeners.push(listener)
  }

  /** The row `seq` with what was said in it after version `after`; undefined once all of that has been answered. */
  get(seq: number, after = 0): OutboxRow | undefined {
    const row = this.#sql.bySeq.get(seq)
    if (row === undefined) return undefined
    if (row.parted === 0) return row.version > after ? rowOf(row, []) : undefined
    const parts = this.#sql.partsAfter.all(seq, after)
    return parts.length === 0 ? undefined : rowOf(row, parts)
  }

  /** The newest version of a row that waits. */
  version(seq: number): number | undefined {
    return this.#sql.version.get(seq)?.version
  }

  /** What a row is about. */
  subject(seq: number): string | undefined {
    return this.#sql.subject.get(seq)?.subject
  }

  /** Up to `limit` rows of a lane that wait, in the order in which they are served, after the row `after`. */
  waiting(lane: Lane, after: number, limit: number): Waiting[] {
    return this.#sql.waiting.all(lanes.indexOf(lane), after, limit)
  }

  /** Up to `limit` rows in the order in which they are served. */
  pending(limit: number): OutboxRow[] {
    return this.#sql.pending.all(limit).map((row) => this.#whole(row))
  }

  /** Up to `limit` rows: those that wait, in the order in which they are served, then those set aside. */
  all(limit = Number.MAX_SAFE_INTEGER): OutboxRow[] {
    const waiting = this.pending(limit)
    return [...waiting, ...this.aside(limit - waiting.length)]
  }

  /** The rows that are set aside, the newest first. */
  aside(limit = -1): OutboxRow[] {
    return this.#sql.aside.all(limit).map((row) => this.#whole(row))
  }

  /** What waits in each lane; a lane that is empty may be missing. */
  sums(): Map<Lane, Sum> {
    return this.#keeper.sums()
  }

  /** What is set aside, of all lanes. */
  asideSum(): Sum {
    return this.#keeper.asideSum()
  }

  /** When the oldest report of a lane was written, milliseconds since the epoch; undefined where none waits. */
  oldest(lane: Lane): number | undefined {
    return this.#sql.oldest.get(lanes.indexOf(lane))?.created_at
  }

  /** Reports dropped by lane since the start. */
  get dropped(): ReadonlyMap<Lane, number> {
    return this.#keeper.dropped
  }

  /**
   * Takes an answer: `version` of the row was accepted, as it was sent with what was said after version `after`. What
   * came later stays. Call inside `Store.commit`.
   */
  accepted(seq: number, version: number, after = 0): void {
    this.#sql.dropParts.run(seq, after, version)
    this.#sql.dropAnswered.run({ seq, version })
  }

  /** Sets aside a report that Kubernetes will never take, unless there is news in it. Call inside `Store.commit`. */
  refused(seq: number, version: number, reason: string): void {
    this.#sql.refuse.run(reason, this.#keeper.lived(), seq, version)
  }

  /** Drops a row that nobody waits for any more. Call inside `Store.commit`. */
  remove(seq: number): void {
    this.#sql.remove.run(seq)
  }

  /** Drops what has waited too long; true when there is more to do. Call now and then, inside `Store.commit`. */
  tidy(): boolean {
    return this.#keeper.tidy()
  }

  #whole(row: RawRow): OutboxRow {
    return rowOf(row, row.parted === 0 ? [] : this.#sql.partsAfter.all(row.seq, 0))
  }

  #putWhole(report: Report, lane: Lane): Put {
    const { head } = textsOf(report)
    const bytes = rowBytes + head.length
    return { ...this.#put(this.#sql.putWhole, { lane, subject: subjectOf(report), head, bytes }), bytes }
  }

  #putDevice(report: DeviceReport): Put {
    const { head, parts } = textsOf(report)
    let bytes = rowBytes + head.length
    const row = this.#put(this.#sql.putDevice, { lane: 'state', subject: subjectOf(report), head, bytes })
    const { seq, version } = row
    if (row.report !== head) this.#replace(seq, head)
    for (const { part, content } of parts) {
      const size = partBytes + part.length + content.length
      this.#sql.putPart.run(seq, part, version, size, content)
      bytes += size
    }
    return { seq, version, bytes }
  }

  #put(statement: PutStatement, { lane, subject, head, bytes }: NewRow): PutRow {
    const row = statement.get(lanes.indexOf(lane), subject, head, bytes, this.#clock.now(), this.#keeper.lived())
    if (row === undefined) throw new Error('the outbox has not said where the report is')
    return row
  }

  /** The device was deleted and made again: what was said of the first is moot. */
  #replace(seq: number, head: string): void {
    this.#sql.dropParts.run(seq, 0, Number.MAX_SAFE_INTEGER)
    this.#sql.rename.run(head, seq)
  }
}

interface Put {
  seq: number
  version: number
  /** About so many bytes came into the outbox. */
  bytes: number
}

interface NewRow {
  lane: Lane
  subject: string
  head: string
  bytes: number
}
