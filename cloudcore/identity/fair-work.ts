import { FairQueue } from '../link/fair-queue.ts'

interface Waiting {
  go: () => void
}

/**
 * Lets a bounded number of tasks run at once and a bounded number wait; of those that wait, each source is served once
 * before any is served a second time.
 */
export class FairWork {
  readonly #queue = new FairQueue<Waiting>()
  readonly #most: number
  #free: number
  #waiting = 0

  constructor({ atOnce, waiting }: { atOnce: number; waiting: number }) {
    this.#free = atOnce
    this.#most = waiting
  }

  get waiting(): number {
    return this.#waiting
  }

  /** Whether there is no room for another task. */
  get full(): boolean {
    return this.#free === 0 && this.#waiting >= this.#most
  }

  /** Runs a task when it is its turn; undefined when there is no room for it. */
  async run<T>(source: string, task: () => Promise<T>): Promise<T | undefined> {
    if (this.full) return undefined
    if (this.#free > 0) this.#free--
    else {
      this.#waiting++
      await new Promise<void>((go) => this.#queue.push(source, { go }))
    }
    try {
      return await task()
    } finally {
      this.#next()
    }
  }

  #next(): void {
    const next = this.#queue.next()
    if (next === undefined) {
      this.#free++
      return
    }
    this.#waiting--
    next.item.go()
  }
}
