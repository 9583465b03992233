import type { Scheduler } from '../scheduler.ts'

/** Work that takes longer waits for something: others do not wait for it. */
const patienceMs = 5000

/**
 * Lets so many pieces of work go on at once. Those that bring a pod further come before those that begin another one:
 * after a power cut a board with many pods has the first of them running soon, not all of them late.
 */
export class Turns {
  readonly #most: number
  readonly #scheduler: Scheduler
  readonly #waiting: { rank: number; go: () => void }[] = []
  #going = 0

  constructor(most: number, scheduler: Scheduler) {
    this.#most = most
    this.#scheduler = scheduler
  }

  /** Does the work when its turn has come: the highest rank first, and among equals who came first. */
  async take<T>(rank: number, work: () => Promise<T>): Promise<T> {
    if (this.#going >= this.#most) await new Promise<void>((go) => this.#queue({ rank, go }))
    else this.#going += 1
    let held = true
    const release = () => {
      if (held) this.#next()
      held = false
    }
    const cancel = this.#scheduler.after(patienceMs, release)
    try {
      return await work()
    } finally {
      cancel()
      release()
    }
  }

  #queue(one: { rank: number; go: () => void }): void {
    const at = this.#waiting.findIndex(({ rank }) => rank < one.rank)
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, one)
  }

  /** Who is next takes over the place. */
  #next(): void {
    const next = this.#waiting.shift()
    if (next === undefined) this.#going -= 1
    else next.go()
  }
}
