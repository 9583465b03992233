import { decode, encode, type Layout } from '@kedge/edgecore/devices/drivers/modbus/codec'
import { expect, test } from 'vitest'

const layout: Layout = {
  ...{ type: 'uint16', length: 1, swapBytes: false, swapWords: false, scale: 1, shift: 0, bit: 0, model: undefined },
}

test.each<[string, Partial<Layout>, string]>([
  ['00fa', {}, '250'],
  ['00fa', { scale: 0.1 }, '25'],
  ['00fb', { scale: 0.1, model: 'FLOAT' }, '25.1'],
  // KubeEdge cuts off what lies behind the point.
  ['00fb', { scale: 0.1, model: 'INT' }, '25'],
  ['fff6', { type: 'int16', scale: 0.5, shift: 10, model: 'FLOAT' }, '5'],
  ['0102', { swapBytes: true }, String(0x0201)],
  ['00010002', { type: 'uint32', length: 2 }, '65538'],
  ['00010002', { type: 'uint32', length: 2, swapWords: true }, '131073'],
  ['ffffffffffffffff', { type: 'uint64', length: 4 }, '18446744073709551615'],
  ['8000000000000000', { type: 'int64', length: 4, model: 'INT' }, '-9223372036854775808'],
  ['3dcccccd', { type: 'float32', length: 2 }, '0.1'],
  ['cccd3dcc', { type: 'float32', length: 2, swapWords: true }, '0.1'],
  ['7fc00000', { type: 'float32', length: 2 }, 'NaN'],
  ['414243440000', { type: 'string', length: 3 }, 'ABCD'],
  ['4241', { type: 'string', swapBytes: true }, 'AB'],
  ['0a0b', { type: 'bytes' }, '0a0b'],
  ['0004', { type: 'bit', bit: 2, model: 'BOOLEAN' }, 'true'],
  ['0004', { type: 'bit', bit: 1, model: 'INT' }, '0'],
  ['0002', { model: 'BOOLEAN' }, 'true'],
])('%s with %j is %s', (hex, given, text) => {
  expect(decode(Buffer.from(hex, 'hex'), { ...layout, ...given })).toBe(text)
})

test.each<[string, Partial<Layout>, string]>([
  ['25.1', { scale: 0.1 }, '00fb'],
  ['-5', { type: 'int16' }, 'fffb'],
  ['true', { model: 'BOOLEAN' }, '0001'],
  ['0.1', { type: 'float32', length: 2, swapWords: true }, 'cccd3dcc'],
  ['AB', { type: 'string', length: 2 }, '41420000'],
])('%s with %j is written as %s', (text, given, hex) => {
  expect(encode(text, { ...layout, ...given }).toString('hex')).toBe(hex)
})

test.each<[string, Partial<Layout>, string]>([
  ['65536', {}, '65536 does not fit into uint16: 0 to 65535 does'],
  ['-1', {}, '-1 does not fit into uint16'],
  ['40000', { type: 'int16' }, '-32768 to 32767 does'],
  ['warm', {}, '"warm" is no number'],
  ['', {}, '"" is no number'],
  ['NaN', {}, 'NaN does not fit'],
  ['1e39', { type: 'float32', length: 2 }, 'does not fit into float32'],
  ['maybe', { model: 'BOOLEAN' }, 'neither true nor false'],
  ['xyz', { type: 'bytes' }, '4 hexadecimal digits'],
])('%s with %j is refused: %s', (text, given, why) => {
  expect(() => encode(text, { ...layout, ...given })).toThrow(why)
})
