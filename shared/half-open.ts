export interface HalfOpenBounds {
  /** Connections that have not shown yet who they are. */
  total: number
  /** Of these, from one source. */
  perSource: number
}

/** A connection of which only the beginning has been seen. */
export interface Beginning {
  source: string
  /** Ends it, with the reason. */
  cut: (reason: string) => void
}

/**
 * Bounds connections that have begun and not shown who they are. A source that has more than its share loses its newest;
 * when there are too many in all, the source with the most loses its oldest, so that a flood from few places leaves room
 * for everybody else.
 *
 * Invariant: never more than `total` in all, nor more than `perSource` of one source.
 */
export class HalfOpen {
  readonly #bounds: HalfOpenBounds
  /** By source, the oldest first. No set is empty. */
  readonly #sources = new Map<string, Set<Beginning>>()
  #size = 0

  constructor(bounds: HalfOpenBounds) {
    this.#bounds = bounds
  }

  get size(): number {
    return this.#size
  }

  add(beginning: Beginning): void {
    const { total, perSource } = this.#bounds
    const own = this.#sources.get(beginning.source)
    if ((own?.size ?? 0) >= perSource) {
      return beginning.cut(`more than ${perSource} connections from ${beginning.source} have not said who they are`)
    }
    if (this.#size >= total) this.#evict(`more than ${total} connections have not said who they are`)
    if (own === undefined) this.#sources.set(beginning.source, new Set([beginning]))
    else own.add(beginning)
    this.#size++
  }

  /** It has shown who it is, or is gone. */
  remove(beginning: Beginning): void {
    const own = this.#sources.get(beginning.source)
    if (own === undefined || !own.delete(beginning)) return
    this.#size--
    if (own.size === 0) this.#sources.delete(beginning.source)
  }

  #evict(reason: string): void {
    let most: Set<Beginning> | undefined
    for (const own of this.#sources.values()) if (own.size > (most?.size ?? 0)) most = own
    const [oldest] = most ?? []
    if (oldest === undefined) return
    this.remove(oldest)
    oldest.cut(reason)
  }
}
