import type { Socket } from 'node:net'
import { Duplex } from 'node:stream'

/**
 * Lets gRPC clients in that name the path of the socket as their `:authority`: Go's did so until version 1.55, and with
 * them many mappers. Node's HTTP/2 ends such a request as malformed. Each slash of an authority is made a hyphen on its
 * way in, which has as many bits in either encoding: no length and no table of the header compression changes.
 */
export function mended(socket: Socket): Duplex {
  const mender = new Mender()
  const duplex = new Duplex({
    read: () => void socket.resume(),
    write: (chunk, encoding, done) => void socket.write(chunk, encoding, done),
    final: (done) => void socket.end(done),
    destroy: (error, done) => {
      socket.destroy()
      done(error)
    },
  })
  socket.on('data', (chunk) => {
    const ready = mender.take(chunk)
    if (ready.length > 0 && !duplex.push(ready)) socket.pause()
  })
  socket.once('end', () => duplex.push(null))
  // A client that breaks off is no error here.
  duplex.on('error', () => {})
  socket.on('error', () => duplex.destroy())
  socket.once('close', () => duplex.destroy())
  return duplex
}

/** HTTP/2, RFC 9113: the client's preface, and frames with a head of nine bytes. */
const prefaceBytes = 24
const headBytes = 9
const headers = 1
/** No frame is longer: HTTP/2 ends a connection with one that is. */
const maxFrame = 16_384
const flags = { padded: 0x8, priority: 0x20 }

/** Walks over the frames of a client's half of a connection. */
export class Mender {
  /** The beginning of a frame that is not whole yet. */
  #rest: Buffer = Buffer.alloc(0)
  /** Bytes that go on as they are. */
  #pass = prefaceBytes

  /** What can go on now, with what was held back; changes the chunk in place. */
  take(chunk: Buffer): Buffer {
    const data = this.#rest.length === 0 ? chunk : Buffer.concat([this.#rest, chunk])
    let at = 0
    while (at < data.length) {
      const passed = Math.min(this.#pass, data.length - at)
      at += passed
      this.#pass -= passed
      if (this.#pass > 0 || data.length - at < headBytes) break
      const length = data.readUIntBE(at, 3)
      const end = at + headBytes + length
      if (data[at + 3] !== headers || length > maxFrame) this.#pass = end - at
      else if (end > data.length) break
      else {
        mendHeaders(data.subarray(at + headBytes, end), data[at + 4] ?? 0)
        at = end
      }
    }
    this.#rest = data.subarray(at)
    return data.subarray(0, at)
  }
}

function mendHeaders(payload: Buffer, flagged: number): void {
  const isPadded = (flagged & flags.padded) !== 0
  const start = (isPadded ? 1 : 0) + (flagged & flags.priority ? 5 : 0)
  mendFields(payload.subarray(start, payload.length - (isPadded ? (payload[0] ?? 0) : 0)))
}

/** Walks over a block of header fields, HPACK, RFC 7541 section 6; `:authority` is the first of its static table. */
function mendFields(block: Buffer): void {
  const walk = new Walk(block)
  while (!walk.ended) {
    const first = walk.peek()
    if (first & 0x80) walk.integer(7)
    else if ((first & 0xe0) === 0x20) walk.integer(5)
    else {
      const name = walk.integer(first & 0x40 ? 6 : 4)
      if (name === 0) walk.text()
      const { bytes, isHuffman } = walk.text()
      if (name !== 1) continue
      if (isHuffman) mendHuffman(bytes)
      else mendPlain(bytes)
    }
  }
}

class Walk {
  readonly #block: Buffer
  #at = 0

  constructor(block: Buffer) {
    this.#block = block
  }

  get ended(): boolean {
    return this.#at >= this.#block.length
  }

  peek(): number {
    return this.#block[this.#at] ?? 0
  }

  /** Section 5.1. */
  integer(prefix: number): number {
    const mask = 2 ** prefix - 1
    let value = this.#next() & mask
    if (value < mask) return value
    for (let factor = 1; !this.ended; factor *= 128) {
      const byte = this.#next()
      value += (byte & 0x7f) * factor
      if (byte < 0x80) break
    }
    return value
  }

  /** Section 5.2. */
  text(): { bytes: Buffer; isHuffman: boolean } {
    const isHuffman = (this.peek() & 0x80) !== 0
    const length = this.integer(7)
    const bytes = this.#block.subarray(this.#at, this.#at + length)
    this.#at += length
    return { bytes, isHuffman }
  }

  #next(): number {
    return this.#block[this.#at++] ?? 0
  }
}

function mendPlain(bytes: Buffer): void {
  for (const [at, byte] of bytes.entries()) if (byte === 0x2f) bytes[at] = 0x2d
}

/** The codes of all printable characters of ASCII, appendix B: by length, from the first to the last. */
const codes = [
  { bits: 5, first: 0x00, last: 0x09 },
  { bits: 6, first: 0x14, last: 0x2d },
  { bits: 7, first: 0x5c, last: 0x7b },
  { bits: 8, first: 0xf8, last: 0xfd },
  { bits: 10, first: 0x3f8, last: 0x3fc },
  { bits: 11, first: 0x7fa, last: 0x7fc },
  { bits: 12, first: 0xffa, last: 0xffb },
  { bits: 13, first: 0x1ff8, last: 0x1ffd },
  { bits: 14, first: 0x3ffc, last: 0x3ffd },
  { bits: 15, first: 0x7ffc, last: 0x7ffe },
]
const slash = { bits: 6, code: 0x18 }
const hyphen = 0x16

function mendHuffman(bytes: Buffer): void {
  const read = (at: number, bits: number) => {
    let value = 0
    for (let bit = at; bit < at + bits; bit++) value = value * 2 + (((bytes[bit >> 3] ?? 0) >> (7 - (bit & 7))) & 1)
    return value
  }
  for (let at = 0; at + 5 <= bytes.length * 8; ) {
    const code = codes.find(({ bits, first, last }) => read(at, bits) >= first && read(at, bits) <= last)
    // No character of ASCII, or the padding at the end.
    if (code === undefined || at + code.bits > bytes.length * 8) return
    if (code.bits === slash.bits && read(at, slash.bits) === slash.code) write(bytes, at, slash.bits, hyphen)
    at += code.bits
  }
}

function write(bytes: Buffer, at: number, bits: number, value: number): void {
  for (let n = 0; n < bits; n++) {
    const bit = at + n
    const mask = 1 << (7 - (bit & 7))
    const byte = bytes[bit >> 3] ?? 0
    bytes[bit >> 3] = (value >> (bits - 1 - n)) & 1 ? byte | mask : byte & ~mask
  }
}
