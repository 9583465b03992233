import { anyValues } from '@kedge/edgecore/devices/dmi/any-value'
import { expect, test } from 'vitest'

/** Type and hex of each value, as `protoc` encodes them. */
function wrapped(config: Record<string, unknown>): Record<string, [string | undefined, string]> {
  const entries = Object.entries(anyValues(config))
  return Object.fromEntries(
    entries.map(([name, { type_url, value }]) => [name, [type_url.split('.').at(-1), value.toString('hex')]]),
  )
}

test.each([
  ['text', 'a', 'StringValue', '0a0161'],
  ['empty text', '', 'StringValue', ''],
  ['long text', 'x'.repeat(200), 'StringValue', `0ac801${'78'.repeat(200)}`],
  ['UTF-8', 'ä', 'StringValue', '0a02c3a4'],
  ['true', true, 'BoolValue', '0801'],
  ['false', false, 'BoolValue', ''],
  ['a number', 1.5, 'FloatValue', '0d0000c03f'],
  ['a number that a float rounds', 0.1, 'FloatValue', '0dcdcccc3d'],
  ['zero', 0, 'FloatValue', ''],
  ['the last integer that a float counts to', 2 ** 24, 'FloatValue', '0d0000804b'],
  ['an integer that a float cannot hold', 2 ** 24 + 1, 'Int64Value', '0881808008'],
  ['a negative one', -(2 ** 24) - 1, 'Int64Value', '08fffffff7ffffffffff01'],
  ['beyond a float', 1e300, 'StringValue', '0a0631652b333030'],
  ['a list', [1, 'a'], 'StringValue', `0a07${Buffer.from('[1,"a"]').toString('hex')}`],
  ['an object', { a: null }, 'StringValue', `0a0a${Buffer.from('{"a":null}').toString('hex')}`],
])('%s', (_, value, type, hex) => {
  expect(wrapped({ it: value })).toEqual({ it: [type, hex] })
})

test('what is nothing is left out', () => {
  expect(wrapped({ a: null, b: undefined })).toEqual({})
})

test('the type is a full URL', () => {
  expect(anyValues({ a: 'b' }).a?.type_url).toBe('type.googleapis.com/google.protobuf.StringValue')
})
