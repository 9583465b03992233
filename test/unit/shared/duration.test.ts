import { formatDuration, parseDuration } from '@kedge/shared/duration'
import { describe, expect, test } from 'vitest'

describe('parseDuration', () => {
  test.each([
    ['0', 0],
    ['0s', 0],
    ['250ms', 250],
    ['1.5s', 1500],
    ['24h', 86_400_000],
    ['1h30m', 5_400_000],
    ['7d', 604_800_000],
    [' 30s ', 30_000],
  ])('%s', (text, ms) => {
    expect(parseDuration(text)).toBe(ms)
  })

  test.each(['', '10', '-5s', '5 s', '1h30', 's', '5S', '1e3s', '5s!'])(
    'refuses "%s" and says what would be right',
    (text) => {
      expect(() => parseDuration(text)).toThrow(
        `"${text}" is not a duration: write numbers with a unit of ms, s, m, h or d`,
      )
    },
  )

  test('refuses what no number can hold', () => {
    expect(() => parseDuration(`${'9'.repeat(40)}d`)).toThrow('too long')
  })
})

test.each([0, 1, 999, 1000, 61_001, 90_061_001])('formatDuration gives what parseDuration reads: %i', (ms) => {
  expect(parseDuration(formatDuration(ms))).toBe(ms)
})

test.each([
  [0, '0s'],
  [5_400_000, '1h30m'],
  [1500, '1s500ms'],
  [86_400_000, '1d'],
])('formatDuration(%i)', (ms, text) => {
  expect(formatDuration(ms)).toBe(text)
})
