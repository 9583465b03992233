import type { Database, Statement } from '@kedge/shared/sqlite'
import type { Part, RawRow } from './outbox-row.ts'

/** A row without its report. */
export interface Waiting {
  seq: number
  subject: string
  version: number
  bytes: number
}

/** Where a report has been put. */
export interface PutRow {
  seq: number
  version: number
  report: string
}

type PutParameters = [lane: number, subject: string, report: string, bytes: number, createdAt: number, born: number]
export type PutStatement = Statement<PutParameters, PutRow>

export interface Statements {
  putWhole: PutStatement
  putDevice: PutStatement
  putPart: Statement
  rename: Statement
  bySeq: Statement<[seq: number], RawRow>
  version: Statement<[seq: number], { version: number }>
  subject: Statement<[seq: number], { subject: string }>
  partsAfter: Statement<[seq: number, version: number], Part>
  waiting: Statement<[lane: number, after: number, limit: number], Waiting>
  pending: Statement<[limit: number], RawRow>
  aside: Statement<[limit: number], RawRow>
  oldest: Statement<[lane: number], { created_at: number }>
  dropParts: Statement
  dropAnswered: Statement<[{ seq: number; version: number }]>
  refuse: Statement
  remove: Statement
}

/** What the outbox says to the database. */
export function statements(db: Database): Statements {
  const insert = 'INSERT INTO outbox (lane, subject, report, bytes, created_at, born, parted)'
  const again = 'version = version + 1, refused = NULL'
  return {
    putWhole: db.prepare(`${insert} VALUES (?, ?, ?, ?, ?, ?, 0) ON CONFLICT (subject) DO UPDATE
      SET report = excluded.report, bytes = excluded.bytes, lane = excluded.lane, ${again} RETURNING seq, version, report`),
    putDevice: db.prepare(`${insert} VALUES (?, ?, ?, ?, ?, ?, 1) ON CONFLICT (subject) DO UPDATE
      SET ${again} RETURNING seq, version, report`),
    putPart: db.prepare(`INSERT INTO outbox_parts (seq, part, version, bytes, content) VALUES (?, ?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET version = excluded.version, bytes = excluded.bytes, content = excluded.content`),
    rename: db.prepare('UPDATE outbox SET report = ? WHERE seq = ?'),
    bySeq: db.prepare('SELECT * FROM outbox WHERE seq = ? AND refused IS NULL'),
    version: db.prepare('SELECT version FROM outbox WHERE seq = ? AND refused IS NULL'),
    subject: db.prepare('SELECT subject FROM outbox WHERE seq = ?'),
    partsAfter: db.prepare('SELECT part, content FROM outbox_parts WHERE seq = ? AND version > ?'),
    waiting: db.prepare(`SELECT seq, subject, version, bytes FROM outbox
      WHERE refused IS NULL AND lane = ? AND seq > ? ORDER BY seq LIMIT ?`),
    pending: db.prepare('SELECT * FROM outbox WHERE refused IS NULL ORDER BY lane, seq LIMIT ?'),
    aside: db.prepare('SELECT * FROM outbox WHERE refused IS NOT NULL ORDER BY born DESC LIMIT ?'),
    oldest: db.prepare('SELECT created_at FROM outbox WHERE refused IS NULL AND lane = ? ORDER BY seq LIMIT 1'),
    dropParts: db.prepare('DELETE FROM outbox_parts WHERE seq = ? AND version > ? AND version <= ?'),
    dropAnswered: db.prepare(`DELETE FROM outbox WHERE seq = @seq AND CASE parted
      WHEN 0 THEN version = @version ELSE NOT EXISTS (SELECT 1 FROM outbox_parts WHERE seq = @seq) END`),
    refuse: db.prepare('UPDATE outbox SET refused = ?, born = ? WHERE seq = ? AND version = ?'),
    remove: db.prepare('DELETE FROM outbox WHERE seq = ?'),
  }
}
