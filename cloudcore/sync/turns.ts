export interface TurnsOptions {
  /** Tasks at once. */
  limit: number
  /** Milliseconds after which a task that has not ended gives up its place; it goes on all the same. */
  patience: number
}

/**
 * Lets so many tasks run at once and is fair: who has many waiting takes turns with those who have few.
 *
 * Invariant: tasks of one name begin in the order in which they came.
 */
export class Turns {
  readonly #options: TurnsOptions
  /** In the order in which the names have their turn. */
  readonly #waiting = new Map<string, (() => Promise<void>)[]>()
  #running = 0

  constructor(options: TurnsOptions) {
    this.#options = options
  }

  /** Runs `task`, which never throws, when it is the turn of `who`. */
  run(who: string, task: () => Promise<void>): void {
    const tasks = this.#waiting.get(who)
    if (tasks === undefined) this.#waiting.set(who, [task])
    else tasks.push(task)
    this.#begin()
  }

  #begin(): void {
    while (this.#running < this.#options.limit) {
      const [next] = this.#waiting
      if (next === undefined) return
      const [who, tasks] = next
      const task = tasks.shift()
      // To the end of the line, as long as more waits.
      this.#waiting.delete(who)
      if (tasks.length > 0) this.#waiting.set(who, tasks)
      if (task !== undefined) this.#start(task)
    }
  }

  #start(task: () => Promise<void>): void {
    this.#running += 1
    let holds = true
    const release = () => {
      if (!holds) return
      holds = false
      clearTimeout(timer)
      this.#running -= 1
      this.#begin()
    }
    const timer = setTimeout(release, this.#options.patience)
    timer.unref()
    task().then(release, release)
  }
}
