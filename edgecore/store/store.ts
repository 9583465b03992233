import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { GroupCommit } from '@kedge/shared/group-commit'
import type { Log } from '@kedge/shared/log'
import { Database } from '@kedge/shared/sqlite'
import { migrate } from './migrations.ts'

export interface StoreOptions {
  /** The database file; its folder is made if it is missing. */
  path: string
  clock: Clock
  log: Log
}

/** The node's SQLite database: one writer, WAL, `synchronous=FULL`, group commit. */
export class Store {
  readonly db: Database
  readonly #group: GroupCommit
  #closed = false

  private constructor(db: Database, log: Log) {
    this.db = db
    this.#group = new GroupCommit({ db, log })
  }

  /**
   * Opens the database. After an unclean stop it is checked first; one that fails the check is set aside beside the new
   * one (`….corrupt-<time>`), never deleted, and the cloud fills the new one.
   */
  static open({ path, clock, log }: StoreOptions): Store {
    mkdirSync(dirname(path), { recursive: true })
    try {
      return new Store(openChecked(path, log), log)
    } catch (error) {
      if (!isCorrupt(error)) throw new Error(`open the database ${path}`, { cause: error })
      const aside = setAside(path, clock.now())
      log.error({ path, aside, reason: explain(error) }, 'database set aside')
      return new Store(openChecked(path, log), log)
    }
  }

  /**
   * Runs `write` inside a transaction and resolves with its result once that is on disk. Calls made in the same turn of
   * the event loop share one transaction, and so one fsync. `write` is synchronous.
   */
  commit<T>(write: () => T): Promise<T> {
    return this.#group.commit(write)
  }

  /** Commits what is queued, marks the stop as clean and closes the file. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    this.#group.close()
    setMeta(this.db, 'clean', '1')
    this.db.close()
  }
}

function openChecked(path: string, log: Log): Database {
  const existed = existsSync(path)
  const db = new Database(path)
  try {
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('busy_timeout = 5000')
    db.pragma('foreign_keys = ON')
    if (existed && hasMeta(db) && getMeta(db, 'clean') !== '1') {
      const started = performance.now()
      check(db)
      log.info({ path, ms: Math.round(performance.now() - started) }, 'database checked after an unclean stop')
    }
    migrate(db)
    setMeta(db, 'clean', '0')
    return db
  } catch (error) {
    db.close()
    throw error
  }
}

function check(db: Database): void {
  const result = db.pragma('integrity_check(1)', { simple: true })
  if (result !== 'ok') throw new CorruptDatabase(String(result))
}

class CorruptDatabase extends Error {}

function isCorrupt(error: unknown): boolean {
  const code = (error as { code?: string }).code ?? ''
  return error instanceof CorruptDatabase || code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB'
}

function setAside(path: string, now: number): string {
  const aside = `${path}.corrupt-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  }
  return aside
}

function hasMeta(db: Database): boolean {
  return db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").get() !== undefined
}

/** A small fact kept by name. */
export function getMeta(db: Database, name: string): string | undefined {
  const row = db.prepare<[string], { value: string }>('SELECT value FROM meta WHERE name = ?').get(name)
  return row?.value
}

export function setMeta(db: Database, name: string, value: string): void {
  db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value').run(
    name,
    value,
  )
}
