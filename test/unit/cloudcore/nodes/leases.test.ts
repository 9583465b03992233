import { Counters } from '@kedge/cloudcore/kube/counters'
import { KubeError } from '@kedge/cloudcore/kube/errors'
import { Limiter } from '@kedge/cloudcore/kube/limiter'
import { Leases, type LeasesOptions } from '@kedge/cloudcore/nodes/leases'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const interval = 10_000
const node = (name: string): KubeObject => ({ apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `uid-${name}` } })

function rig() {
  const at = new Map<string, number[]>()
  const broken = new Set<string>()
  let drawn = 0
  const kube: LeasesOptions['kube'] = {
    async patch(path) {
      const name = path.split('/').at(-1) ?? ''
      if (broken.has(name)) throw new KubeError(`PATCH ${path}`, { code: 500 })
      at.set(name, [...(at.get(name) ?? []), Date.now()])
      return node(name)
    },
    create: async (_path, object) => object,
  }
  // Draws that are spread evenly.
  const random = () => (drawn++ * 0.618034) % 1
  const shared = { limiter: new Limiter(32), clock: systemClock, log: silentLog, counters: new Counters() }
  return { leases: new Leases({ kube, random, interval, ...shared }), at, broken }
}

test('nodes that come at once are spread over the interval, and those of one beat are renewed together', async () => {
  const { leases, at } = rig()
  const names = Array.from({ length: 200 }, (_, index) => `edge-${index}`)
  for (const name of names) leases.keep(node(name))
  await vi.advanceTimersByTimeAsync(2 * interval)
  const began = Date.now()
  await vi.advanceTimersByTimeAsync(3 * interval)
  const times = names.map((name) => (at.get(name) ?? []).filter((time) => time > began))
  expect(new Set(times.map(({ length }) => length))).toEqual(new Set([3]))
  const moments = new Map<number, number>()
  for (const time of times.flat()) moments.set(time, (moments.get(time) ?? 0) + 1)
  expect(moments.size).toBeLessThanOrEqual(60)
  expect(Math.max(...moments.values())).toBeLessThan(30)
  await leases.stop()
})

test('a lease that is fresh is renewed in its turn, within the first interval', async () => {
  const { leases, at } = rig()
  const names = Array.from({ length: 100 }, (_, index) => `edge-${index}`)
  for (const name of names) leases.keep(node(name), 'in its turn')
  await vi.advanceTimersByTimeAsync(interval / 10)
  expect(at.size).toBeLessThan(20)
  await vi.advanceTimersByTimeAsync(interval)
  expect(at.size).toBe(100)
  await leases.stop()
})

test('no two renewals are further apart than the interval', async () => {
  const { leases, at } = rig()
  leases.keep(node('edge-1'))
  await vi.advanceTimersByTimeAsync(10 * interval)
  const times = at.get('edge-1') ?? []
  expect(times.length).toBeGreaterThanOrEqual(10)
  for (const [index, time] of times.slice(1).entries())
    expect(time - (times[index] ?? 0)).toBeLessThanOrEqual(interval + 1)
  await leases.stop()
})

test('what could not be renewed is tried again well before the lease is old', async () => {
  const { leases, at, broken } = rig()
  leases.keep(node('edge-1'))
  await vi.advanceTimersByTimeAsync(interval)
  broken.add('edge-1')
  await vi.advanceTimersByTimeAsync(interval)
  broken.clear()
  const mended = Date.now()
  await vi.advanceTimersByTimeAsync(0.3 * interval)
  expect(at.get('edge-1')?.some((time) => time >= mended)).toBe(true)
  await leases.stop()
})
