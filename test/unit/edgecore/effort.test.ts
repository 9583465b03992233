import { nextPace, type Pace, worthCollecting } from '@kedge/edgecore/effort'
import { expect, test } from 'vitest'

const calm: Pace = { effort: 'little', against: 0 }

function after(pace: Pace, shares: readonly number[]): Pace {
  return shares.reduce(nextPace, pace)
}

test('one busy look, as at the start, changes nothing', () => {
  expect(after(calm, [0.9, 0.01])).toEqual(calm)
})

test('two busy looks in a row make it fast', () => {
  expect(after(calm, [0.3, 0.3]).effort).toBe('fast')
})

test('30 devices with three updates a second each stay at little', () => {
  expect(after(calm, Array(1000).fill(0.16)).effort).toBe('little')
})

test('a minute with little to do makes it little again, and not a pause', () => {
  const fast: Pace = { effort: 'fast', against: 0 }
  expect(after(fast, Array(29).fill(0)).effort).toBe('fast')
  expect(after(fast, [...Array(29).fill(0), 0.25, ...Array(29).fill(0)]).effort).toBe('fast')
  expect(after(fast, Array(30).fill(0.1)).effort).toBe('little')
})

test.for([
  ['grown by a third', 16e6, 12e6, true],
  ['grown a little', 13e6, 12e6, false],
  ['at first sight', 14e6, Number.POSITIVE_INFINITY, false],
  ['of 2,000 busy devices', 60e6, 22e6, false],
] as const)('a heap %s', ([, used, kept, worth]) => {
  expect(worthCollecting(used, kept)).toBe(worth)
})
