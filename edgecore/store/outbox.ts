import type { Clock } from '@kedge/shared/clock'
import { fold, type Lane, laneOf, lanes, type Report, subjectOf } from '@kedge/shared/reports'
import type { Database } from '@kedge/shared/sqlite'

export interface OutboxRow {
  seq: number
  lane: Lane
  subject: string
  /** Counts the folds into this row. */
  version: number
  report: Report
  /** Milliseconds since the epoch, when the row was first written. */
  createdAt: number
  refused: string | null
}

interface Row {
  seq: number
  lane: number
  subject: string
  version: number
  report: string
  created_at: number
  refused: string | null
}

/**
 * Reports waiting for the cloud's answer.
 *
 * Invariants:
 * - A report is in the table before anyone is told that it was taken.
 * - A row goes when its newest version is answered, and for no other reason.
 * - A fold keeps the row's place in line.
 */
export class Outbox {
  readonly #clock: Clock
  readonly #bySubject
  readonly #bySeq
  readonly #insert
  readonly #update
  readonly #pending
  readonly #remove
  readonly #refuse
  readonly #all
  readonly #listeners: ((row: { seq: number; lane: Lane }) => void)[] = []

  constructor(db: Database, clock: Clock) {
    this.#clock = clock
    this.#bySubject = db.prepare<[string], Row>('SELECT * FROM outbox WHERE subject = ?')
    this.#bySeq = db.prepare<[number], Row>('SELECT * FROM outbox WHERE seq = ? AND refused IS NULL')
    this.#insert = db.prepare('INSERT INTO outbox (lane, subject, report, created_at) VALUES (?, ?, ?, ?)')
    this.#update = db.prepare(
      'UPDATE outbox SET report = ?, lane = ?, version = version + 1, refused = NULL WHERE seq = ?',
    )
    this.#pending = db.prepare<[number, number, number], Row>(
      'SELECT * FROM outbox WHERE refused IS NULL AND (lane, seq) > (?, ?) ORDER BY lane, seq LIMIT ?',
    )
    this.#remove = db.prepare('DELETE FROM outbox WHERE seq = ? AND version = ?')
    this.#refuse = db.prepare('UPDATE outbox SET refused = ? WHERE seq = ? AND version = ?')
    this.#all = db.prepare<[], Row>('SELECT * FROM outbox ORDER BY lane, seq')
  }

  /** Adds or folds a report. Call it inside `Store.commit`, in the same transaction as what it reports. */
  add(report: Report): void {
    const subject = subjectOf(report)
    const row = this.#bySubject.get(subject)
    const lane = lanes.indexOf(laneOf(report))
    let seq: number
    if (row === undefined) {
      seq = Number(this.#insert.run(lane, subject, JSON.stringify(report), this.#clock.now()).lastInsertRowid)
    } else {
      seq = row.seq
      this.#update.run(JSON.stringify(fold(JSON.parse(row.report) as Report, report)), lane, seq)
    }
    for (const listener of this.#listeners) listener({ seq, lane: laneOf(report) })
  }

  /** Calls `listener` on every `add`, before its transaction has committed: it may only make a note. */
  onAdd(listener: (row: { seq: number; lane: Lane }) => void): void {
    this.#listeners.push(listener)
  }

  /** The row `seq`, unless it has been answered. */
  get(seq: number): OutboxRow | undefined {
    const row = this.#bySeq.get(seq)
    return row && read(row)
  }

  /** Up to `limit` rows in the order in which they are served, after the row `after`. */
  pending(limit: number, after?: { lane: Lane; seq: number }): OutboxRow[] {
    return this.#pending.all(after ? lanes.indexOf(after.lane) : -1, after?.seq ?? 0, limit).map(read)
  }

  all(): OutboxRow[] {
    return this.#all.all().map(read)
  }

  /** Removes a row whose newest version was accepted; an older version leaves it. Call inside `Store.commit`. */
  accepted(seq: number, version: number): void {
    this.#remove.run(seq, version)
  }

  /** Sets aside a report that Kubernetes will never take. Call inside `Store.commit`. */
  refused(seq: number, version: number, reason: string): void {
    this.#refuse.run(reason, seq, version)
  }
}

function read({ created_at, report, lane, ...row }: Row): OutboxRow {
  return { ...row, lane: lanes[lane] ?? 'telemetry', report: JSON.parse(report) as Report, createdAt: created_at }
}
