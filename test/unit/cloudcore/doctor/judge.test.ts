import { judgeKube, judgeLink, judgeNodes, judgeRun } from '@kedge/cloudcore/doctor/judge'
import { expect, test } from 'vitest'

const now = Date.UTC(2026, 10, 22)
const day = 86_400_000

test('a cloudcore that runs, waits, or is silent', () => {
  const judge = (facts: object) =>
    judgeRun({ pid: 7, waitsFor: '', silence: undefined, version: '1.0.0', ...facts }).standing
  expect(judge({})).toBe('ok')
  expect(judge({ pid: undefined })).toBe('warn')
  expect(judge({ waitsFor: 'the watch of pods' })).toBe('warn')
  expect(judge({ waitsFor: undefined })).toBe('ok')
  expect(judge({ silence: 'ECONNREFUSED' })).toBe('fail')
})

test('Kubernetes, and the nodes that it knows', () => {
  const node = { name: 'edge-1', version: 'v1.32.0-kedge-1.0.0', connected: true, faults: [] }
  expect(judgeKube({ asked: false }).standing).toBe('skip')
  expect(judgeKube({ asked: true, fault: 'ECONNREFUSED' }).standing).toBe('fail')
  expect(judgeKube({ asked: true, nodes: [node] }).found).toBe('Kubernetes answers, 1 edge node')
  expect(judgeNodes({ asked: true, nodes: [node] }, '1.0.0').map(({ standing }) => standing)).toEqual(['ok'])
  const nodes = [{ ...node, connected: false, faults: ['StorageHealthy: full'] }]
  expect(judgeNodes({ asked: true, nodes }, '1.1.0').map(({ found }) => found)).toEqual([
    ...['edge-1: StorageHealthy: full', 'not connected: edge-1', 'not of version 1.1.0: edge-1 (1.0.0)'],
  ])
})

test('what the link shows', () => {
  const good = { plain: false, host: 'cloud', verdict: { ok: true, path: [] }, ends: now + 300 * day, now } as const
  const judge = (facts: object) => judgeLink({ ...good, ...facts }).map(({ standing }) => standing)
  expect(judge({})).toEqual(['ok'])
  expect(judge({ plain: true })).toEqual(['warn'])
  expect(judge({ ends: now + day })).toEqual(['warn'])
  expect(judge({ rootsEnd: now + 30 * day })).toEqual(['ok', 'warn'])
  expect(judge({ verdict: { ok: false, fault: 'wrong-host', reason: 'for another host' } })).toEqual(['fail'])
  expect(judge({ verdict: undefined })).toEqual(['skip'])
  expect(judge({ fault: 'it does not answer' })).toEqual(['fail'])
})
