import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { loadSync, type MethodDefinition } from '@grpc/proto-loader'
import {
  bool,
  bytes,
  int,
  ints,
  message,
  messages,
  nested,
  string,
  stringMap,
  strings,
} from '@kedge/edgecore/pods/cri/protobuf'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tempDir } from '../../../../support/temp-dir.ts'

const Part = message({ name: string(1), size: int(2) })
const Whole = message({
  text: string(1),
  number: int(2),
  truth: bool(3),
  octets: bytes(4),
  words: strings(5),
  numbers: ints(6),
  part: nested(7, Part),
  parts: messages(8, Part),
  map: stringMap(19),
})

// The same as the library of the rest of the world reads and writes it.
const proto = `syntax = "proto3";
message Part { string name = 1; int64 size = 2; }
message Whole {
  string text = 1; int64 number = 2; bool truth = 3; bytes octets = 4; repeated string words = 5;
  repeated int64 numbers = 6; Part part = 7; repeated Part parts = 8; map<string, string> map = 19;
}
service Echo { rpc Say(Whole) returns (Whole); }`

function reference() {
  const path = join(tempDir(), 'whole.proto')
  writeFileSync(path, proto)
  const { Echo } = loadSync(path, { longs: Number, defaults: true, arrays: true, objects: true })
  if (Echo === undefined || !('Say' in Echo) || typeof Echo.Say !== 'object') throw new Error('there is no Say')
  return Echo.Say as MethodDefinition<object, Record<string, unknown>>
}

const number = fc.oneof(fc.maxSafeInteger(), fc.integer({ min: -1000, max: 1000 }), fc.constantFrom(0, 127, 128, -1))
const part = fc.record({ name: fc.string(), size: number })
const whole = fc.record({
  text: fc.string({ unit: 'binary' }),
  number,
  truth: fc.boolean(),
  octets: fc.uint8Array().map((array) => Buffer.from(array)),
  words: fc.array(fc.string()),
  numbers: fc.array(number),
  part: fc.option(part, { nil: undefined }),
  parts: fc.array(part),
  map: fc.dictionary(fc.string(), fc.string()),
})

test('writes what the reference reads, and reads what it writes', () => {
  const { requestSerialize, responseDeserialize } = reference()
  fc.assert(
    fc.property(whole, (value) => {
      const read = responseDeserialize(Whole.encode(value))
      expect({ ...read, part: read.part ?? undefined }).toEqual({ ...value, part: value.part })
      expect(Whole.decode(requestSerialize(value))).toEqual(value)
    }),
    { numRuns: 300 },
  )
})

test('what is not there reads as its zero', () => {
  const zero = { text: '', number: 0, truth: false, octets: Buffer.alloc(0), words: [], numbers: [] }
  expect(Whole.decode(Buffer.alloc(0))).toEqual({ ...zero, part: undefined, parts: [], map: {} })
  expect(Whole.encode({})).toEqual(Buffer.alloc(0))
})

test('passes over fields that it does not know, of every kind', () => {
  const known = Part.encode({ name: 'x' })
  const varint = Buffer.from([0x50, 0x96, 0x01])
  const fixed64 = Buffer.from([0x59, 1, 2, 3, 4, 5, 6, 7, 8])
  const block = Buffer.from([0x62, 0x02, 0x61, 0x62])
  const fixed32 = Buffer.from([0x6d, 1, 2, 3, 4])
  expect(Part.decode(Buffer.concat([varint, fixed64, block, fixed32, known]))).toEqual({ name: 'x', size: 0 })
})

test.each([
  ['a length beyond the end', [0x0a, 0x05, 0x61], /ends inside a field/],
  ['a number without its end', [0x10, 0x80], /ends inside a number/],
  ['a number without end', [0x10, ...Array(11).fill(0xff)], /longer than 64 bits/],
  ['a number where a text belongs', [0x08, 0x01], /name, field 1, has the wire type 0/],
  ['a group', [0x1b], /wire type 3/],
])('refuses %s', (_, octets, error) => {
  expect(() => Part.decode(Buffer.from(octets))).toThrow(error)
})

test('no bytes make it hang or give anything but a message or an error', () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), (octets) => {
      try {
        Whole.decode(Buffer.from(octets))
      } catch (error) {
        expect(error).toBeInstanceOf(Error)
      }
    }),
  )
})
