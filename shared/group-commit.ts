import { explain } from './errors.ts'
import type { Log } from './log.ts'

/** As much of a better-sqlite3 database as group commit needs. */
interface Transactional {
  transaction<T>(run: () => T): () => T
  readonly inTransaction: boolean
}

export interface GroupCommitOptions {
  db: Transactional
  log: Log
  /** Runs at the end of each transaction, inside it. */
  closing?: () => void
  /** Runs once a transaction is on disk, before its writers are told. */
  committed?: () => void
  /** Runs when a transaction failed as a whole, before its writers are told. */
  failed?: (error: unknown) => void
}

interface Job {
  write: () => unknown
  resolve: (value: never) => void
  reject: (error: unknown) => void
}

/**
 * Many writers, one transaction and so one fsync: what is asked for in one turn of the event loop is committed together.
 *
 * Invariants:
 * - `commit` resolves only after its writes are on disk.
 * - Writes take effect, and their promises resolve, in the order of the calls.
 * - A write that throws leaves nothing behind and does not touch those it shares a transaction with.
 */
export class GroupCommit {
  readonly #options: GroupCommitOptions
  #queue: Job[] = []
  #soon: NodeJS.Immediate | undefined
  #later: { timer: NodeJS.Timeout; dueAt: number } | undefined
  #closed = false

  constructor(options: GroupCommitOptions) {
    this.#options = options
  }

  /**
   * Runs `write`, which is synchronous, inside a transaction and resolves with its result once that is on disk. It may
   * wait `within` milliseconds for others to share the transaction with; whoever may not wait takes it along.
   */
  commit<T>(write: () => T, within = 0): Promise<T> {
    if (this.#closed) return Promise.reject(new Error('the database is closed'))
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ write, resolve, reject })
      this.#schedule(within)
    })
  }

  /** Commits what is queued and takes nothing more. */
  close(): void {
    this.#flush()
    this.#closed = true
  }

  #schedule(within: number): void {
    if (this.#soon !== undefined) return
    if (within <= 0) {
      this.#soon = setImmediate(() => this.#flush())
      return
    }
    const dueAt = performance.now() + within
    if (this.#later !== undefined && this.#later.dueAt <= dueAt) return
    clearTimeout(this.#later?.timer)
    this.#later = { timer: setTimeout(() => this.#flush(), within), dueAt }
  }

  #unschedule(): void {
    clearImmediate(this.#soon)
    clearTimeout(this.#later?.timer)
    this.#soon = undefined
    this.#later = undefined
  }

  #flush(): void {
    this.#unschedule()
    const jobs = this.#queue
    this.#queue = []
    if (jobs.length === 0) return
    const { db, log, closing, committed, failed } = this.#options
    const settle: (() => void)[] = []
    try {
      db.transaction(() => {
        for (const job of jobs) settle.push(this.#run(job))
        closing?.()
      })()
    } catch (error) {
      // The transaction as a whole failed (disk full, I/O error): nothing was kept, so nobody may be told it was.
      log.error({ writes: jobs.length, reason: explain(error) }, 'commit failed')
      failed?.(error)
      for (const job of jobs) job.reject(new Error('commit', { cause: error }))
      return
    }
    committed?.()
    for (const each of settle) each()
  }

  /** One write in a savepoint of its own; what to tell its caller once the whole transaction has committed. */
  #run({ write, resolve, reject }: Job): () => void {
    const { db } = this.#options
    try {
      const value = db.transaction(write)()
      return () => resolve(value as never)
    } catch (error) {
      if (!db.inTransaction) throw error
      return () => reject(error)
    }
  }
}
