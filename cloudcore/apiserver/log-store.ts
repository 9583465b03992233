import { explain } from '@kedge/shared/errors'
import type {
  Change,
  ChangesRequest,
  Entry,
  ListRequest,
  ObjectKey,
  Storage,
  Transaction,
} from '@kedge/shared/kubeapi/storage'
import type { Log } from '@kedge/shared/log'
import type Database from 'better-sqlite3'
import { closeDatabase } from './database.ts'
import { LogTransaction } from './log-transaction.ts'
import { Statements } from './statements.ts'

interface Job {
  write: (tx: Transaction) => unknown
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/**
 * The objects of the API server in an append-only log.
 *
 * Invariants:
 * - `commit` resolves only after its writes are on disk, and after every subscriber was told of them.
 * - Writes take effect, and their promises resolve, in the order of the calls; the resourceVersions follow that order.
 * - A write that throws leaves nothing behind and does not touch those it shares a transaction with.
 * - `revision` never goes back, not even when the newest rows are compacted away.
 */
export class LogStore implements Storage {
  readonly #db: Database.Database
  readonly #sql: Statements
  readonly #log: Log
  readonly #listeners = new Set<(changes: readonly Change[]) => void>()
  #revision: number
  #oldest: number
  #queue: Job[] = []
  #scheduled = false
  #closed = false

  constructor(db: Database.Database, log: Log) {
    this.#db = db
    this.#sql = new Statements(db)
    this.#log = log
    this.#revision = this.#sql.revision()
    this.#oldest = this.#sql.oldest()
  }

  get revision(): number {
    return this.#revision
  }

  get oldest(): number {
    return this.#oldest
  }

  get(key: ObjectKey): Entry | undefined {
    return this.#sql.get(key)
  }

  list(request: ListRequest): Entry[] {
    const { at } = request
    return at === undefined || at >= this.#revision ? this.#sql.list(request) : this.#sql.listAt({ ...request, at })
  }

  count(request: ListRequest): number {
    return this.#sql.count(request)
  }

  changes(request: ChangesRequest): Change[] {
    return this.#sql.changes(request)
  }

  subscribe(listener: (changes: readonly Change[]) => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Calls made in the same turn of the event loop share one transaction, and so one fsync. */
  commit<T>(write: (tx: Transaction) => T): Promise<T> {
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
    const changes: Change[] = []
    const settle: (() => void)[] = []
    let revision = this.#revision
    try {
      this.#db.transaction(() => {
        for (const job of jobs) {
          const tx = new LogTransaction(this.#sql, revision)
          const done = this.#run(job, tx)
          settle.push(done.settle)
          if (!done.kept) continue
          revision = tx.revision
          changes.push(...tx.changes)
        }
        if (revision > this.#revision) this.#sql.setMeta('revision', revision)
      })()
    } catch (error) {
      // The transaction as a whole failed (disk full, I/O error): nothing was kept, so nobody may be told it was.
      this.#log.error({ writes: jobs.length, reason: explain(error) }, 'commit failed')
      for (const job of jobs) job.reject(new Error('commit', { cause: error }))
      return
    }
    this.#revision = revision
    this.#tell(changes)
    for (const each of settle) each()
  }

  /** One write in a savepoint of its own. */
  #run({ write, resolve, reject }: Job, tx: LogTransaction): { settle: () => void; kept: boolean } {
    try {
      const value = this.#db.transaction(() => write(tx))()
      return { settle: () => resolve(value as never), kept: true }
    } catch (error) {
      if (!this.#db.inTransaction) throw error
      return { settle: () => reject(error), kept: false }
    }
  }

  #tell(changes: readonly Change[]): void {
    if (changes.length === 0) return
    for (const listener of this.#listeners) {
      try {
        listener(changes)
      } catch (error) {
        this.#log.error({ reason: explain(error) }, 'listener failed')
      }
    }
  }

  /**
   * Forgets states that were replaced at or before `horizon`, in one short transaction over at most `limit` rows of the
   * log. Returns how many rows went, and whether the horizon is reached.
   */
  compact(horizon: number, limit: number): { removed: number; done: boolean } {
    const to = Math.min(horizon, this.#oldest + limit, this.#revision)
    if (to <= this.#oldest) return { removed: 0, done: true }
    const removed = this.#db.transaction(() => {
      const gone = this.#sql.compact(this.#oldest, to)
      this.#sql.setMeta('oldest', to)
      return gone
    })()
    this.#oldest = to
    return { removed, done: to === Math.min(horizon, this.#revision) }
  }

  /** Commits what is queued and closes the file. */
  close(): void {
    if (this.#closed) return
    this.#flush()
    this.#closed = true
    closeDatabase(this.#db)
  }
}
