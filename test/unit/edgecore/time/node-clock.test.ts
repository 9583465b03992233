import { earliest, NodeClock } from '@kedge/edgecore/time/node-clock'
import { describe, expect, test } from 'vitest'
import { HandClock } from '../../../support/hand-clock.ts'

const minute = 60_000
const year = 365 * 24 * 60 * minute
const today = earliest + year / 2

test('a clock that can be true is followed, also where it is set anew', () => {
  const system = new HandClock(today)
  const clock = new NodeClock({ system })
  system.tick(minute)
  expect(clock.now()).toBe(today + minute)
  system.jump(-90 * minute)
  expect(clock.now()).toBe(today - 89 * minute)
  system.jump(year)
  expect([clock.now(), clock.distrust]).toEqual([today + year - 89 * minute, undefined])
})

describe('a board without a battery', () => {
  test('that starts in 1970 goes on from the last known time until its clock is set', () => {
    const system = new HandClock(7000)
    const clock = new NodeClock({ system })
    clock.notBefore(today)
    system.tick(minute)
    expect([clock.now(), clock.distrust]).toEqual([today + minute, 'BeforeRelease'])
    system.jump(today + 3 * year - 7000)
    expect([clock.now(), clock.distrust]).toEqual([today + 3 * year + minute, undefined])
  })

  test('that knows no time shows none before this program was written', () => {
    const clock = new NodeClock({ system: new HandClock(0) })
    expect([clock.now(), clock.distrust]).toEqual([earliest, 'BeforeRelease'])
  })

  test('whose clock stood still while it was off is believed once it has caught up', () => {
    const system = new HandClock(today - 10 * minute)
    const clock = new NodeClock({ system })
    clock.notBefore(today)
    expect([clock.now(), clock.distrust]).toEqual([today, 'BehindLastTime'])
    system.tick(minute)
    expect(clock.now()).toBe(today + minute)
    system.jump(10 * minute + 500)
    expect([clock.now(), clock.distrust]).toEqual([today + minute + 500, undefined])
  })

  test('that falls back to 1970 while it runs goes on as before', () => {
    const system = new HandClock(today)
    const clock = new NodeClock({ system })
    clock.now()
    system.jump(-today)
    system.tick(minute)
    expect([clock.now(), clock.distrust]).toEqual([today + minute, 'BeforeRelease'])
  })
})

describe('a last known time in the future, from a clock that was wrong', () => {
  test('counts for nothing where the machine says that its clock is synchronized', () => {
    const clock = new NodeClock({ system: new HandClock(today), synchronized: () => true })
    clock.notBefore(today + 70 * year)
    expect([clock.now(), clock.distrust]).toEqual([today, undefined])
  })

  test('or where somebody sets the clock', () => {
    const system = new HandClock(today)
    const clock = new NodeClock({ system })
    clock.notBefore(today + 70 * year)
    expect(clock.distrust).toBe('BehindLastTime')
    system.jump(5000)
    expect([clock.now(), clock.distrust]).toEqual([today + 5000, undefined])
  })

  test('or where the cloud says what time it is', () => {
    const system = new HandClock(today)
    const clock = new NodeClock({ system })
    clock.notBefore(today + 70 * year)
    clock.cloudSays(today + 100)
    system.tick(minute)
    expect([clock.now(), clock.byCloud]).toEqual([today + 100 + minute, true])
  })
})

test('a clock that differs from the cloud’s is followed, and said', () => {
  const system = new HandClock(today)
  const clock = new NodeClock({ system })
  clock.cloudSays(today + 5 * minute)
  expect([clock.now(), clock.distrust]).toEqual([today, 'DiffersFromCloud'])
  clock.cloudSays(today + 1000)
  expect(clock.distrust).toBeUndefined()
})

test('times written down before the clock was set are known by the new one, those of earlier runs are not touched', () => {
  const system = new HandClock(0)
  const clock = new NodeClock({ system })
  clock.notBefore(today)
  system.tick(minute)
  const written = clock.now()
  system.tick(minute)
  clock.now()
  system.jump(today + year)
  expect(clock.now()).toBe(today + year + 2 * minute)
  expect(clock.corrected(written)).toBe(today + year + minute)
  expect(clock.corrected(today - minute)).toBe(today - minute)
  expect(clock.corrected(clock.now())).toBe(clock.now())
})
