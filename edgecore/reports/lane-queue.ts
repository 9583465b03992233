import type { Lane } from '@kedge/shared/reports'
import type { Outbox } from '../store/outbox.ts'

/** Rows read ahead at once. */
const readAhead = 64

/**
 * The rows of one lane that have yet to be sent on this link, in the order in which they are served.
 *
 * Memory is bounded: new rows are found by their number, which always grows; only folds into rows that were passed
 * already are remembered one by one, and those are at most one per subject.
 */
export class LaneQueue {
  readonly #outbox: Pick<Outbox, 'waiting'>
  readonly #lane: Lane
  #ahead: number[] = []
  /** All rows up to this one have been passed. */
  #passed = 0
  #more = true
  readonly #again = new Set<number>()

  constructor(outbox: Pick<Outbox, 'waiting'>, lane: Lane) {
    this.#outbox = outbox
    this.#lane = lane
  }

  /** Everything is to be sent: the link is new. */
  begin(): void {
    this.#ahead = []
    this.#passed = 0
    this.#more = true
    this.#again.clear()
  }

  /** There is a new row. */
  grown(): void {
    this.#more = true
  }

  /** A row that was passed is to be looked at once more. */
  again(seq: number): void {
    if (seq <= this.#passed) this.#again.add(seq)
  }

  /** The next row, which is passed with this; undefined when there is none. */
  next(): number | undefined {
    const [again] = this.#again
    if (again !== undefined) {
      this.#again.delete(again)
      return again
    }
    if (this.#ahead.length === 0 && this.#more) {
      this.#ahead = this.#outbox.waiting(this.#lane, this.#passed, readAhead).map(({ seq }) => seq)
      this.#more = this.#ahead.length > 0
    }
    const seq = this.#ahead.shift()
    if (seq !== undefined) this.#passed = seq
    return seq
  }
}
