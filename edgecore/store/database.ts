import { existsSync, statSync } from 'node:fs'
import { codeOf, explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import { Database } from '@kedge/shared/sqlite'
import { dropMeta, getMeta, setMeta } from './meta.ts'
import { ImpossibleVersion, migrate } from './migrations.ts'
import { type Seal, type SealedDatabase, withSeal } from './seal.ts'
import { sealSecrets } from './sealing.ts'
import { type ObjectRow, wholeRow } from './secret-rows.ts'

/** A database up to this many bytes is checked at every start, a larger one only after an unclean stop. */
const checkedAlways = 16 * 1024 * 1024
/** Beyond this many bytes the check leaves out whether every index has all its rows. */
const checkedWhole = 64 * 1024 * 1024

/** What SQLite's check found; its message begins with what is wrong. */
export class CorruptDatabase extends Error {
  readonly code = 'SQLITE_CORRUPT'
}

/** What seals the values of Secrets: the present key and, as far as it is known, the one before. */
export interface Seals {
  seal: Seal
  previous: Seal | undefined
}

/**
 * Opens the node's database for writing: WAL, every commit on disk before it counts. It is checked first; throws a
 * `CorruptDatabase`, or SQLite's error, when it is damaged.
 */
export function openDatabase(path: string, { seal, previous }: Seals, log: Log): SealedDatabase {
  const bytes = existsSync(path) ? statSync(path).size : 0
  const db = withSeal(new Database(path), seal)
  try {
    // Only a new file takes it: small pages are a third of the bytes for an SD card, since a commit writes whole ones.
    db.pragma('page_size = 1024')
    db.pragma('journal_mode = WAL')
    db.pragma('wal_autocheckpoint = 4000')
    db.pragma('synchronous = FULL')
    db.pragma('busy_timeout = 5000')
    db.pragma('foreign_keys = ON')
    // Looked at where a page is read: a damaged one gives an error, not nonsense.
    db.pragma('cell_size_check = ON')
    if (bytes > 0) checkOnce(db, bytes, log)
    migrate(db)
    sealSecrets(db, { path, previous, log })
    dropUnfit(db, log)
    setMeta(db, 'clean', '0')
    return db
  } catch (error) {
    closeQuietly(db)
    throw bytes > 0 ? judged(error) : error
  }
}

/** Errors of the disk, of another process or of the machine, and not of what the file holds. */
const notOfTheFile = /^SQLITE_(FULL|IOERR|READONLY|CANTOPEN|BUSY|LOCKED|PERM|AUTH|NOMEM|CORRUPT|NOTADB)/

/** What SQLite cannot make sense of in a file that this program has written before is damage, whatever it calls it. */
function judged(error: unknown): unknown {
  const code = codeOf(error) ?? ''
  const odd = code.startsWith('SQLITE_') && !notOfTheFile.test(code)
  return odd || error instanceof ImpossibleVersion ? new CorruptDatabase(explain(error), { cause: error }) : error
}

function checkOnce(db: Database, bytes: number, log: Log): void {
  const clean = hasMeta(db) && getMeta(db, 'clean') === '1'
  if (clean && bytes > checkedAlways) return
  const started = performance.now()
  check(db, bytes)
  const ms = Math.round(performance.now() - started)
  log[clean ? 'debug' : 'info']({ ms, bytes, clean }, 'database checked')
}

/** Throws a `CorruptDatabase` that names the first fault found. */
export function check(db: Database, bytes: number): void {
  const how = bytes > checkedWhole ? 'quick_check(1)' : 'integrity_check(1)'
  const result = db.pragma(how, { simple: true })
  if (result !== 'ok') throw new CorruptDatabase(String(result))
}

/** A database whose file is damaged may not even close. */
export function closeQuietly(db: Database): void {
  try {
    db.close()
  } catch {
    // What it could not do at its end shows when it is opened again.
  }
}

/**
 * Forgets objects whose content is no longer what it was: SQLite's own check does not look at values. The digest of what
 * is held then tells the cloud that something is missing; until it has confirmed the rest, no pod is taken down.
 */
export function dropUnfit(db: SealedDatabase, log: Log): void {
  const rows = db.prepare<[], ObjectRow>('SELECT key, content, hash FROM objects')
  const unfit: Key[] = []
  for (const row of rows.iterate()) if (wholeRow(db.seal, row) === undefined) unfit.push(row.key)
  if (unfit.length === 0) return
  log.error({ objects: unfit.length, keys: unfit.slice(0, 10) }, 'damaged objects dropped')
  const drop = db.prepare('DELETE FROM objects WHERE key = ?')
  db.transaction(() => {
    for (const key of unfit) drop.run(key)
    dropMeta(db, 'complete')
  })()
}

function hasMeta(db: Database): boolean {
  return db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").get() !== undefined
}
