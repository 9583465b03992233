import { Presence } from '@kedge/cloudcore/nodes/presence'
import { systemClock } from '@kedge/shared/clock'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

function rig() {
  const presence = new Presence({ clock: systemClock, graces: [5000, 40_000], startGrace: 30_000 })
  const told: (string | undefined)[] = []
  presence.onChange((node) => told.push(node))
  return { presence, told }
}

test('a node that has not been heard of gets time to come back', () => {
  const { presence, told } = rig()
  expect(presence.of('a', 5000).is).toBe('unknown')
  vi.advanceTimersByTime(30_000)
  expect(told).toEqual([undefined])
  expect([presence.of('a', 5000).is, presence.of('a', 40_000).is]).toEqual(['disconnected', 'unknown'])
  vi.advanceTimersByTime(10_000)
  expect(told).toEqual([undefined, undefined])
  expect(presence.of('a', 40_000).is).toBe('disconnected')
})

test('while others still come back, one that has not been heard of is not given up', () => {
  const { presence } = rig()
  for (let node = 0; node < 10; node++) {
    vi.advanceTimersByTime(5000)
    presence.connected(`node-${node}`)
  }
  expect(presence.of('a', 5000).is).toBe('unknown')
  vi.advanceTimersByTime(10_000)
  expect(presence.of('a', 5000).is).toBe('disconnected')
  // What is known by then does not become doubtful again.
  presence.connected('late')
  expect(presence.of('a', 5000).is).toBe('disconnected')
})

test('nodes that never cease to come do not hide for ever those that are gone', () => {
  const { presence } = rig()
  for (let node = 0; node < 30; node++) {
    vi.advanceTimersByTime(4000)
    presence.connected(`node-${node}`)
  }
  expect(presence.of('a', 5000).is).toBe('disconnected')
})

test('a short interruption is nobody’s business', () => {
  const { presence, told } = rig()
  presence.connected('a')
  presence.disconnected('a')
  expect(presence.of('a', 5000).is).toBe('unknown')
  vi.advanceTimersByTime(4000)
  presence.connected('a')
  vi.advanceTimersByTime(20_000)
  expect(told).toEqual(['a', 'a'])
  expect(presence.of('a', 5000).is).toBe('connected')
})

test('a long one is told to each after his grace, with the time it began', () => {
  const { presence, told } = rig()
  presence.connected('a')
  const since = Date.now()
  presence.disconnected('a')
  vi.advanceTimersByTime(5000)
  expect(presence.of('a', 5000)).toEqual({ is: 'disconnected', since })
  expect(presence.of('a', 40_000).is).toBe('unknown')
  expect(told).toEqual(['a', 'a'])
})
