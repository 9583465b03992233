/** Messages on a gRPC stream: each, not compressed, after five bytes that give its length. */

const headBytes = 5
/** The largest answer that is taken: what a command may write is limited by the engine to twice 16 MiB. */
const largestAnswer = 40 * 2 ** 20

export function frame(message: Buffer): Buffer {
  const head = Buffer.alloc(headBytes)
  head.writeUInt32BE(message.length, 1)
  return Buffer.concat([head, message])
}

/** Puts the messages of a stream together again. */
export class Unframer {
  readonly #message: (message: Buffer) => void
  #chunks: Buffer[] = []
  #length = 0
  #needed = headBytes

  constructor(message: (message: Buffer) => void) {
    this.#message = message
  }

  /** Throws an error when the stream is not one of gRPC. */
  take(chunk: Buffer): void {
    this.#chunks.push(chunk)
    this.#length += chunk.length
    // Put together only when there is something to read: a long answer comes in hundreds of pieces.
    while (this.#length >= this.#needed) this.#read(Buffer.concat(this.#chunks))
  }

  #read(buffer: Buffer): void {
    const length = lengthOf(buffer)
    this.#needed = headBytes + length
    if (buffer.length < this.#needed) return this.#keep(buffer)
    const message = buffer.subarray(headBytes, this.#needed)
    const rest = buffer.subarray(this.#needed)
    this.#needed = headBytes
    this.#keep(rest)
    this.#message(message)
  }

  #keep(rest: Buffer): void {
    this.#chunks = [rest]
    this.#length = rest.length
  }
}

function lengthOf(buffer: Buffer): number {
  if (buffer[0] !== 0) throw new Error('the answer is compressed, which was not asked for')
  const length = buffer.readUInt32BE(1)
  if (length > largestAnswer) throw new Error(`the answer has ${length} bytes, more than ${largestAnswer}`)
  return length
}
