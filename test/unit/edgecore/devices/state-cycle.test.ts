import { stateCycleOf } from '@kedge/edgecore/devices/state-cycle'
import { expect, test } from 'vitest'

test.each([
  [undefined, 60_000],
  [0, 60_000],
  [-5, 60_000],
  [1, 10],
  [30_000, 30_000],
  [30_000_000_000, 30_000],
  [500_000_000, 86_400_000],
])('a stateReport.reportCycle of %s is %s ms', (reportCycle, expected) => {
  expect(stateCycleOf({ spec: { stateReport: { reportCycle } } })).toBe(expected)
})

test('a device that cannot be read has the usual one', () => {
  expect(stateCycleOf(undefined)).toBe(60_000)
})
