import { cycleOf } from '@kedge/edgecore/devices/drivers/cycles'
import { expect, test } from 'vitest'

test.each([
  [undefined, 1000, 0],
  [0, 1000, 0],
  [-5, 1000, 0],
  [10, 10, 0],
  [1, 10, 1],
  [60_000, 60_000, 0],
  [10_000_000_000, 10_000, 1],
  [86_400_001, 86_400_000, 1],
])('a cycle of %s is %i ms, %i warnings', (given, expected, count) => {
  const warnings: string[] = []
  expect(cycleOf('collectCycle', given, (reason) => warnings.push(reason))).toBe(expected)
  expect(warnings).toHaveLength(count)
})
