import { Refusals } from '@kedge/edgecore/devices/refusals'
import { expect, test } from 'vitest'

test('one word a minute for each device and reason, counting what was left out', () => {
  const refusals = new Refusals()
  const say = (device: string, at: number, reason = 'r') => refusals.say({ device, reason, text: 'no', at })
  expect(say('a', 0)).toBe('no')
  expect(say('a', 1)).toBeUndefined()
  expect(say('a', 59_999)).toBeUndefined()
  expect(say('b', 5)).toBe('no')
  expect(say('a', 5, 'other')).toBe('no')
  expect(say('a', 60_000)).toBe('no (and 2 more since the last event)')
  expect(say('a', 120_000)).toBe('no')
  expect([...refusals.counts()]).toEqual([
    { device: 'a', reason: 'r', count: 5 },
    { device: 'a', reason: 'other', count: 1 },
    { device: 'b', reason: 'r', count: 1 },
  ])
  refusals.forget('a')
  expect([...refusals.counts()]).toEqual([{ device: 'b', reason: 'r', count: 1 }])
  expect(say('a', 120_001)).toBe('no')
})
