import { judgeCertificate, judgeKernel, judgeLink, judgeRun, judgeRuntime } from '@kedge/edgecore/doctor/judge'
import { expect, test } from 'vitest'

const day = 86_400_000
const now = Date.UTC(2026, 10, 22)
const term = { from: now - 30 * day, to: now + 60 * day, serial: '01' }
const identity = { node: 'edge-1', term, path: '/data/identity.pem', mode: 0o600 }
const certificate = { identity, faults: [], refusal: undefined, cloud: 'mqtts://cloud:8883', now }
const standings = (verdicts: readonly { standing: string }[]) => verdicts.map(({ standing }) => standing)

test.each([
  ['good', {}, ['ok']],
  ['readable by others', { identity: { ...identity, mode: 0o644 } }, ['ok', 'fail']],
  ['expired', { now: now + 61 * day }, ['fail']],
  ['late to be renewed', { now: now + 55 * day }, ['warn']],
  ['not valid yet', { now: now - 40 * day }, ['warn']],
  ['refused', { refusal: { code: 'node-revoked', reason: 'revoked', at: now } }, ['fail']],
  ['beside one that is broken', { faults: ['identity.pem.1: cut off'] }, ['ok', 'warn']],
  ['not there', { identity: undefined }, ['fail']],
  ['not there, and no cloud either', { identity: undefined, cloud: undefined }, ['warn']],
  ['not there, with a plain link', { identity: undefined, cloud: 'mqtt://cloud:1884' }, ['warn']],
  ['broken', { identity: undefined, faults: ['identity.pem: cut off'] }, ['fail']],
])('a certificate that is %s', (_, facts, expected) => {
  expect(standings(judgeCertificate({ ...certificate, ...facts }))).toEqual(expected)
})

test('the link', () => {
  const url = 'mqtts://cloud:8883'
  const up = { url, up: true, inSync: true }
  const down = { url, up: false, inSync: false }
  const judge = (standing: typeof up | undefined, probe?: Parameters<typeof judgeLink>[0]['probe']) =>
    judgeLink({ url, standing, probe })
  expect(judgeLink({ url: undefined, standing: undefined, probe: undefined }).standing).toBe('skip')
  expect(judge(up).standing).toBe('ok')
  expect(judge({ ...up, inSync: false }).standing).toBe('warn')
  expect(judge(undefined).standing).toBe('skip')
  expect(judge(undefined, { is: 'reached', ms: 4, verified: true }).standing).toBe('ok')
  expect(judge(down, { is: 'reached', ms: 4, verified: true }).standing).toBe('warn')
  expect(judge(down, { is: 'unresolved', reason: 'ENOTFOUND' })).toMatchObject({
    ...{ standing: 'fail', found: 'the link is down: nobody knows cloud: ENOTFOUND' },
  })
  expect(judge(undefined, { is: 'unreached', reason: 'ECONNREFUSED' }).standing).toBe('fail')
  const refused = judge(down, { is: 'refused', fault: 'wrong-host', reason: 'it is for another host' })
  expect(refused.todo).toContain('--link-names')
})

test('the container engine', () => {
  const engine = { runtime: 'auto', endpoint: '/run/containerd/containerd.sock', name: 'containerd', version: 'v1.7' }
  const good = { ok: true } as const
  const bad = { ok: false, reason: 'NetworkPluginNotReady', message: 'cni plugin not initialized' } as const
  expect(standings(judgeRuntime({ runtime: 'simulated', endpoint: undefined }))).toEqual(['ok'])
  expect(standings(judgeRuntime({ ...engine, health: { runtime: good, network: good } }))).toEqual(['ok'])
  expect(standings(judgeRuntime({ ...engine, health: { runtime: good, network: bad } }))).toEqual(['ok', 'warn'])
  expect(standings(judgeRuntime({ ...engine, health: { runtime: bad, network: bad } }))).toEqual(['fail'])
  expect(standings(judgeRuntime({ ...engine, fault: 'connect EACCES' }))).toEqual(['skip'])
  expect(standings(judgeRuntime({ ...engine, fault: 'there is no container engine' }))).toEqual(['fail'])
})

test('the kernel: a Raspberry Pi has no memory cgroup until it is asked for', () => {
  const good = { controllers: ['cpuset', 'cpu', 'io', 'memory', 'pids'], forwards: true, overlay: true }
  expect(standings(judgeKernel(good))).toEqual(['ok'])
  const [pi] = judgeKernel({ ...good, controllers: ['cpuset', 'cpu', 'io', 'pids'] })
  expect(pi).toMatchObject({ standing: 'fail', todo: expect.stringContaining('cgroup_enable=memory') })
  expect(standings(judgeKernel({ controllers: ['memory', 'cpu'], forwards: false, overlay: false }))).toEqual([
    ...['warn', 'warn', 'warn'],
  ])
})

test('an edgecore that runs, is silent, is another, or has something to say', () => {
  const standing = { version: '1.0.0', node: 'edge-1', conditions: [] }
  const judge = (facts: object) =>
    judgeRun({ pid: 7, standing, silence: undefined, version: '1.0.0', ...facts }).map((one) => one.standing)
  const condition = (type: string, status: 'True' | 'False') => ({ type, status, reason: 'R', message: 'm' })
  expect(judge({})).toEqual(['ok'])
  expect(judge({ pid: undefined })).toEqual(['warn'])
  expect(judge({ version: '1.1.0' })).toEqual(['warn'])
  expect(judge({ standing: undefined, silence: 'no answer' })).toEqual(['fail'])
  expect(judge({ standing: undefined, silence: 'the socket is not yours' })).toEqual(['skip'])
  const conditions = [condition('StorageHealthy', 'False'), condition('ClockSynced', 'True')]
  expect(judge({ standing: { ...standing, conditions } })).toEqual(['ok', 'warn'])
})
