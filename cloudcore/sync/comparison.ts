import { bucketOf, bucketSums, differing } from '@kedge/shared/buckets'
import { digestOf, type Hash, type Inventory } from '@kedge/shared/changes'
import { type Frame, maxBuckets } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'
import { HeldSet } from './held-set.ts'

/** Members that a bucket has, about: what one difference costs to find, in hashes. */
const bucketMembers = 16
const leastBuckets = 16

export type Compared =
  | { is: 'known'; held: HeldSet }
  | { is: 'ask'; frame: Frame<'compare'> }
  /** More is to come, or the answer belongs to another question. */
  | { is: 'wait' }

const wait: Compared = { is: 'wait' }

/** Buckets for a set of `count` members, a power of two; undefined when it has so few that it is told as a whole. */
export function bucketsFor(count: number, few: number): number | undefined {
  if (count < few) return undefined
  return Math.min(maxBuckets, Math.max(leastBuckets, 2 ** Math.ceil(Math.log2(count / bucketMembers))))
}

/**
 * Finds out what an edge holds: first in which buckets it differs from what it should hold, then what is in those.
 *
 * Invariants:
 * - each question has a number of its own, and only an answer to the last one is listened to;
 * - what comes out has the digest that the edge says it has; when it has not (the set moved meanwhile, two sums were
 *   equal by chance), the whole inventory is asked for, where there is nothing left to guess.
 */
export class Comparison {
  question: Frame<'compare'>
  readonly #wanted: Inventory
  /** Of the edge: what it holds in the buckets that do not differ. */
  #equal: Inventory = new Map()
  #parts = new Map<number, Frame<'inventory'>>()

  /** `wanted` is a copy that stays as it is; `ask` numbers the first question, undefined for protocol 1. */
  constructor({ talk, ask, buckets, wanted }: { talk: string; ask?: number; buckets?: number; wanted: Inventory }) {
    this.#wanted = wanted
    this.question = { is: 'compare', talk, ask, buckets }
  }

  /** The number of the last question. */
  get asked(): number {
    return this.question.ask ?? 0
  }

  buckets(frame: Frame<'buckets'>): Compared {
    const { ask, buckets, only } = this.question
    if (frame.ask !== ask || buckets === undefined || only !== undefined) return wait
    const apart = differing(bucketSums(this.#wanted, buckets), frame.sums, buckets)
    if (apart === undefined || apart.length > buckets / 2) return this.#askWhole()
    const differs = new Set(apart)
    this.#equal = new Map([...this.#wanted].filter(([key]) => !differs.has(bucketOf(key, buckets))))
    if (apart.length === 0) return this.#known([], frame.digest)
    return this.#ask({ buckets, only: apart })
  }

  inventory(frame: Frame<'inventory'>): Compared {
    if (frame.ask !== this.question.ask) return wait
    this.#parts.set(frame.part, frame)
    if (this.#parts.size < frame.of) return wait
    const items = [...this.#parts.values()].flatMap((part) => part.items)
    return this.#known(items, frame.digest)
  }

  #known(items: [Key, Hash][], digest: string | undefined): Compared {
    const held = new Map([...this.#equal, ...items])
    const found = new HeldSet(held, digestOf(held))
    const whole = this.question.buckets === undefined
    if (whole || digest === undefined || digest === found.digest) return { is: 'known', held: found }
    return this.#askWhole()
  }

  #askWhole(): Compared {
    this.#equal = new Map()
    return this.#ask({})
  }

  #ask(what: Pick<Frame<'compare'>, 'buckets' | 'only'>): Compared {
    this.#parts.clear()
    this.question = { is: 'compare', talk: this.question.talk, ask: this.asked + 1, ...what }
    return { is: 'ask', frame: this.question }
  }
}
