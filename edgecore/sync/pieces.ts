import type { Hash } from '@kedge/shared/changes'
import { type Frame, maxObjectBytes } from '@kedge/shared/frames'
import { unpackText } from '@kedge/shared/packs'
import type { PieceTable } from '../store/pieces.ts'
import type { Store } from '../store/store.ts'

/** Bytes of pieces that are kept at most: two of the largest objects. */
const mostBytes = 2 * maxObjectBytes
/** Packed objects of which a `have` tells. */
const mostTold = 16

/**
 * What has arrived of large objects, until a change takes them.
 *
 * Invariants:
 * - Of each the first bytes are kept, without a gap; what does not follow on them is not taken.
 * - Memory runs ahead of the table by what is queued for commit; a failed commit reloads memory.
 * - They are bounded: a new one displaces those that began first.
 */
export class Pieces {
  readonly #store: Pick<Store, 'commit'>
  readonly #table: PieceTable
  #held = new Map<Hash, number>()

  constructor(store: Pick<Store, 'commit'>, table: PieceTable) {
    this.#store = store
    this.#table = table
    this.reload()
  }

  /** Takes the state of the table, for instance after a commit failed. */
  reload(): void {
    this.#held = this.#table.held()
  }

  /** What a `have` tells of them; undefined when there are none. */
  get partial(): Frame<'have'>['partial'] {
    return this.#held.size === 0 ? undefined : [...this.#held].slice(-mostTold)
  }

  /** Keeps a piece that follows on what is kept; resolves, once committed, with the bytes that are kept of its object. */
  keep({ pack, size, at, data }: Frame<'piece'>): Promise<number> {
    const held = this.#held.get(pack) ?? 0
    const bytes = Buffer.from(data, 'base64')
    if (at !== held || bytes.length === 0 || held + bytes.length > size) return this.#store.commit(() => held)
    const displaced = this.#displaced(pack, bytes.length)
    for (const old of displaced) this.#held.delete(old)
    this.#held.set(pack, held + bytes.length)
    return this.#store.commit(() => {
      for (const old of displaced) this.#table.drop(old)
      this.#table.put(pack, at, bytes)
      return held + bytes.length
    })
  }

  /** The content of an object whose pieces are all here; undefined when they are not, or are damaged. */
  text(pack: Hash): string | undefined {
    const unpacked = unpackText(this.#table.bytes(pack), pack)
    return unpacked.ok ? unpacked.text : undefined
  }

  /** These are of no use: they are asked for again. Memory follows at once, the table with the next commit. */
  spoil(packs: readonly Hash[]): void {
    this.#store.commit(this.forget(packs, false)).catch(() => this.reload())
  }

  /**
   * Forgets pieces, all of them when nothing more is on its way: memory at once, the table by what is returned, which
   * belongs inside a transaction.
   */
  forget(packs: readonly Hash[], all: boolean): () => void {
    if (this.#held.size === 0) return () => undefined
    if (all) {
      this.#held.clear()
      return () => this.#table.dropAll()
    }
    for (const pack of packs) this.#held.delete(pack)
    return () => {
      for (const pack of packs) this.#table.drop(pack)
    }
  }

  #displaced(pack: Hash, bytes: number): Hash[] {
    let total = bytes
    for (const held of this.#held.values()) total += held
    const displaced: Hash[] = []
    for (const [other, held] of this.#held) {
      if (total <= mostBytes) break
      if (other === pack) continue
      displaced.push(other)
      total -= held
    }
    return displaced
  }
}
