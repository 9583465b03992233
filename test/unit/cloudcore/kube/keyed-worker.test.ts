import { KubeError } from '@kedge/cloudcore/kube/errors'
import { KeyedWorker, type KeyedWorkerOptions } from '@kedge/cloudcore/kube/keyed-worker'
import { Limiter } from '@kedge/cloudcore/kube/limiter'
import { systemClock } from '@kedge/shared/clock'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'

beforeEach(() => void vi.useFakeTimers())
afterEach(() => void vi.useRealTimers())

interface Begun {
  key: string
  at: number
  end: (wrote?: boolean) => void
  fail: (error: Error) => void
}

/** A worker whose passes are ended by hand; each gives its number, counted from 1. */
function rig(over: Partial<KeyedWorkerOptions<number>> = {}) {
  const passes: Begun[] = []
  const pass = (key: string) =>
    new Promise<{ wrote: boolean; result: number }>((resolve, reject) => {
      const number = passes.length + 1
      passes.push({ key, at: Date.now(), end: (wrote = true) => resolve({ wrote, result: number }), fail: reject })
    })
  const worker = new KeyedWorker<number>({
    pass,
    interval: 1000,
    limiter: new Limiter(10),
    clock: systemClock,
    backoff: { base: 100, cap: 1000 },
    random: () => 1,
    onFailure: () => {},
    ...over,
  })
  const pause = (ms: number) => vi.advanceTimersByTimeAsync(ms)
  return { passes, worker, pause }
}

test('the first goes at once, what follows within the interval goes together after it', async () => {
  const { passes, worker, pause } = rig()
  const first = worker.run('a')
  await pause(0)
  expect(passes).toHaveLength(1)
  passes[0]?.end()
  await expect(first).resolves.toBe(1)

  const second = worker.run('a')
  const third = worker.run('a')
  await pause(999)
  expect(passes).toHaveLength(1)
  await pause(1)
  expect(passes).toHaveLength(2)
  passes[1]?.end()
  await expect(Promise.all([second, third])).resolves.toEqual([2, 2])
  await pause(10_000)
  expect(passes).toHaveLength(2)
})

test('what comes during a pass is not answered by it', async () => {
  const { passes, worker, pause } = rig()
  void worker.run('a')
  await pause(0)
  const late = worker.run('a')
  passes[0]?.end()
  await pause(1000)
  expect(passes).toHaveLength(2)
  passes[1]?.end()
  await expect(late).resolves.toBe(2)
})

test('a pass that wrote nothing costs no interval', async () => {
  const { passes, worker, pause } = rig()
  void worker.run('a')
  await pause(0)
  passes[0]?.end(false)
  await pause(0)
  void worker.run('a')
  await pause(0)
  expect(passes).toHaveLength(2)
})

test('a lazy wake waits an interval, unless another comes before', async () => {
  const { passes, worker, pause } = rig()
  worker.wake('a', { lazy: true })
  worker.wake('b', { lazy: true })
  await pause(500)
  expect(passes).toHaveLength(0)
  void worker.run('b')
  await pause(0)
  expect(passes.map(({ key }) => key)).toEqual(['b'])
  passes[0]?.end()
  await pause(500)
  expect(passes.map(({ key }) => key)).toEqual(['b', 'a'])
  await pause(5000)
  expect(passes).toHaveLength(2)
})

test('trouble is tried again, later and later, and the promise waits', async () => {
  const failures: number[] = []
  const { passes, worker, pause } = rig({ onFailure: (_, __, { wait }) => failures.push(wait) })
  const result = worker.run('a')
  await pause(0)
  for (let i = 0; i < 5; i++) {
    passes.at(-1)?.fail(new Error('down'))
    await pause(0)
    worker.wake('a')
    await pause(failures.at(-1) ?? 0)
  }
  expect(failures).toEqual([100, 200, 400, 800, 1000])
  expect(passes).toHaveLength(6)
  passes.at(-1)?.end()
  await expect(result).resolves.toBe(6)
})

test('a server that asks for a pause gets it', async () => {
  const { passes, worker, pause } = rig()
  void worker.run('a')
  await pause(0)
  passes[0]?.fail(new KubeError('busy', { code: 429, retryAfter: 7000 }))
  await pause(6999)
  expect(passes).toHaveLength(1)
  await pause(1)
  expect(passes).toHaveLength(2)
})

test('one key in trouble does not hold up another', async () => {
  const { passes, worker, pause } = rig({ limiter: new Limiter(1) })
  void worker.run('bad')
  const good = worker.run('good')
  await pause(0)
  passes[0]?.fail(new KubeError('busy', { code: 429, retryAfter: 60_000 }))
  await pause(0)
  passes[1]?.end()
  await expect(good).resolves.toBe(2)
})

test('a result that nobody waits for is told, and only that', async () => {
  const unheard: number[] = []
  const { passes, worker, pause } = rig({ interval: 0, onUnheard: (_, result) => unheard.push(result) })
  worker.wake('a')
  await pause(0)
  passes[0]?.end()
  await pause(0)
  void worker.run('a')
  await pause(0)
  passes[1]?.end()
  await pause(0)
  expect(unheard).toEqual([1])
})

test('stopping turns away who waits, and lets a pass end', async () => {
  const { passes, worker, pause } = rig()
  const running = worker.run('a')
  await pause(0)
  const waiting = worker.run('a')
  const refused = expect(waiting).rejects.toThrow('stopping')
  const stopped = worker.stop()
  passes[0]?.end()
  await stopped
  await refused
  await expect(running).resolves.toBe(1)
  await expect(worker.run('b')).rejects.toThrow('stopping')
})
