/**
 * What waits, by node. Whoever has something waiting is served once before any is served a second time, so that one who
 * sends without end delays nobody else by more than one of its own.
 */
export class FairQueue<T> {
  /** In the order of service. No line is empty. */
  readonly #lines = new Map<string, T[]>()

  push(node: string, item: T): void {
    const line = this.#lines.get(node)
    if (line === undefined) this.#lines.set(node, [item])
    else line.push(item)
  }

  /** Takes the item whose turn it is; its node goes to the end. */
  next(): { node: string; item: T } | undefined {
    const [first] = this.#lines
    if (first === undefined) return undefined
    const [node, line] = first
    this.#lines.delete(node)
    const [item] = line.splice(0, 1)
    if (line.length > 0) this.#lines.set(node, line)
    return item === undefined ? undefined : { node, item }
  }
}
