import { asked, failed, nextStep, noTries, renewAt, stateOf, type Term } from '@kedge/edgecore/identity/renewal'
import { describe, expect, test } from 'vitest'

const day = 24 * 3600 * 1000
const from = Date.UTC(2026, 0, 1)
const term = (more: Partial<Term> = {}): Term => ({
  from,
  to: from + 90 * day,
  serial: '01',
  ...more,
})
const serials = Array.from({ length: 200 }, (_one, index) => index.toString(16))

describe('a certificate', () => {
  test('is renewed after two thirds of its life, a twentieth more or less', () => {
    const parts = serials.map((serial) => (renewAt(term({ serial })) - from) / (90 * day))
    expect(Math.min(...parts)).toBeGreaterThanOrEqual(2 / 3 - 0.05)
    expect(Math.max(...parts)).toBeLessThanOrEqual(2 / 3 + 0.05)
    expect(Math.max(...parts) - Math.min(...parts)).toBeGreaterThan(0.08)
  })

  test('has a moment of its own, which a restart does not change', () => {
    expect(renewAt(term())).toBe(renewAt(term()))
  })

  test('is renewed at some moment of the window that the cloud names, or when it is due, whichever comes first', () => {
    const window = { from: from + 10 * day, to: from + 11 * day }
    const moments = serials.map((serial) => renewAt(term({ serial, window })))
    expect(Math.min(...moments)).toBeGreaterThanOrEqual(window.from)
    expect(Math.max(...moments)).toBeLessThanOrEqual(window.to)
    expect(Math.max(...moments) - Math.min(...moments)).toBeGreaterThan(day / 2)
    const later = { from: from + 80 * day, to: from + 89 * day }
    expect(renewAt(term({ window: later }))).toBe(renewAt(term()))
  })

  test.each([
    [30, 'valid'],
    [75, 'renewing'],
    [82, 'urgent'],
    [90.1, 'expired'],
  ])('is on day %d %s', (days, state) => {
    expect(stateOf(term(), from + days * day)).toBe(state)
  })
})

describe('asking', () => {
  const due = from + 75 * day

  test('begins when it is due, and waits for the answer', () => {
    expect(nextStep(term(), { tries: noTries, now: from + 30 * day, monotonic: 5 })).toEqual({ is: 'wait' })
    expect(nextStep(term(), { tries: noTries, now: due, monotonic: 5 })).toEqual({ is: 'ask' })
    const tries = asked(noTries, 5)
    expect(nextStep(term(), { tries, now: due, monotonic: 6 })).toEqual({ is: 'wait' })
    expect(nextStep(term(), { tries, now: due, monotonic: 200_000 })).toEqual({ is: 'give-up-waiting' })
  })

  test('begins again after a minute, then twice as long each time, up to an hour, and not before it is said', () => {
    let tries = noTries
    const pauses = Array.from({ length: 8 }, () => {
      tries = failed(asked(tries, 0), 0)
      return tries.notBefore / 60_000
    })
    expect(pauses).toEqual([1, 2, 4, 8, 16, 32, 60, 60])
    expect(failed(noTries, 1000, 7_200_000).notBefore).toBe(7_201_000)
    expect(failed(noTries, 0, 1e15).notBefore).toBe(day)
    expect(nextStep(term(), { tries, now: due, monotonic: 3_599_999 })).toEqual({ is: 'wait' })
    expect(nextStep(term(), { tries, now: due, monotonic: 3_600_000 })).toEqual({ is: 'ask' })
  })
})
