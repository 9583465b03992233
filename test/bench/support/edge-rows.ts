import { type FSWatcher, watch } from 'node:fs'
import { basename, dirname } from 'node:path'
import { must } from '@kedge/shared/must'
import { Database } from '@kedge/shared/sqlite'

interface Waiter {
  look: () => boolean
  seen: (at: number) => void
}

/** How long to look without a pause after the write-ahead log was written to: a commit shows once it is on disk. */
const spinFor = 30
/** Milliseconds between two looks besides. */
const every = 5

/**
 * An edge's database through a second, reading connection: what it sees is committed. It looks when the write-ahead log
 * is written to, so that waiting takes no processor from what is measured.
 */
export class EdgeRows {
  readonly #db: Database
  readonly #watcher: FSWatcher
  readonly #content
  readonly #waiters = new Set<Waiter>()
  #spinUntil = 0
  #spinning = false

  constructor(path: string) {
    this.#db = new Database(path, { readonly: true, fileMustExist: true })
    this.#content = this.#db.prepare<[string], { content: string }>('SELECT content FROM objects WHERE key = ?')
    const log = `${basename(path)}-wal`
    this.#watcher = watch(dirname(path), (_event, file) => {
      if (file === log) this.#spin()
    })
  }

  /** Resolves with the monotonic time at which the object `key` was seen to hold `text`. */
  holds(key: string, text: string): Promise<number> {
    return this.#until(`${key} holds ${text}`, () => this.#content.get(key)?.content.includes(text) === true)
  }

  /** Resolves with the monotonic time at which `count` objects were seen whose keys begin with `prefix`. */
  counts(prefix: string, count: number, within?: number): Promise<number> {
    return this.#until(`${count} objects ${prefix}…`, () => this.#count(prefix) >= count, within)
  }

  /** Resolves once every report to the cloud has been answered. */
  async answered(): Promise<void> {
    await this.#until('an empty outbox', () => this.#db.prepare('SELECT 1 FROM outbox LIMIT 1').get() === undefined)
  }

  #count(prefix: string): number {
    const row = this.#db
      .prepare<[string], { count: number }>("SELECT count(*) AS count FROM objects WHERE key LIKE ? || '%'")
      .get(prefix)
    return must(row, 'a count').count
  }

  /** The reported value of each device's property, by `<namespace>/<name>`. */
  reported(property: string): Map<string, string | null> {
    const rows = this.#db
      .prepare<[string], { device: string; value: string | null }>(
        'SELECT device, reported_value AS value FROM twins WHERE property = ?',
      )
      .all(property)
    return new Map(rows.map(({ device, value }) => [device, value]))
  }

  close(): void {
    this.#watcher.close()
    this.#db.close()
  }

  #until(what: string, look: () => boolean, within = 60_000): Promise<number> {
    return new Promise((resolve, reject) => {
      const slow = setInterval(() => this.#look(), every)
      const end = () => {
        clearInterval(slow)
        clearTimeout(late)
        this.#waiters.delete(waiter)
      }
      const seen = (at: number) => {
        end()
        resolve(at)
      }
      const late = setTimeout(() => {
        end()
        reject(new Error(`not so at the edge within ${within} ms: ${what}`))
      }, within)
      const waiter = { look, seen }
      this.#waiters.add(waiter)
      this.#look()
    })
  }

  #look(): void {
    for (const { look, seen } of [...this.#waiters]) if (look()) seen(performance.now())
  }

  #spin(): void {
    this.#spinUntil = performance.now() + spinFor
    if (this.#spinning || this.#waiters.size === 0) return
    this.#spinning = true
    const turn = () => {
      this.#look()
      this.#spinning = this.#waiters.size > 0 && performance.now() < this.#spinUntil
      if (this.#spinning) setImmediate(turn)
    }
    turn()
  }
}
