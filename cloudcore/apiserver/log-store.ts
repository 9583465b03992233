import { explain } from '@kedge/shared/errors'
import { GroupCommit } from '@kedge/shared/group-commit'
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
import type { Database } from '@kedge/shared/sqlite'
import { closeDatabase } from './database.ts'
import { LogTransaction } from './log-transaction.ts'
import { Statements } from './statements.ts'

/** What the transaction in progress has done so far. */
interface Doing {
  revision: number
  changes: Change[]
}

/**
 * The objects of the API server in an append-only log.
 *
 * Invariants:
 * - `commit` resolves only after its writes are on disk, and after every subscriber was told of them.
 * - Writes take effect, and their promises resolve, in the order of the calls; the resourceVersions follow that order.
 * - `revision` never goes back, not even when the newest rows are compacted away.
 */
export class LogStore implements Storage {
  readonly #db: Database
  readonly #sql: Statements
  readonly #log: Log
  readonly #listeners = new Set<(changes: readonly Change[]) => void>()
  #revision: number
  #oldest: number
  readonly #group: GroupCommit
  #doing: Doing
  #closed = false

  constructor(db: Database, log: Log) {
    this.#db = db
    this.#sql = new Statements(db)
    this.#log = log
    this.#revision = this.#sql.revision()
    this.#oldest = this.#sql.oldest()
    this.#doing = { revision: this.#revision, changes: [] }
    this.#group = new GroupCommit({
      db,
      log,
      closing: () => {
        if (this.#doing.revision > this.#revision) this.#sql.setMeta('revision', this.#doing.revision)
      },
      committed: () => this.#committed(),
      failed: () => {
        this.#doing = { revision: this.#revision, changes: [] }
      },
    })
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
    return this.#group.commit(() => {
      const tx = new LogTransaction(this.#sql, this.#doing.revision)
      const value = write(tx)
      this.#doing.revision = tx.revision
      this.#doing.changes.push(...tx.changes)
      return value
    })
  }

  #committed(): void {
    const { revision, changes } = this.#doing
    this.#revision = revision
    this.#doing = { revision, changes: [] }
    this.#tell(changes)
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
    this.#closed = true
    this.#group.close()
    closeDatabase(this.#db)
  }
}
