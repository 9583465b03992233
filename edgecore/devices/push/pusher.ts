import { type Backoff, delay } from '@kedge/shared/backoff'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { type Service, sleep } from '@kedge/shared/service'
import type { PushRow, PushTable } from '../../store/pushes.ts'
import type { Deliverer } from './deliver.ts'
import type { Pushed, Target } from './targets.ts'

export interface PusherOptions {
  /** The text of the target in the table. */
  key: string
  table: PushTable
  commit: <T>(write: () => T) => Promise<T>
  /** Rows went. */
  onGone: (rows: number) => void
  onRefused: (pushed: Pushed, reason: string) => void
  random: () => number
  log: Log
}

const backoff: Backoff = { base: 1000, cap: 60_000 }
/** Rows that are read, and then deleted, together. */
const batch = 50

/**
 * Takes what waits for one target there, in order; ends when nothing waits.
 *
 * Invariant: a row goes once the target has taken it, or has said that it never will. After a crash it may get one twice.
 */
export class Pusher implements Service {
  readonly #options: PusherOptions
  #deliverer: Deliverer | undefined
  readonly #stopping = new AbortController()
  #running: Promise<void> | undefined
  #more = false
  #failing = false

  constructor(options: PusherOptions) {
    this.#options = options
  }

  wake(): void {
    this.#more = true
    this.#running ??= this.#run().finally(() => {
      this.#running = undefined
      if (this.#more && !this.#stopping.signal.aborted) this.wake()
    })
  }

  async stop(): Promise<void> {
    this.#stopping.abort()
    await this.#deliverer?.stop()
    await this.#running
    // A connection that was being made meanwhile.
    await this.#deliverer?.stop()
  }

  async #run(): Promise<void> {
    const { key, table, random, log } = this.#options
    const { signal } = this.#stopping
    for (let attempt = 0; !signal.aborted; ) {
      this.#more = false
      try {
        const rows = table.next(key, batch)
        if (rows.length === 0) return
        await this.#deliver(rows)
        if (this.#failing) log.info({ target: key }, 'push goes on')
        this.#failing = false
        attempt = 0
      } catch (error) {
        if (signal.aborted) return
        const wait = Math.round(delay(attempt++, backoff, random()))
        log[this.#failing ? 'debug' : 'warn']({ target: key, reason: explain(error), wait }, 'push failed')
        this.#failing = true
        await sleep(wait, signal)
      }
    }
  }

  /** What goes there is loaded with the first row: few nodes push. */
  async #towards(): Promise<Deliverer> {
    const { delivererFor } = await import('./deliver.ts')
    this.#deliverer ??= delivererFor(JSON.parse(this.#options.key) as Target)
    return this.#deliverer
  }

  /** Delivers rows until one fails; those before it go. */
  async #deliver(rows: readonly PushRow[]): Promise<void> {
    const { table, commit, onGone, onRefused } = this.#options
    const gone: number[] = []
    try {
      const deliverer = await this.#towards()
      for (const { id, content } of rows) {
        if (this.#stopping.signal.aborted) return
        const pushed = JSON.parse(content) as Pushed
        const delivered = await deliverer.deliver(pushed, id)
        if (delivered !== 'taken') onRefused(pushed, delivered.refused)
        gone.push(id)
      }
    } finally {
      if (gone.length > 0) {
        await commit(() => {
          for (const id of gone) table.done(id)
        })
        onGone(gone.length)
      }
    }
  }
}
