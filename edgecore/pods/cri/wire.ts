/**
 * The binary form of protocol buffers (protobuf.dev/programming-guides/encoding): as much of it as the CRI has. Numbers
 * beyond 2^53 lose their last bits: times in nanoseconds are read to the microsecond.
 */

/** How a value lies in a message: a varint, or bytes after their length. Fixed-width ones are only ever skipped. */
export type WireType = 0 | 2

export class Writer {
  readonly #chunks: Uint8Array[] = []
  #bytes: number[] = []

  tag(field: number, wire: WireType): void {
    this.varint(field * 8 + wire)
  }

  /** Negative numbers are two's complement in 64 bits, as int32 and int64 have them. */
  varint(value: number): void {
    if (value < 0) return this.#negative(value)
    let rest = value
    while (rest >= 128) {
      this.#bytes.push((rest % 128) + 128)
      rest = Math.floor(rest / 128)
    }
    this.#bytes.push(rest)
  }

  #negative(value: number): void {
    let rest = BigInt.asUintN(64, BigInt(value))
    while (rest >= 128n) {
      this.#bytes.push(Number(rest & 127n) + 128)
      rest >>= 7n
    }
    this.#bytes.push(Number(rest))
  }

  /** Bytes after their length. */
  bytes(value: Uint8Array): void {
    this.varint(value.length)
    this.#chunks.push(Uint8Array.from(this.#bytes), value)
    this.#bytes = []
  }

  finish(): Buffer {
    return Buffer.concat([...this.#chunks, Uint8Array.from(this.#bytes)])
  }
}

export class Reader {
  readonly #buffer: Buffer
  #at = 0

  constructor(buffer: Buffer) {
    this.#buffer = buffer
  }

  get done(): boolean {
    return this.#at >= this.#buffer.length
  }

  tag(): { field: number; wire: number } {
    const tag = this.varint()
    return { field: Math.floor(tag / 8), wire: tag % 8 }
  }

  /** As an unsigned number; see `signed`. */
  varint(): number {
    let value = 0
    for (let shift = 0; shift < 70; shift += 7) {
      const byte = this.#buffer[this.#at]
      if (byte === undefined) throw new Error('the message ends inside a number')
      this.#at += 1
      value += (byte & 127) * 2 ** shift
      if (byte < 128) return value
    }
    throw new Error('a number of the message is longer than 64 bits')
  }

  /** int32 and int64. */
  signed(): number {
    const start = this.#at
    const value = this.varint()
    // Ten bytes are a negative number: read again without losing its lower bits to rounding.
    return this.#at - start < 10 ? value : Number(BigInt.asIntN(64, this.#exact(start)))
  }

  #exact(start: number): bigint {
    return this.#buffer
      .subarray(start, this.#at)
      .reduce((value, byte, index) => value | (BigInt(byte & 127) << BigInt(7 * index)), 0n)
  }

  bytes(): Buffer {
    const length = this.varint()
    const end = this.#at + length
    if (end > this.#buffer.length) throw new Error('the message ends inside a field')
    const bytes = this.#buffer.subarray(this.#at, end)
    this.#at = end
    return bytes
  }

  /** Passes over a field that is not known here: a newer engine may say more. */
  skip(wire: number): void {
    if (wire === 0) this.varint()
    else if (wire === 1) this.#at += 8
    else if (wire === 2) this.bytes()
    else if (wire === 5) this.#at += 4
    else throw new Error(`a field of the message has the wire type ${wire}`)
  }
}
