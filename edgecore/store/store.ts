import { existsSync, mkdirSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { explain, UserError } from '@kedge/shared/errors'
import { GroupCommit } from '@kedge/shared/group-commit'
import type { Log } from '@kedge/shared/log'
import { type CommitInterval, CommitPace } from './commit-pace.ts'
import { CorruptDatabase, closeQuietly, openDatabase, type Seals } from './database.ts'
import { diagnose, faultOfWriting, faultReason, StorageError, type StorageFault } from './faults.ts'
import { openInMemory } from './memory.ts'
import { getMeta, setMeta } from './meta.ts'
import { finishReplacement, replaceDamaged } from './replacement.ts'
import { Seal, type SealedDatabase } from './seal.ts'
import { loadSecretsKey, ownKeyFile, passingKey, readOwnKey, type SecretsKey } from './secrets-key.ts'
import { watched } from './watched.ts'

export { getMeta, setMeta } from './meta.ts'

export interface StoreOptions {
  /** The database file; its folder is made if it is missing. */
  path: string
  clock: Clock
  log: Log
  /** Called before the database is opened for writing; throws when that may not be. */
  claim?: (() => void) | undefined
  /** How far apart commits of `spaced` writes lie; `auto` unless given. */
  commitInterval?: CommitInterval | undefined
  /** The file of the key for the values of Secrets; without it, one is made beside the database. */
  secretsKeyFile?: string | undefined
  /** An error that its file gave before: it is replaced, whatever a check of it says now. */
  damaged?: unknown
  /** Milliseconds between two tries while the disk takes no write. */
  retryEvery?: number
}

/**
 * How long a write may wait for company. `now`: not beyond this turn of the event loop. `spaced`: as `CommitPace`
 * says. `lazy`: a second, for what nobody waits for.
 */
export type Urgency = 'now' | 'spaced' | 'lazy'

const lazyMs = 1000
const defaultRetryMs = 2000

/**
 * The node's SQLite database: one writer, WAL, `synchronous=FULL`, group commit.
 *
 * Invariants:
 * - `commit` resolves only after its writes are on disk, whatever the disk does.
 * - `fault` is set from the first write that the disk did not take until one that it did; a fault of the file itself
 *   stays until the store is opened anew.
 * - A store `inMemory` holds what the disk holds and takes no write.
 */
export class Store {
  readonly db: SealedDatabase
  readonly inMemory: boolean
  readonly path: string
  /** Where the key lies that the values of Secrets are encrypted with. */
  readonly secretsKey: Pick<SecretsKey, 'file' | 'handedIn'>
  /** Commits so far. */
  commits = 0
  readonly #options: StoreOptions
  readonly #group: GroupCommit
  readonly #listeners: (() => void)[] = []
  #fault: StorageFault | undefined
  readonly #pace: CommitPace
  #retry: NodeJS.Timeout | undefined
  #closed = false

  private constructor(options: StoreOptions, { db, key, seal }: Opened, fault?: StorageFault) {
    this.#options = options
    this.#pace = new CommitPace(options.commitInterval ?? 'auto')
    this.path = options.path
    this.inMemory = fault !== undefined
    this.secretsKey = key
    this.db = watched(db, (error) => this.#met(error))
    seal.onDamage = (error) => this.#met(error)
    this.#group = new GroupCommit({
      ...{ db, log: options.log },
      committed: () => this.#committed(),
      failed: (error) => this.#met(error),
    })
    if (fault) this.#set(fault)
  }

  /**
   * Opens the database. A damaged one is set aside, never deleted, and a new one takes over what can still be read of
   * it. On a disk that takes no write the store is `inMemory`. Throws for everything else, a newer version above all.
   */
  static open(options: StoreOptions): Store {
    const { path, clock, log } = options
    try {
      mkdirSync(dirname(path), { recursive: true })
      options.claim?.()
      return new Store(
        options,
        openWithKey(options, (seals) => openOrReplace(options, seals)),
      )
    } catch (error) {
      const fault = diagnose(error, dirname(path))
      if (error instanceof UserError) throw error
      if (fault === undefined) throw new Error(`open the database ${path}`, { cause: error })
      log.error({ path, ...fault }, 'database cannot be written, read from memory')
      const key = passingKey(path, options.secretsKeyFile)
      const seals = sealsOf(path, key)
      const db = openInMemory(path, { now: clock.now(), seals, log })
      return new Store(options, { db, key, seal: seals.seal }, fault)
    }
  }

  /**
   * Runs `write` inside a transaction and resolves with its result once that is on disk. Calls made in the same turn of
   * the event loop share one transaction, and so one fsync. `write` is synchronous. Rejects with a `StorageError` when
   * the disk does not take it.
   */
  commit<T>(write: () => T, urgency: Urgency = 'now'): Promise<T> {
    return this.#group.commit(write, this.#mayWait(urgency)).catch((error: unknown) => {
      if (this.#fault === undefined || faultReason(error) === undefined) throw error
      throw new StorageError(this.#fault, { cause: error })
    })
  }

  #mayWait(urgency: Urgency): number {
    if (urgency === 'now') return 0
    if (urgency === 'lazy') return lazyMs
    return this.#pace.wait(this.#options.clock.monotonic())
  }

  /** What keeps this store from its work, or undefined. */
  get fault(): StorageFault | undefined {
    return this.#fault
  }

  /** Calls `listener` when `fault` has changed. */
  onFault(listener: () => void): void {
    this.#listeners.push(listener)
  }

  /** Commits what is queued, marks the stop as clean and closes the file. */
  close(): void {
    if (this.#closed) return
    this.#closed = true
    clearTimeout(this.#retry)
    this.#group.close()
    try {
      // Unclean stays what is damaged or unwritten: it is looked through at the next start.
      if (this.#fault === undefined) setMeta(this.db, 'clean', '1')
    } catch (error) {
      this.#options.log.warn({ reason: explain(error) }, 'stop not marked as clean')
    }
    closeQuietly(this.db)
  }

  #committed(): void {
    this.commits += 1
    this.#pace.committed(this.#options.clock.monotonic())
  }

  /** Somebody met an error of the database. */
  #met(error: unknown): void {
    if (this.#closed || this.inMemory || this.#fault?.reason === 'Corrupt') return
    const fault = diagnose(error, dirname(this.path))
    if (fault !== undefined) this.#set(fault)
  }

  #set(fault: StorageFault | undefined): void {
    if (this.#fault?.reason === fault?.reason) return
    this.#fault = fault
    const { log } = this.#options
    if (fault) log.error({ ...fault }, 'storage fails')
    else log.info({ path: this.path }, 'storage works again')
    if (fault && fault.reason !== 'Corrupt') this.#retryLater()
    for (const listener of this.#listeners) listener()
  }

  #retryLater(): void {
    clearTimeout(this.#retry)
    this.#retry = setTimeout(() => this.#tryAgain(), this.#options.retryEvery ?? defaultRetryMs).unref()
  }

  /** Writes a little; the store is well again when that is on disk. */
  #tryAgain(): void {
    try {
      if (this.inMemory) this.#tryFile()
      else setMeta(this.db, 'clean', '0')
      this.#set(undefined)
    } catch (error) {
      if (faultReason(error) === undefined) this.#options.log.error({ reason: explain(error) }, 'storage not tried')
      this.#retryLater()
    }
  }

  #tryFile(): void {
    const reason = faultOfWriting(dirname(this.path))
    if (reason !== undefined) throw new StorageError({ reason, message: 'the disk takes no write' })
    try {
      openWithKey(this.#options, (seals) => openDatabase(this.path, seals, this.#options.log)).db.close()
    } catch (error) {
      // A damaged one is replaced when the store is opened anew.
      if (faultReason(error) !== 'Corrupt') throw error
    }
  }
}

interface Opened {
  db: SealedDatabase
  key: SecretsKey
  seal: Seal
}

function openWithKey(
  options: Pick<StoreOptions, 'path' | 'secretsKeyFile' | 'log'>,
  open: (seals: Seals) => SealedDatabase,
): Opened {
  const { path, secretsKeyFile, log } = options
  const key = loadSecretsKey(path, secretsKeyFile, log)
  const seals = sealsOf(path, key)
  const db = open(seals)
  // Nothing is left that only the key beside the database would open.
  if (key.handedIn && getMeta(db, 'secretsKey') === seals.seal.id) rmSync(ownKeyFile(path), { force: true })
  return { db, key, seal: seals.seal }
}

/** The key before is that beside the database, where another is handed in now. */
function sealsOf(path: string, { key, handedIn }: SecretsKey): Seals {
  const before = handedIn ? readOwnKey(path) : undefined
  return { seal: new Seal(key), previous: before && new Seal(before) }
}

function openOrReplace({ path, clock, log, damaged }: StoreOptions, seals: Seals): SealedDatabase {
  finishReplacement(path, clock.now())
  try {
    if (damaged !== undefined && existsSync(path)) throw new CorruptDatabase('damaged', { cause: damaged })
    return openDatabase(path, seals, log)
  } catch (error) {
    if (faultReason(error) !== 'Corrupt') throw error
    log.error({ path, reason: explain(error) }, 'database damaged')
    replaceDamaged(path, { error, now: clock.now(), seals, log })
    return openDatabase(path, seals, log)
  }
}
