const newline = 0x0a

/**
 * Cuts a stream of bytes into lines, whatever the chunks it comes in; a character split over two chunks stays whole.
 * Throws on a line longer than `limit` bytes, so that a server gone wrong cannot fill the memory.
 */
export class Lines {
  readonly #limit: number
  #parts: Buffer[] = []
  #length = 0

  constructor(limit: number) {
    this.#limit = limit
  }

  /** The lines that `chunk` completes, without their line ends; empty ones are left out. */
  push(chunk: Buffer): string[] {
    const lines: string[] = []
    let start = 0
    for (let end = chunk.indexOf(newline); end !== -1; end = chunk.indexOf(newline, start)) {
      this.#keep(chunk.subarray(start, end))
      const line = Buffer.concat(this.#parts).toString('utf8').trim()
      if (line !== '') lines.push(line)
      this.#parts = []
      this.#length = 0
      start = end + 1
    }
    if (start < chunk.length) this.#keep(chunk.subarray(start))
    return lines
  }

  #keep(part: Buffer): void {
    this.#length += part.length
    if (this.#length > this.#limit) throw new Error(`a line of more than ${this.#limit} bytes`)
    this.#parts.push(part)
  }
}
