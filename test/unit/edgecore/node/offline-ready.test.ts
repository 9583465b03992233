import { type OfflineFacts, offlineReady, type PodNeeds, unreadiness } from '@kedge/edgecore/node/offline-ready'
import { expect, test } from 'vitest'

const hour = 3_600_000
const now = Date.UTC(2026, 0, 1)

function facts(over: Partial<OfflineFacts> = {}): OfflineFacts {
  return { pods: [needs('a')], diskFull: false, autonomyMs: 24 * hour, now, ...over }
}

function needs(name: string, over: Partial<PodNeeds> = {}): PodNeeds {
  return { pod: `default/${name}`, images: [], missing: [], ...over }
}

test('a node that has everything is ready', () => {
  expect(offlineReady(facts({ certificateEndsAt: now + 25 * hour }))).toMatchObject({
    status: 'True',
    reason: 'OfflineReady',
  })
})

test.each([
  [
    'ImageMissing',
    { pods: [needs('a', { images: ['nginx'] })] },
    'not on this node: image nginx, needed by pod default/a',
  ],
  [
    'SecretMissing',
    { pods: [needs('a', { missing: [{ kind: 'Secret', name: 'default/key' }] } as const)] },
    'not on this node: Secret default/key, needed by pod default/a',
  ],
  [
    'ConfigMapMissing',
    { pods: [needs('a', { missing: [{ kind: 'ConfigMap', name: 'default/conf' }] } as const), needs('b')] },
    'not on this node: ConfigMap default/conf, needed by pod default/a',
  ],
  ['CertificateEnds', { certificateEndsAt: now + 23 * hour }, 'ends 2026-01-01T23:00:00Z, within its autonomy'],
  ['CertificateEnds', { certificateEndsAt: now - hour }, 'ended 2025-12-31T23:00:00Z'],
  ['DiskFull', { diskFull: true }, 'nearly full'],
  ['StoreFault', { storageFault: 'no space left' }, 'the database takes no write: no space left'],
  ['RuntimeNotReady', { runtimeFault: 'no answer' }, 'the engine does not run pods: no answer'],
  [
    'NetworkNotReady',
    { networkFault: 'cni plugin not initialized', pods: [needs('a', { network: true }), needs('b')] },
    'no network for pods (cni plugin not initialized), needed by pod default/a',
  ],
  ['ClockUntrusted', { clockFault: 'the clock is behind' }, 'the clock is behind'],
])('%s', (reason, over, message) => {
  const condition = offlineReady(facts(over))
  expect(condition).toMatchObject({ type: 'OfflineReady', status: 'False', reason })
  expect(condition.message).toContain(message)
})

test('a network that nobody needs is not missed', () => {
  expect(offlineReady(facts({ networkFault: 'no CNI' }))).toMatchObject({ status: 'True' })
})

test('of several the gravest gives the reason, and all are told', () => {
  const pods = [needs('a', { images: ['nginx'] })]
  const { reason, message } = offlineReady(facts({ pods, storageFault: 'full', clockFault: 'behind' }))
  expect(reason).toBe('StoreFault')
  expect(message).toMatch(/full; .*nginx.*; behind/)
})

test('many are counted, not listed', () => {
  const pods = Array.from({ length: 8 }, (_, index) => needs(`p${index}`, { images: ['nginx'] }))
  const [one] = unreadiness(facts({ pods }))
  expect(one?.pods).toHaveLength(8)
  expect(one?.message).toContain('needed by pods default/p0, default/p1, default/p2, default/p3, default/p4 and 3 more')
})
