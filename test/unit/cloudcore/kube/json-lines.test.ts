import { Lines } from '@kedge/cloudcore/kube/json-lines'
import { expect, test } from 'vitest'

test('lines come out whole, whatever the chunks', () => {
  const text = '{"a":"äöü€😀"}\n\n{"b":2}\r\nrest'
  const bytes = Buffer.from(text)
  for (let size = 1; size <= bytes.length; size++) {
    const lines = new Lines(100)
    const out: string[] = []
    for (let at = 0; at < bytes.length; at += size) out.push(...lines.push(bytes.subarray(at, at + size)))
    expect(out).toEqual(['{"a":"äöü€😀"}', '{"b":2}'])
  }
})

test('a line without an end does not fill the memory', () => {
  const lines = new Lines(10)
  lines.push(Buffer.from('12345'))
  expect(() => lines.push(Buffer.from('678901'))).toThrow('more than 10 bytes')
})
