import { TimeTeller } from '@kedge/cloudcore/sync/time-teller'
import { expect, test } from 'vitest'
import { HandClock } from '../../../support/hand-clock.ts'

test('each run of an edge hears the time with its first answer, and then every ten minutes', () => {
  const clock = new HandClock()
  const teller = new TimeTeller(clock)
  const answered = (box: string) => ({ is: 'answered' as const, box, accepted: [], refused: [] })
  const told = (node: string, box: string) => teller.stamped(node, answered(box)).now
  expect([told('a', 'run-1'), told('a', 'run-1'), told('b', 'run-1')]).toEqual([clock.now(), undefined, clock.now()])
  clock.tick(599_999)
  expect(told('a', 'run-1')).toBeUndefined()
  expect(told('a', 'run-2')).toBe(clock.now())
  clock.tick(600_000)
  expect(told('a', 'run-2')).toBe(clock.now())
})
