import type { Clock } from '@kedge/shared/clock'
import { type GapReport, type Lane, lanes, type Report } from '@kedge/shared/reports'
import type { Database } from '@kedge/shared/sqlite'
import { ages, excess, type OutboxBounds, rowBytes, type Sum } from './outbox-bounds.ts'

export interface KeeperOptions {
  db: Database
  clock: Clock
  bounds: OutboxBounds
  newId: () => string
  /** Puts a gap record into the outbox. */
  add: (report: GapReport) => void
}

interface SumRow extends Sum {
  lane: number
  aside: number
}

interface Old {
  seq: number
  bytes: number
  created_at: number
}

/** Rows that one call of `tidy` drops at most from a lane: a commit must not take long. */
const chunk = 2000
/** What was refused is kept so long, in milliseconds of running time, and so many reports of it. */
const asideFor = 86_400_000
const asideMost = 1000
const livedName = 'outbox-lived'

/**
 * Keeps the outbox within its bounds.
 *
 * Invariants:
 * - What is dropped is counted by a gap record in the same transaction.
 * - Nothing is too old because a clock has jumped: ages are counted in the time for which this node has run.
 * - No bound costs a look at all rows: sums are kept by the database's triggers, the oldest rows are found by index, and
 *   the sums are looked at once in 1/256 of all bytes.
 */
export class Keeper {
  readonly #options: KeeperOptions
  readonly #sql
  /** Running time up to the start of this run, and when that was. */
  readonly #before: number
  readonly #since: number
  /** Bytes that came in since the bounds were looked at. */
  #fresh = 0
  readonly dropped = new Map<Lane, number>()

  constructor(options: KeeperOptions) {
    const { db, clock } = options
    this.#options = options
    this.#sql = {
      sums: db.prepare<[], SumRow>('SELECT lane, aside, reports, bytes FROM outbox_sums'),
      oldest: db.prepare<[number, number], Old>(`SELECT seq, bytes, created_at FROM outbox
        WHERE refused IS NULL AND lane = ? ORDER BY seq LIMIT ?`),
      born: db.prepare<[number], { born: number }>(
        'SELECT born FROM outbox WHERE refused IS NULL AND lane = ? ORDER BY seq LIMIT 1',
      ),
      older: db.prepare<[number, number, number], Old>(`SELECT seq, bytes, created_at FROM
        (SELECT * FROM outbox WHERE refused IS NULL AND lane = ? ORDER BY seq LIMIT ?) WHERE born < ?`),
      remove: db.prepare('DELETE FROM outbox WHERE seq = ?'),
      gap: db.prepare<[string], { report: string }>('SELECT report FROM outbox WHERE subject = ?'),
      dropAside: db.prepare('DELETE FROM outbox WHERE refused IS NOT NULL AND born < ?'),
      // The newest stay.
      trimAside: db.prepare(`DELETE FROM outbox WHERE seq IN
        (SELECT seq FROM outbox WHERE refused IS NOT NULL ORDER BY born DESC LIMIT -1 OFFSET ?)`),
      lived: db.prepare<[string], { value: string }>('SELECT value FROM meta WHERE name = ?'),
      live: db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value'),
    }
    this.#before = Number(this.#sql.lived.get(livedName)?.value ?? 0)
    this.#since = clock.monotonic()
  }

  /** Milliseconds for which this node has run with this database; up to a minute may be missing for each crash. */
  lived(): number {
    return Math.round(this.#before + this.#options.clock.monotonic() - this.#since)
  }

  sums(): Map<Lane, Sum> {
    const waiting = this.#sql.sums.all().filter(({ aside }) => aside === 0)
    return new Map(waiting.map(({ lane, reports, bytes }) => [lanes[lane] ?? 'telemetry', { reports, bytes }]))
  }

  asideSum(): Sum {
    const aside = this.#sql.sums.all().filter((row) => row.aside === 1)
    return aside.reduce((sum, { reports, bytes }) => ({ reports: sum.reports + reports, bytes: sum.bytes + bytes }), {
      reports: 0,
      bytes: 0,
    })
  }

  /** So many bytes have come in: looks at the bounds whenever that is much. */
  grown(bytes: number): void {
    this.#fresh += bytes
    if (this.#fresh > this.#options.bounds.bytes / 256) this.#bound()
  }

  /** Drops the oldest reports of lanes that are full. */
  #bound(): void {
    this.#fresh = 0
    for (const [lane, bytes] of excess(this.sums(), this.#options.bounds)) this.#shed(lane, bytes)
  }

  /** Drops what is too old; true when there is more to do. */
  tidy(): boolean {
    // Where nothing waits, nothing grows old, and the disk is spared.
    if (!this.#sql.sums.all().some(({ reports }) => reports > 0)) return false
    const lived = this.lived()
    this.#sql.live.run(livedName, String(lived))
    this.#bound()
    this.#sql.dropAside.run(lived - asideFor)
    this.#sql.trimAside.run(asideMost)
    return ages(this.#options.bounds)
      .map(([lane, age]) => this.#expire(lane, lived - age))
      .some((more) => more)
  }

  #expire(lane: Lane, before: number): boolean {
    const index = lanes.indexOf(lane)
    const oldest = this.#sql.born.get(index)
    if (oldest === undefined || oldest.born >= before) return false
    const rows = this.#sql.older.all(index, chunk, before)
    this.#drop(lane, rows, 'age')
    return rows.length === chunk
  }

  #shed(lane: Lane, bytes: number): void {
    let left = bytes
    while (left > 0) {
      const rows: Old[] = []
      for (const row of this.#sql.oldest.all(lanes.indexOf(lane), 100)) {
        if (left <= 0) break
        left -= row.bytes
        rows.push(row)
      }
      if (rows.length === 0) return
      this.#drop(lane, rows, 'bytes')
    }
  }

  #drop(lane: Lane, rows: readonly Old[], why: GapReport['why']): void {
    if (rows.length === 0) return
    for (const { seq } of rows) this.#sql.remove.run(seq)
    this.dropped.set(lane, (this.dropped.get(lane) ?? 0) + rows.length)
    const times = rows.map(({ created_at }) => created_at)
    this.#gap({
      ...{ is: 'gap', id: this.#options.newId(), lane, why, count: rows.length },
      bytes: rows.reduce((sum, row) => sum + row.bytes, 0),
      from: Math.min(...times),
      to: Math.max(...times),
    })
  }

  /** A gap goes on from the one before, as long as that has not been answered. */
  #gap(gap: GapReport): void {
    const before = this.#sql.gap.get(`gaps/${gap.lane}/${gap.why}`)
    this.#options.add(before === undefined ? gap : wider(JSON.parse(before.report) as Report, gap))
  }
}

function wider(before: Report, gap: GapReport): GapReport {
  if (before.is !== 'gap') return gap
  return {
    ...before,
    count: before.count + gap.count,
    bytes: before.bytes + gap.bytes,
    from: Math.min(before.from, gap.from),
    to: Math.max(before.to, gap.to),
  }
}

/**
 * Puts the outbox in order whose rows came from elsewhere, as from a damaged database: rows whose parts are missing go, and
 * everything is counted anew. Call it inside a transaction.
 */
export function recount(db: Database): void {
  db.exec(`
    DELETE FROM outbox_parts WHERE seq NOT IN (SELECT seq FROM outbox);
    DELETE FROM outbox WHERE parted = 1 AND seq NOT IN (SELECT seq FROM outbox_parts);
    UPDATE outbox SET bytes = length(report) + ${rowBytes}
      + coalesce((SELECT sum(bytes) FROM outbox_parts p WHERE p.seq = outbox.seq), 0);
    DELETE FROM outbox_sums;
    INSERT INTO outbox_sums SELECT lane, refused IS NOT NULL, count(*), sum(bytes) FROM outbox GROUP BY 1, 2;
  `)
}
