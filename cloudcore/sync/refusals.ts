import type { Inventory } from '@kedge/shared/changes'
import type { Frame } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'

/** Characters of a reason: it comes from an edge and goes into Kubernetes. */
const longestReason = 512

/**
 * The objects that an edge holds but cannot use.
 *
 * Invariant: while `isUnsure`, a confirmation of the edge may have been missed, and with it what it refused; an `applied`
 * with `all` makes it sure again.
 */
export class Refusals {
  readonly #all = new Map<Key, string>()
  #unsure = false
  /** The edge can be asked for all that it refuses (protocol 2). */
  #tells = false

  get all(): ReadonlyMap<Key, string> {
    return this.#all
  }

  get isUnsure(): boolean {
    return this.#unsure
  }

  /** A conversation begins with an edge that holds `held`; `tells` when it will tell all that it refuses. */
  begin(held: Inventory, tells: boolean): void {
    for (const key of this.#all.keys()) if (!held.has(key)) this.#all.delete(key)
    this.#tells = tells
    this.#unsure = tells
  }

  /** Another version of the object, or none, is held; returns whether the last one was refused. */
  drop(key: Key): boolean {
    return this.#all.delete(key)
  }

  /** Takes what a confirmation, of so many changes, says; returns what is new in it. */
  heard({ refused = [], all }: Frame<'applied'>, changes: number): { is: 'refused' | 'usable'; key: Key }[] {
    const news: { is: 'refused' | 'usable'; key: Key }[] = []
    const now = new Map(refused.map(({ key, reason }) => [key, reason.slice(0, longestReason)]))
    if (all === true) {
      this.#unsure = false
      for (const key of this.#all.keys()) if (!now.has(key) && this.#all.delete(key)) news.push({ is: 'usable', key })
    } else if (changes > 1) this.#unsure = this.#tells
    for (const [key, reason] of now) {
      if (this.#all.get(key) === reason) continue
      this.#all.set(key, reason)
      news.push({ is: 'refused', key })
    }
    return news
  }
}
