import { bitsOf, decode, encode, type Layout, numberOfBits } from '@kedge/edgecore/devices/drivers/modbus/codec'
import { planReads, type Span, tables } from '@kedge/edgecore/devices/drivers/modbus/plan'
import fc from 'fast-check'
import { expect, test } from 'vitest'

const orders = fc.record({ swapBytes: fc.boolean(), swapWords: fc.boolean() })
const plain = { scale: 1, shift: 0, bit: 0, model: undefined }

function roundTrip(layout: Layout, text: string): void {
  expect(decode(encode(text, layout), layout)).toBe(text)
}

test.each([
  ['uint16', 1, fc.bigInt(0n, 2n ** 16n - 1n)],
  ['int16', 1, fc.bigInt(-(2n ** 15n), 2n ** 15n - 1n)],
  ['uint32', 2, fc.bigInt(0n, 2n ** 32n - 1n)],
  ['int32', 2, fc.bigInt(-(2n ** 31n), 2n ** 31n - 1n)],
  ['uint64', 4, fc.bigInt(0n, 2n ** 64n - 1n)],
  ['int64', 4, fc.bigInt(-(2n ** 63n), 2n ** 63n - 1n)],
] as const)('%s comes back as it was written, in every order of bytes and words', (type, length, numbers) => {
  fc.assert(
    fc.property(orders, numbers, (order, number) => {
      // Text only where the library loses digits: 64 bits are carried exactly.
      roundTrip({ ...plain, ...order, type, length, model: length === 4 ? undefined : 'INT' }, number.toString())
    }),
  )
})

test('floats come back as the shortest text that means the same', () => {
  fc.assert(
    fc.property(orders, fc.float({ noNaN: true, noDefaultInfinity: true }), (order, number) => {
      const layout: Layout = { ...plain, ...order, type: 'float32', length: 2 }
      const text = decode(encode(String(number), layout), layout)
      expect(Math.fround(Number(text))).toBe(Object.is(number, -0) ? 0 : number)
      expect(text.length).toBeLessThanOrEqual(String(number).length)
    }),
  )
  fc.assert(
    fc.property(orders, fc.integer({ min: -1e9, max: 1e9 }), (order, thousandths) => {
      roundTrip({ ...plain, ...order, type: 'float64', length: 4 }, String(thousandths / 1000))
    }),
  )
})

test('scaled values come back exactly, whatever the scale', () => {
  fc.assert(
    fc.property(
      orders,
      fc.integer({ min: 0, max: 65535 }),
      fc.constantFrom(0.1, 0.01, 0.5, 2, 10, 0.001, -0.1),
      fc.integer({ min: -50, max: 50 }),
      (order, raw, scale, shift) => {
        const layout: Layout = { ...plain, ...order, type: 'uint16', length: 1, scale, shift, model: 'FLOAT' }
        const bytes = encode(String(raw), { ...layout, scale: 1, shift: 0 })
        const text = decode(bytes, layout)
        expect(text).toMatch(/^-?\d+(\.\d{1,3})?$/)
        expect(encode(text, layout)).toEqual(bytes)
      },
    ),
  )
})

test('texts come back, and what is too long is refused', () => {
  fc.assert(
    fc.property(orders, fc.string({ maxLength: 20 }), (order, written) => {
      const layout: Layout = { ...plain, ...order, type: 'string', length: 10 }
      const bytes = Buffer.byteLength(written)
      if (bytes > 20) return expect(() => encode(written, layout)).toThrow(`${bytes} bytes, 20 fit`)
      expect(decode(encode(written, layout), layout)).toBe(written.split('\0')[0]?.trimEnd())
    }),
  )
})

test('coils in a group come back', () => {
  fc.assert(
    fc.property(fc.array(fc.boolean(), { minLength: 1, maxLength: 64 }), (bits) => {
      expect(bitsOf(numberOfBits(bits), bits.length)).toEqual(bits)
    }),
  )
})

const spans = fc
  .array(
    fc.record({ table: fc.constantFrom(...tables), address: fc.nat(300), length: fc.integer({ min: 1, max: 20 }) }),
    { maxLength: 40 },
  )
  .map((all): Span[] => all.map((each, at) => ({ ...each, name: `p${at}` })))

test('a plan reads every property once, within its request, and no request is longer than Modbus allows', () => {
  fc.assert(
    fc.property(spans, fc.nat(10), fc.array(fc.nat(40)), (wanted, maxGap, lonely) => {
      const alone = new Set(lonely.map((at) => `p${at}`))
      const reads = planReads(wanted, { maxGap, alone })
      const found = reads.flatMap((read) => read.spans.map(({ name }) => name))
      expect(found.toSorted()).toEqual(wanted.map(({ name }) => name).toSorted())
      for (const { table, address, length, spans: within } of reads) {
        expect(length).toBeLessThanOrEqual(table.includes('Register') && !table.match(/Coil|Discrete/) ? 125 : 2000)
        for (const span of within) {
          expect(span.table).toBe(table)
          expect(span.address).toBeGreaterThanOrEqual(address)
          expect(span.address + span.length).toBeLessThanOrEqual(address + length)
          if (alone.has(span.name)) expect(within).toHaveLength(1)
        }
      }
    }),
  )
})
