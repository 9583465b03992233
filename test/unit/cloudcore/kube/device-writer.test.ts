import type { Kube } from '@kedge/cloudcore/kube/api'
import { Counters } from '@kedge/cloudcore/kube/counters'
import { twinsIn } from '@kedge/cloudcore/kube/device-status'
import { DeviceWriter } from '@kedge/cloudcore/kube/device-writer'
import { Freshest } from '@kedge/cloudcore/kube/freshest'
import { Limiter } from '@kedge/cloudcore/kube/limiter'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import type { Key, KubeObject } from '@kedge/shared/objects'
import type { DeviceReport } from '@kedge/shared/reports'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { deviceOn, devicesPath } from '../../../support/kube-rig.ts'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

const interval = 10_000
/** Milliseconds that a write takes. */
const latency = 40

interface Write {
  path: string
  at: number
  value: string | undefined
}

/** Devices in a Kubernetes that takes its time; `writes` is what it was asked for, by the clock of the test. */
function rig(names: readonly string[]) {
  const objects = new Map<Key, KubeObject>()
  for (const [index, name] of names.entries()) {
    const made = deviceOn('edge-1', name)
    const metadata = { name, namespace: 'default', uid: name, resourceVersion: `${index + 1}` }
    objects.set(`devices/default/${name}`, { ...made, metadata })
  }
  const writes: Write[] = []
  let version = 1000
  const patchStatus: Kube['patchStatus'] = async (path, patch) => {
    const key: Key = `devices/default/${path.slice(devicesPath.length + 1)}`
    const { status } = patch as { status: Record<string, unknown> }
    writes.push({ path, at: performance.now(), value: twinsIn(status)[0]?.reported?.value })
    await new Promise((resolve) => setTimeout(resolve, latency))
    const held = must(objects.get(key), key)
    const metadata = { ...held.metadata, resourceVersion: `${++version}` }
    const next = { ...held, metadata, status: { ...held.status, ...status } }
    objects.set(key, next)
    return next
  }
  const writer = new DeviceWriter({
    kube: { patchStatus } as Kube,
    freshest: new Freshest((key) => objects.get(key as Key)),
    limiter: new Limiter(16),
    ...{ counters: new Counters(), clock: systemClock, log: silentLog, random: () => 0.5 },
    ...{ statusInterval: interval, conditionsFor: () => [] },
  })
  return { objects, writes, writer }
}

function report(name: string, value: string): DeviceReport {
  const twins = { temperature: { type: 'float', reported: { value, at: 1 } } }
  return { is: 'device', namespace: 'default', name, uid: name, twins }
}

test('thirty devices that change three times a second cost three writes a second, and their last values arrive', async () => {
  const names = Array.from({ length: 30 }, (_, number) => `lamp-${number}`)
  const { objects, writes, writer } = rig(names)
  const answers: Promise<unknown>[] = []
  let value = 0
  for (let round = 0; round < 180; round++) {
    for (const name of names) answers.push(writer.accept(report(name, `${++value}`)))
    await vi.advanceTimersByTimeAsync(333)
  }
  // What cloudcore shows live is the newest at once, whatever is written yet.
  const live = names.map((name) => writer.live(`devices/default/${name}`)?.twins.get('temperature')?.reported?.value)
  const last = names.map((_, index) => `${value - 29 + index}`)
  expect(live).toEqual(last)
  await vi.advanceTimersByTimeAsync(interval + latency)
  expect(await Promise.all(answers)).toEqual(answers.map(() => ({ is: 'accepted' })))

  const written = names.map((name) => twinsIn(objects.get(`devices/default/${name}`)?.status)[0]?.reported?.value)
  expect(written).toEqual(last)
  for (const name of names) {
    const times = writes.filter(({ path }) => path.endsWith(`/${name}`)).map(({ at }) => at)
    expect(times[0]).toBeLessThan(1000)
    for (const [index, at] of times.entries()) {
      if (index > 0) expect(at - (times[index - 1] ?? 0)).toBeGreaterThanOrEqual(interval)
    }
    expect(times.length).toBeGreaterThanOrEqual(6)
  }
  expect(writes.length).toBeLessThanOrEqual(30 * 7)
})

test('a value that comes while a write is under way is written after the interval, and answered after that', async () => {
  const { writes, writer } = rig(['lamp'])
  const first = writer.accept(report('lamp', '1'))
  await vi.advanceTimersByTimeAsync(latency / 2)
  let answered = false
  const second = writer.accept(report('lamp', '2')).finally(() => {
    answered = true
  })
  await vi.advanceTimersByTimeAsync(interval - latency)
  expect([await first, answered, writes.map(({ value }) => value)]).toEqual([{ is: 'accepted' }, false, ['1']])
  await vi.advanceTimersByTimeAsync(2 * latency)
  expect([await second, writes.map(({ value }) => value)]).toEqual([{ is: 'accepted' }, ['1', '2']])
})
