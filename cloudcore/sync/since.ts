import type { Key } from '@kedge/shared/objects'

/** Since when each object is where it is, at the edge or on its way there. Monotonic ms. Only what moved costs memory. */
export class Since {
  readonly #times = new Map<Key, number>()
  /** When the conversation began: what has not moved since then is as it was. */
  #begun = 0

  /** A conversation begins; what neither end has is forgotten. */
  begin(now: number, isKnown: (key: Key) => boolean): void {
    this.#begun = now
    for (const key of this.#times.keys()) if (!isKnown(key)) this.#times.delete(key)
  }

  of(key: Key): number {
    return this.#times.get(key) ?? this.#begun
  }

  moved(key: Key, now: number): void {
    this.#times.set(key, now)
  }

  /** It has arrived; returns how long that took, from its change or from when the edge was back. */
  held(key: Key, now: number): number {
    const since = Math.max(this.of(key), this.#begun)
    this.#times.set(key, now)
    return now - since
  }

  drop(key: Key): void {
    this.#times.delete(key)
  }
}
