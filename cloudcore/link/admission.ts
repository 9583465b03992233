import type { Clock } from '@kedge/shared/clock'
import { type Rate, TokenBucket } from './token-bucket.ts'

export interface AdmissionOptions<T> {
  rate: Rate
  /** False while what is on its way to the nodes should first become less. */
  mayAdmit: () => boolean
  admit: (node: string, item: T) => void
  clock: Clock
}

/** Milliseconds between two looks at who may come in. */
const every = 10

/**
 * Lets nodes in at a settled rate, however many come at once.
 *
 * Invariants:
 * - Whoever asked gets in, in the order of asking, unless it is gone by then.
 * - A node waits with what it said last, at the place where it began to wait.
 */
export class Admission<T> {
  readonly #options: AdmissionOptions<T>
  readonly #bucket: TokenBucket
  readonly #waiting = new Map<string, T>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: AdmissionOptions<T>) {
    this.#options = options
    this.#bucket = new TokenBucket(options.rate, options.clock.monotonic())
  }

  /** Nodes that wait for their turn. */
  get waiting(): number {
    return this.#waiting.size
  }

  ask(node: string, item: T): void {
    this.#waiting.set(node, item)
    if (this.#timer === undefined) this.#admit()
  }

  forget(node: string): void {
    this.#waiting.delete(node)
  }

  stop(): void {
    this.#waiting.clear()
    clearTimeout(this.#timer)
  }

  #admit(): void {
    const { clock, mayAdmit, admit } = this.#options
    this.#timer = undefined
    for (const [node, item] of this.#waiting) {
      if (!mayAdmit() || !this.#bucket.take(clock.monotonic())) {
        this.#timer = setTimeout(() => this.#admit(), every)
        return
      }
      this.#waiting.delete(node)
      admit(node, item)
    }
  }
}
