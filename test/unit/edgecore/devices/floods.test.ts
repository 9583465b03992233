import { flood, floods } from '@kedge/edgecore/devices/floods'
import { expect, test } from 'vitest'

test('a flood is named once in the second in which it becomes one', () => {
  const entry = {}
  const during = (from: number, count: number) =>
    Array.from({ length: count }, (_, at) => floods(entry, from + (at * 999) / count)).filter(Boolean).length
  expect(during(0, flood - 1)).toBe(0)
  expect(during(1000, flood * 3)).toBe(1)
  expect(during(2000, flood)).toBe(1)
  expect(during(10_000, 1)).toBe(0)
})
