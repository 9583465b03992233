import { resourcesOf } from '@kedge/edgecore/pods/resources'
import { describe, expect, test } from 'vitest'

const memoryBytes = 1000 * 2 ** 20

type Amounts = Record<string, string>

function of(
  requests: Amounts,
  limits: Amounts,
  more: { qosClass?: 'Guaranteed' | 'Burstable' | 'BestEffort'; priority?: number } = {},
) {
  return resourcesOf({
    container: { resources: { requests, limits } },
    qosClass: 'Burstable',
    priority: 0,
    memoryBytes,
    ...more,
  })
}

describe('requests and limits as the kernel has them', () => {
  test.each<[string, Amounts, Amounts, Record<string, number>]>([
    ['nothing', {}, {}, { cpuShares: 2 }],
    ['half a core', { cpu: '500m' }, {}, { cpuShares: 512 }],
    ['a tenth of a core at most', {}, { cpu: '100m' }, { cpuShares: 102, cpuQuota: 10_000, cpuPeriod: 100_000 }],
    ['next to nothing', { cpu: '1m' }, { cpu: '1m' }, { cpuShares: 2, cpuQuota: 1000, cpuPeriod: 100_000 }],
    ['more than there are', { cpu: '1000' }, {}, { cpuShares: 262_144 }],
    ['a request of its own', { cpu: '250m' }, { cpu: '2' }, { cpuShares: 256, cpuQuota: 200_000, cpuPeriod: 100_000 }],
    ['memory', {}, { memory: '64Mi' }, { cpuShares: 2, memoryLimit: 64 * 2 ** 20 }],
  ])('%s', (_name, requests, limits, expected) => {
    expect(of(requests, limits)).toEqual({ ...expected, oomScoreAdj: expect.any(Number) })
  })
})

describe('who is killed first when memory runs out', () => {
  test.each<[string, number, Amounts, Parameters<typeof of>[2]]>([
    ['guaranteed', -997, {}, { qosClass: 'Guaranteed' }],
    ['best effort', 1000, {}, { qosClass: 'BestEffort' }],
    ['critical to the node', -997, {}, { qosClass: 'BestEffort', priority: 2_000_001_000 }],
    ['a tenth of memory', 900, { memory: '100Mi' }, {}],
    ['next to nothing', 999, { memory: '1Ki' }, {}],
    ['all of it', 3, { memory: '2000Mi' }, {}],
  ])('%s: %i', (_name, score, requests, more) => {
    expect(of(requests, {}, more).oomScoreAdj).toBe(score)
  })
})
