import { existsSync, mkdirSync, renameSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import Database from 'better-sqlite3'
import { migrate } from './migrations.ts'

export interface StoreOptions {
  /** The database file; its folder is made if it is missing. */
  path: string
  clock: Clock
  log: Log
}

interface Job {
  write: () => unknown
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/**
 * The node's SQLite database: one writer, WAL, `synchronous=FULL`.
 *
 * Invariants:
 * - `commit` resolves only after its writes are on disk.
 * - Writes take effect, and their promises resolve, in the order of the calls.
 * - A write that throws leaves nothing behind and does not touch those it shares a transaction with.
 */
export class Store {
  readonly db: Database.Database
  readonly #log: Log
  #queue: Job[] = []
  #scheduled = false
  #closed = false

  private constructor(db: Database.Database, log: Log) {
    this.db = db
    this.#log = log
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
    if (this.#closed) return Promise.reject(new Error('the database is closed'))
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ write, resolve, reject })
      if (this.#scheduled) return
      this.#scheduled = true
      setImmediate(() => this.#flush())
    })
  }

  #flush(): void {
    this.#scheduled = false
    const jobs = this.#queue
    this.#queue = []
    if (jobs.length === 0) return
    const settle: (() => void)[] = []
    try {
      this.db.transaction(() => {
        for (const job of jobs) settle.push(this.#run(job))
      })()
    } catch (error) {
      // The transaction as a whole failed (disk full, I/O error): nothing was kept, so nobody may be told it was.
      this.#log.error({ writes: jobs.length, reason: explain(error) }, 'commit failed')
      for (const job of jobs) job.reject(new Error('commit', { cause: error }))
      return
    }
    for (const each of settle) each()
  }

  /** One write in a savepoint of its own; what to tell its caller once the whole transaction has committed. */
  #run({ write, resolve, reject }: Job): () => void {
    try {
      const value = this.db.transaction(write)()
      return () => resolve(value as never)
    } catch (error) {
      if (!this.db.inTransaction) throw error
      return () => reject(error)
    }
  }

  /** Commits what is queued, marks the stop as clean and closes the file. */
  close(): void {
    if (this.#closed) return
    this.#flush()
    this.#closed = true
    setMeta(this.db, 'clean', '1')
    this.db.close()
  }
}

function openChecked(path: string, log: Log): Database.Database {
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

function check(db: Database.Database): void {
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

function hasMeta(db: Database.Database): boolean {
  return db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").get() !== undefined
}

/** A small fact kept by name. */
export function getMeta(db: Database.Database, name: string): string | undefined {
  const row = db.prepare<[string], { value: string }>('SELECT value FROM meta WHERE name = ?').get(name)
  return row?.value
}

export function setMeta(db: Database.Database, name: string, value: string): void {
  db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value').run(
    name,
    value,
  )
}
