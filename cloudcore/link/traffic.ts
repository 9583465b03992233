/** What went over the link, in bytes of frames and in frames. */
export interface Counts {
  sent: number
  received: number
}

/** Nodes that are counted by name. Each is a time series in Prometheus; those beyond are counted together. */
const namedNodes = 200

/** Counts the traffic of the link since the start: all together, and per node. */
export class Traffic implements Counts {
  sent = 0
  received = 0
  /** Frames that could not be read. */
  malformed = 0
  /** Frames of a kind, or with fields, that only a newer edge knows. */
  newer = 0
  /** Frames of nodes that sent faster than they could be served. */
  dropped = 0
  /** Connections ended because their node did not read. */
  cut = 0
  readonly #nodes = new Map<string, Counts>()
  readonly #others: Counts = { sent: 0, received: 0 }

  count(node: string, direction: keyof Counts, bytes: number): void {
    this[direction] += bytes
    this.#of(node)[direction] += bytes
  }

  /** The nodes that were heard of first, by name, and `undefined` for all others together. */
  *nodes(): Generator<{ node: string | undefined } & Counts> {
    for (const [node, counts] of this.#nodes) yield { node, ...counts }
    if (this.#others.sent + this.#others.received > 0) yield { node: undefined, ...this.#others }
  }

  #of(node: string): Counts {
    const known = this.#nodes.get(node)
    if (known !== undefined) return known
    if (this.#nodes.size >= namedNodes) return this.#others
    const counts = { sent: 0, received: 0 }
    this.#nodes.set(node, counts)
    return counts
  }
}
