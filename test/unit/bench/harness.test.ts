import { expect, test } from 'vitest'
import { contextFor, type Figure, machine, memoryOf, percentile, timed } from '../../bench/harness.ts'

test.each([
  [0, 1],
  [0.5, 2],
  [0.51, 3],
  [0.99, 4],
  [1, 4],
])('the percentile %d of four samples is %d', (p, expected) => {
  expect(percentile([4, 1, 3, 2], p)).toBe(expected)
})

test('there is no percentile of nothing', () => {
  expect(() => percentile([], 0.5)).toThrow('no samples')
})

test('a context gathers the figures of its bench', () => {
  const figures: Figure[] = []
  const context = contextFor('sync', { quick: true, say: () => {}, wrong: () => {} }, figures)
  context.figure('memory', 52.3456, 'MB', 'idle')
  context.percentiles('latency', [1, 2, 3], 'ms', 'one node')
  expect(figures).toEqual([
    { bench: 'sync', figure: 'memory', value: 52.3, unit: 'MB', conditions: 'idle' },
    { bench: 'sync', figure: 'latency p50', value: 2, unit: 'ms', conditions: 'one node, 3 samples' },
    { bench: 'sync', figure: 'latency p99', value: 3, unit: 'ms', conditions: 'one node, 3 samples' },
  ])
})

test('the calls that warm up do not count', async () => {
  const rounds: number[] = []
  const samples = await timed(async (round) => void rounds.push(round), { rounds: 3, warmUp: 2 })
  expect(rounds).toEqual([-2, -1, 0, 1, 2])
  expect(samples).toHaveLength(3)
})

test.runIf(process.platform === 'linux')('the memory of this process has both parts', () => {
  const { rss, anon } = memoryOf(process.pid)
  expect(rss).toBeGreaterThan(anon)
  expect(anon).toBeGreaterThan(1)
})

test('the machine is told with its Node.js', () => {
  expect(machine()).toContain(`Node.js ${process.versions.node}`)
})
