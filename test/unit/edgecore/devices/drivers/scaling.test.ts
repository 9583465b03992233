import { scaled } from '@kedge/edgecore/devices/drivers/scaling'
import { expect, test } from 'vitest'

test.each([
  [404, 0.1, -50, -9.6],
  [500, 0.1, -50, 0],
  [3, 0.1, 0, 0.3],
  [1, 0.1, 0.2, 0.3],
  [7, 1e-9, 0, 7e-9],
  [1e20, 10, 1, 1e21],
  [0, 0.1, 1e-120, 1e-120],
  [Number.POSITIVE_INFINITY, 2, 1, Number.POSITIVE_INFINITY],
])('%d * %d + %d is %d', (value, scale, shift, result) => {
  expect(scaled(value, scale, shift)).toBe(result)
})

test('tenths that are shifted stay tenths', () => {
  for (let raw = 0; raw < 65_536; raw++) expect(scaled(raw, 0.1, -50)).toBe((raw - 500) / 10)
})
