/** How a record becomes another; what is not a record is handed to whoever asked for the change. */
export type Change<T, R> = (record: T | undefined) => { is: 'write'; record: T } | { is: 'leave'; answer: R }

/** A record after its change, or why there was none. */
export type Changed<T, R> = { is: 'written'; record: T } | { is: 'left'; answer: R }

/** One change that waits to be made. */
export interface Turn<T> {
  /** Decides on the newest record: the next one, or undefined where it stays. May be asked again when others were faster. */
  decide(record: T | undefined): T | undefined
  /** What was decided last holds. */
  done(): void
  failed(error: unknown): void
}

/**
 * Changes of records, those of one record one after the other. What comes while one is being written goes into the next
 * write together: a thousand boards with one token neither outrun each other nor wait for a thousand writes.
 */
export class Turns<T> {
  readonly #make: (name: string, turns: readonly Turn<T>[]) => Promise<void>
  /** By record, what waits while something is being written. */
  readonly #waiting = new Map<string, Turn<T>[]>()

  /** `make` makes changes in their order, and ends each by `done` or by throwing. */
  constructor(make: (name: string, turns: readonly Turn<T>[]) => Promise<void>) {
    this.#make = make
  }

  change<R>(name: string, change: Change<T, R>): Promise<Changed<T, R>> {
    return new Promise((resolve, reject) => {
      const turn = turnOf(change, { resolve, reject })
      const waiting = this.#waiting.get(name)
      if (waiting !== undefined) return void waiting.push(turn)
      this.#waiting.set(name, [])
      void this.#work(name, [turn])
    })
  }

  async #work(name: string, first: readonly Turn<T>[]): Promise<void> {
    for (let turns = first; turns.length > 0; turns = this.#waiting.get(name)?.splice(0) ?? []) {
      try {
        await this.#make(name, turns)
      } catch (error) {
        for (const turn of turns) turn.failed(error)
      }
    }
    this.#waiting.delete(name)
  }
}

function turnOf<T, R>(
  change: Change<T, R>,
  { resolve, reject }: { resolve: (changed: Changed<T, R>) => void; reject: (error: unknown) => void },
): Turn<T> {
  let decided: (() => void) | undefined
  return {
    decide(record) {
      try {
        const next = change(record)
        const changed: Changed<T, R> = next.is === 'write' ? { ...next, is: 'written' } : { ...next, is: 'left' }
        decided = () => resolve(changed)
        return next.is === 'write' ? next.record : undefined
      } catch (error) {
        // Its own fault, and no hindrance for the others.
        decided = () => reject(error)
        return undefined
      }
    },
    done: () => decided?.(),
    failed: reject,
  }
}
