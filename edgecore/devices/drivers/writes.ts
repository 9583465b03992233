import { delay } from '@kedge/shared/backoff'
import { explain } from '@kedge/shared/errors'

export interface WritesOptions {
  /** Writes one value to the device; rejects when it could not. */
  write: (property: string, value: string) => Promise<void>
  failed: (reason: string) => void
  random: () => number
}

const backoff = { base: 1000, cap: 60_000 }

/**
 * Desired values on their way to one device.
 *
 * Invariants: one write is under way at a time; of each property the newest value is written, and one that fails is tried
 * again, later and later, until it succeeds or is replaced.
 */
export class Writes {
  readonly #options: WritesOptions
  readonly #pending = new Map<string, string>()
  #attempt = 0
  #busy: Promise<void> | undefined
  #timer: NodeJS.Timeout | undefined
  #stopped = false

  constructor(options: WritesOptions) {
    this.#options = options
  }

  /** Empty text means that nothing is desired any more. */
  put(changes: Readonly<Record<string, string>>): void {
    for (const [property, value] of Object.entries(changes)) {
      if (value === '') this.#pending.delete(property)
      else this.#pending.set(property, value)
    }
    this.now()
  }

  /** Tries what waits at once: the device has come back. */
  now(): void {
    if (this.#stopped || this.#busy !== undefined) return
    clearTimeout(this.#timer)
    this.#busy = this.#run().finally(() => {
      this.#busy = undefined
      if (this.#pending.size > 0 && !this.#stopped) this.#later()
    })
  }

  /** Resolves when no write is under way. */
  async stop(): Promise<void> {
    this.#stopped = true
    clearTimeout(this.#timer)
    await this.#busy
  }

  async #run(): Promise<void> {
    const tried = new Map<string, string>()
    for (;;) {
      const next = [...this.#pending].find(([property, value]) => tried.get(property) !== value)
      if (next === undefined || this.#stopped) return
      const [property, value] = next
      tried.set(property, value)
      try {
        await this.#options.write(property, value)
        if (this.#pending.get(property) === value) this.#pending.delete(property)
        this.#attempt = 0
      } catch (error) {
        if (isHopeless(error)) this.#pending.delete(property)
        this.#options.failed(`desired ${property}: ${explain(error)}`)
      }
    }
  }

  #later(): void {
    const wait = backoff.base / 2 + delay(this.#attempt++, backoff, this.#options.random())
    this.#timer = setTimeout(() => this.now(), wait)
  }
}

/** A value that the device will never take: trying again is no use. */
export class Hopeless extends Error {
  override name = 'Hopeless'
}

function isHopeless(error: unknown): boolean {
  return error instanceof Hopeless
}
