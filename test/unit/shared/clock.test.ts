import { isoTime, rfc3339, rfc3339Micro } from '@kedge/shared/clock'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('isoTime', () => {
  it('is what a Date says', () => {
    fc.assert(
      fc.property(fc.integer({ min: -8.64e15, max: 8.64e15 }), (ms) => {
        expect(isoTime(ms)).toBe(new Date(ms).toISOString())
      }),
    )
    for (const ms of [0, 1, 999, 1000, 951_782_399_999, Date.UTC(9999, 11, 31, 23, 59, 59, 999), -62_167_219_200_000]) {
      expect(isoTime(ms)).toBe(new Date(ms).toISOString())
    }
  })

  it('refuses what is no time', () => {
    expect(() => isoTime(Number.NaN)).toThrow(RangeError)
  })
})

it("has Kubernetes' two forms", () => {
  const ms = Date.UTC(2024, 1, 29, 3, 4, 5, 67)
  expect([rfc3339(ms), rfc3339Micro(ms)]).toEqual(['2024-02-29T03:04:05Z', '2024-02-29T03:04:05.067000Z'])
})
