import { Mender } from '@kedge/edgecore/devices/dmi/authority'
import { describe, expect, test } from 'vitest'

const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n')

function frame(type: number, flags: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9)
  head.writeUIntBE(payload.length, 0, 3)
  head[3] = type
  head[4] = flags
  head[8] = 1
  return Buffer.concat([head, payload])
}

/** RFC 7541, appendix B, for the characters used here. */
const codes: Record<string, string> = {
  '-': '010110',
  '.': '010111',
  '/': '011000',
  a: '00011',
  b: '100011',
  c: '00100',
  d: '100100',
  e: '00101',
  g: '100110',
  i: '00110',
  k: '1110101',
  m: '101001',
  o: '00111',
  s: '01000',
  t: '01001',
  u: '101101',
  X: '11111100',
  Z: '11111101',
  '?': '1111111100',
  '{': '111111111111110',
  '}': '11111111111101',
  '~': '1111111111101',
}

const text = (value: string) => Buffer.concat([Buffer.of(value.length), Buffer.from(value)])
const huffman = (hex: string) => Buffer.concat([Buffer.of(0x80 | (hex.length / 2)), Buffer.from(hex, 'hex')])

function mend(bytes: Buffer, step: number): string {
  const mender = new Mender()
  const out: Buffer[] = []
  const whole = Buffer.from(bytes)
  for (let at = 0; at < whole.length; at += step) out.push(Buffer.from(mender.take(whole.subarray(at, at + step))))
  return Buffer.concat(out).toString('hex')
}

/** `:authority` with each way of writing a field whose name is in the table, among other fields. */
function block(value: Buffer, how: number): Buffer {
  return Buffer.concat([
    Buffer.of(0x3f, 0xe1, 0x1f, 0x83, 0x86),
    // :path, a literal whose slashes stay.
    Buffer.of(0x44),
    text('/a/b'),
    Buffer.of(how),
    value,
    Buffer.of(0x40),
    text('x-name'),
    text('a/b'),
  ])
}

describe.each([
  ['plain', text('/etc/a.sock'), text('-etc-a.sock')],
  ['Huffman', huffman(huffmanOf('/etc/kubeedge/dmi.sock')), huffman(huffmanOf('-etc-kubeedge-dmi.sock'))],
  ['Huffman, rare characters', huffman(huffmanOf('/~{X}/Z?/')), huffman(huffmanOf('-~{X}-Z?-'))],
  ['nothing to mend', text('localhost'), text('localhost')],
])('%s', (_, before, after) => {
  const whole = (value: Buffer) =>
    Buffer.concat([
      preface,
      frame(4, 0, Buffer.from('000300000064', 'hex')),
      frame(1, 0x4, block(value, 0x41)),
      // A body that looks like a frame of headers.
      frame(0, 0x1, frame(1, 0x4, block(before, 0x41))),
      frame(1, 0x4 | 0x20, Buffer.concat([Buffer.alloc(5), block(value, 0x01)])),
      frame(1, 0x4 | 0x8, Buffer.concat([Buffer.of(3), block(value, 0x11), Buffer.alloc(3)])),
    ])
  test.each([1, 2, 3, 7, 1000])('in pieces of %i bytes', (step) => {
    expect(mend(whole(before), step)).toBe(whole(after).toString('hex'))
  })
})

test('garbage goes through, whatever it is', () => {
  for (let seed = 1; seed < 200; seed++) {
    const bytes = Buffer.from(
      Array.from({ length: 300 }, (_, at) => (seed * 7919 + at * at * 31 + (at >> 2) * seed) & 0xff),
    )
    bytes[24] = bytes[25] = 0
    bytes[27] = 1
    expect(new Mender().take(Buffer.from(bytes)).length).toBeLessThanOrEqual(300)
  }
})

function huffmanOf(value: string): string {
  const bits = [...value].map((character) => codes[character]).join('')
  const padded = bits.padEnd(Math.ceil(bits.length / 8) * 8, '1')
  const bytes = padded.match(/.{8}/g) ?? []
  return Buffer.from(bytes.map((byte) => Number.parseInt(byte, 2))).toString('hex')
}
