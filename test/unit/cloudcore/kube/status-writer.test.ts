import { conditionOf } from '@kedge/cloudcore/kube/conditions'
import { twinsIn } from '@kedge/cloudcore/kube/device-status'
import { must } from '@kedge/shared/must'
import type { DeviceReport, EventReport, PodReport } from '@kedge/shared/reports'
import { expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import type { Asked, Fault } from '../../../support/faulty-kube.ts'
import {
  deviceOn,
  devicesPath,
  inDefault,
  modelsPath,
  podOn,
  thermostat,
  type WriterRig,
  writerRig,
} from '../../../support/kube-rig.ts'

const pods = inDefault('pods')
const accepted = { is: 'accepted' }
const isStatusWrite = ({ method, path }: Asked) => method === 'PATCH' && path.endsWith('/status')

async function pod(rig: WriterRig, name = 'web'): Promise<PodReport> {
  const { metadata } = await rig.kube.create(pods, podOn('edge-1', name))
  await eventually(() => rig.catalog.get(`pods/default/${name}`))
  return { is: 'pod', namespace: 'default', name, uid: must(metadata.uid, 'uid'), status: { phase: 'Running' } }
}

async function device(rig: WriterRig, name = 'lamp'): Promise<DeviceReport> {
  const { metadata } = await rig.kube.create(devicesPath, deviceOn('edge-1', name))
  await eventually(() => rig.catalog.get(`devices/default/${name}`))
  return { is: 'device', namespace: 'default', name, uid: must(metadata.uid, 'uid') }
}

const twin = (value: string) => ({ target: { type: 'float', reported: { value, at: 1_700_000_000_000 } } })

const writesTo = (rig: WriterRig, path: string) =>
  rig.server.asked.filter((asked) => isStatusWrite(asked) && asked.path.includes(path))

test("a pod's status is written, once, and the same again is not", async () => {
  const rig = await writerRig()
  const report = await pod(rig)
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }]
  const said = { ...report, status: { phase: 'Running', podIP: '10.0.0.1', conditions } }
  expect(await rig.writer.accept('edge-1', said)).toEqual(accepted)
  expect((await rig.kube.get(`${pods}/web`)).status).toMatchObject({ phase: 'Running', podIP: '10.0.0.1', conditions })
  expect(await rig.writer.accept('edge-1', said)).toEqual(accepted)
  expect(writesTo(rig, 'pods/web')).toHaveLength(1)
})

test('a value that is taken back at once is not taken for the old one', async () => {
  const rig = await writerRig()
  const report = await pod(rig)
  const running = { ...report, status: { phase: 'Running', message: 'a' } }
  await rig.writer.accept('edge-1', running)
  // The catalog hears nothing of the next write until later.
  rig.server.freezeWatches()
  await rig.writer.accept('edge-1', { ...report, status: { phase: 'Running', message: 'b' } })
  await rig.writer.accept('edge-1', running)
  expect((await rig.kube.get(`${pods}/web`)).status).toMatchObject({ message: 'a' })
})

test.each<[string, Fault[]]>([
  ['while the server is down', [{ is: 'answer', code: 503 }, { is: 'reset' }, { is: 'answer', code: 500 }]],
  ['when it asks for patience', [{ is: 'answer', code: 429, headers: { 'retry-after': '0' } }]],
  ['when its answer is lost', [{ is: 'lose-answer' }]],
  [
    'while it does not know us',
    [
      { is: 'answer', code: 401 },
      { is: 'answer', code: 401 },
    ],
  ],
])('a report is tried again %s', async (_, faults) => {
  const rig = await writerRig()
  const report = await pod(rig)
  rig.server.fault = (asked) => (isStatusWrite(asked) ? faults.shift() : undefined)
  expect(await rig.writer.accept('edge-1', report)).toEqual(accepted)
  expect((await rig.kube.get(`${pods}/web`)).status).toMatchObject({ phase: 'Running' })
  expect(faults).toEqual([])
})

test('what someone else wrote meanwhile stays', async () => {
  const rig = await writerRig()
  const report = await pod(rig)
  const gate = { type: 'example.com/gate', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }
  rig.server.freezeWatches()
  await rig.kube.patchStatus(`${pods}/web`, { status: { conditions: [gate] } })
  const conditions = [{ type: 'Ready', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }]
  await rig.writer.accept('edge-1', { ...report, status: { phase: 'Running', conditions } })
  expect((await rig.kube.get(`${pods}/web`)).status?.conditions).toEqual([gate, ...conditions])
  expect(rig.counters.get('conflicts')).toBeGreaterThan(0)
})

test('a status that Kubernetes refuses is refused with its reason, and the next is heard', async () => {
  const rig = await writerRig()
  const report = await pod(rig)
  const answer = await rig.writer.accept('edge-1', { ...report, status: { phase: 7 } })
  expect(answer).toMatchObject({ is: 'refused', reason: expect.stringContaining('phase') })
  expect(await rig.writer.accept('edge-1', report)).toEqual(accepted)
})

test('a node is not heard on what is not its own', async () => {
  const rig = await writerRig()
  const ofPod = await pod(rig)
  const ofDevice = await device(rig)
  expect(await rig.writer.accept('edge-2', ofPod)).toMatchObject({
    is: 'refused',
    reason: expect.stringContaining('edge-1'),
  })
  expect(await rig.writer.accept('edge-2', ofDevice)).toMatchObject({ is: 'refused' })
  expect(await rig.writer.accept('edge-1', { ...ofPod, name: '../../secrets' })).toMatchObject({ is: 'refused' })
  expect(writesTo(rig, 'pods')).toEqual([])
})

test('what is gone, or has been made anew, is accepted and changes nothing', async () => {
  const rig = await writerRig()
  const report = await pod(rig)
  expect(await rig.writer.accept('edge-1', { ...report, uid: 'an-older-one' })).toEqual(accepted)
  expect(await rig.writer.accept('edge-1', { ...report, name: 'never-was' })).toEqual(accepted)
  // Gone at the server, though the catalog has not heard.
  rig.server.freezeWatches()
  await rig.kube.delete(`${pods}/web`, { gracePeriodSeconds: 0 })
  expect(await rig.writer.accept('edge-1', report)).toEqual(accepted)
  expect(rig.counters.get('obsolete')).toBe(3)
})

test('a pod that has stopped as asked goes, with its last status', async () => {
  const rig = await writerRig()
  const report = await pod(rig)
  const stopped = { ...report, stopped: true, status: { phase: 'Succeeded' } }
  expect(await rig.writer.accept('edge-1', { ...report, stopped: true })).toMatchObject({ is: 'refused' })
  await rig.kube.delete(`${pods}/web`)
  expect(await rig.writer.accept('edge-1', stopped)).toEqual(accepted)
  await expect(rig.kube.get(`${pods}/web`)).rejects.toMatchObject({ code: 404 })
  const last = rig.server.asked.findLast(({ method }) => method === 'DELETE')
  expect(JSON.parse(last?.body ?? '')).toMatchObject({ gracePeriodSeconds: 0, preconditions: { uid: report.uid } })
  expect(await rig.writer.accept('edge-1', stopped)).toEqual(accepted)
})

test("a pod of the same name made anew is not deleted by the old one's end", async () => {
  const rig = await writerRig()
  const report = await pod(rig)
  await rig.kube.delete(`${pods}/web`)
  rig.server.freezeWatches()
  await rig.kube.delete(`${pods}/web`, { gracePeriodSeconds: 0 })
  const { metadata } = await rig.kube.create(pods, podOn('edge-1', 'web'))
  expect(await rig.writer.accept('edge-1', { ...report, stopped: true })).toEqual(accepted)
  expect((await rig.kube.get(`${pods}/web`)).metadata.uid).toBe(metadata.uid)
})

test("twins are written to the device's status, the first property's first value included", async () => {
  const rig = await writerRig()
  const report = await device(rig)
  await rig.writer.accept('edge-1', { ...report, twins: twin('21'), state: 'online' })
  const { status } = await rig.kube.get(`${devicesPath}/lamp`)
  expect(status).toMatchObject({ state: 'online' })
  expect(twinsIn(status)).toEqual([
    { propertyName: 'target', reported: { value: '21', metadata: { timestamp: '1700000000000', type: 'float' } } },
  ])
  await rig.writer.accept('edge-1', { ...report, twins: { target: null } })
  expect(twinsIn((await rig.kube.get(`${devicesPath}/lamp`)).status)).toEqual([])
})

test('many reports on one device make few writes, and the last value arrives', async () => {
  const rig = await writerRig({ statusInterval: 400 })
  const report = await device(rig)
  await eventually(() => writesTo(rig, 'lamp').length === 1)
  const answers = await Promise.all(
    Array.from({ length: 200 }, (_, i) => rig.writer.accept('edge-1', { ...report, twins: twin(String(i)) })),
  )
  expect(answers).toEqual(answers.map(() => accepted))
  expect(twinsIn((await rig.kube.get(`${devicesPath}/lamp`)).status)[0]?.reported?.value).toBe('199')
  expect(rig.writer.live('devices/default/lamp')?.twins.get('target')?.reported?.value).toBe('199')
  expect(writesTo(rig, 'lamp').length).toBeLessThanOrEqual(3)
})

test('an equal value is accepted without a write', async () => {
  const rig = await writerRig({ statusInterval: 3_600_000 })
  const report = await device(rig)
  const path = `${devicesPath}/lamp`
  await eventually(async () => conditionOf((await rig.kube.get(path)).status, 'Ready'))
  const { metadata } = await rig.kube.patchStatus(path, {
    status: {
      twins: [{ propertyName: 'target', reported: { value: '21', metadata: { timestamp: '1', type: 'float' } } }],
    },
  })
  await eventually(
    () => rig.catalog.get('devices/default/lamp')?.object.metadata.resourceVersion === metadata.resourceVersion,
  )
  const writes = writesTo(rig, 'lamp').length
  expect(await rig.writer.accept('edge-1', { ...report, twins: twin('21') })).toEqual(accepted)
  expect(writesTo(rig, 'lamp')).toHaveLength(writes)
})

test('a report that is refused does not spoil the next', async () => {
  const rig = await writerRig()
  const report = await device(rig)
  const isBad = (asked: Asked) => isStatusWrite(asked) && asked.body.includes('"bad"')
  rig.server.fault = (asked) =>
    isBad(asked)
      ? { is: 'answer', code: 422, body: { kind: 'Status', code: 422, message: 'no such state' } }
      : undefined
  expect(await rig.writer.accept('edge-1', { ...report, state: 'bad' })).toMatchObject({
    is: 'refused',
    reason: expect.stringContaining('no such state'),
  })
  expect(await rig.writer.accept('edge-1', { ...report, state: 'online' })).toEqual(accepted)
})

test('a device says what it lacks, and stops saying it', async () => {
  const rig = await writerRig()
  const ready = async (name: string) => conditionOf((await rig.kube.get(`${devicesPath}/${name}`)).status, 'Ready')
  rig.presence.connected('edge-1')
  await rig.kube.create(devicesPath, deviceOn('edge-1', 'lamp', [{ name: 'target', desired: { value: '99' } }]))
  await rig.kube.create(devicesPath, deviceOn('nowhere', 'lost'))
  await eventually(async () => (await ready('lamp'))?.reason === 'ModelNotFound')
  expect((await eventually(() => ready('lost')))?.message).toContain('nowhere')
  await rig.kube.create(modelsPath, thermostat())
  await eventually(async () => (await ready('lamp'))?.reason === 'DesiredInvalid')
  await eventually(async () => (await ready('lost'))?.reason === 'NodeNotFound')
  await rig.kube.patch(`${devicesPath}/lamp`, { spec: { properties: [{ name: 'target', desired: { value: '21' } }] } })
  await eventually(async () => (await ready('lamp'))?.reason === 'Synced')
  const { metadata } = await rig.kube.get(`${devicesPath}/lamp`)
  await eventually(async () => (await ready('lamp'))?.observedGeneration === metadata.generation)
  rig.presence.disconnected('edge-1')
  await eventually(async () => (await ready('lamp'))?.reason === 'NodeDisconnected')
})

const event: EventReport = {
  is: 'event',
  id: 'id-0123456789',
  regarding: { apiVersion: 'v1', kind: 'Pod', namespace: 'default', name: 'web' },
  type: 'Warning',
  reason: 'BackOff',
  message: 'back-off restarting',
  at: 1_700_000_000_000,
  by: 'pods',
}

test('an event is written once, however often it is said, and also when its pod has gone', async () => {
  const rig = await writerRig()
  const { uid } = await pod(rig)
  await rig.kube.delete(`${pods}/web`, { gracePeriodSeconds: 0 })
  await eventually(() => rig.catalog.get('pods/default/web') === undefined)
  let faults = 1
  rig.server.fault = ({ method, path }) =>
    method === 'POST' && path.endsWith('/events') && faults-- > 0 ? { is: 'lose-answer' } : undefined
  const ofWeb = { ...event, regarding: { ...event.regarding, uid } }
  expect(await rig.writer.accept('edge-1', ofWeb)).toEqual(accepted)
  expect(await rig.writer.accept('edge-1', ofWeb)).toEqual(accepted)
  const { items } = await rig.kube.list(inDefault('events'))
  expect(items).toEqual([
    expect.objectContaining({
      reason: 'BackOff',
      source: { component: 'kedge-pods', host: 'edge-1' },
      firstTimestamp: '2023-11-14T22:13:20Z',
      involvedObject: expect.objectContaining({ kind: 'Pod', name: 'web', uid }),
    }),
  ])
})

test.each([
  ['a pod that nobody knows', { kind: 'Pod', namespace: 'kube-system', name: 'etcd', uid: 'u' }],
  ["another node's pod that is gone", { kind: 'Pod', namespace: 'default', name: 'web' }],
  ['a device that nobody knows', { kind: 'Device', namespace: 'kube-system', name: 'lamp' }],
  ['the node, in a namespace', { kind: 'Node', namespace: 'kube-system', name: 'edge-2', uid: 'of-another' }],
])('an event about %s is told of the node that says it, and written nowhere else', async (_, about) => {
  const rig = await writerRig()
  const { uid } = await pod(rig)
  await rig.kube.delete(`${pods}/web`, { gracePeriodSeconds: 0 })
  await eventually(() => rig.catalog.get('pods/default/web') === undefined)
  const regarding = { apiVersion: 'example.com/v1', uid, ...about }
  expect(await rig.writer.accept('edge-2', { ...event, regarding })).toEqual(accepted)
  const { items } = await rig.kube.list('/api/v1/events')
  expect(items).toMatchObject([{ metadata: { namespace: 'default' } }])
  expect(items[0]).toMatchObject({ involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'edge-2', uid: 'edge-2' } })
})

test.each(['cloudcore', 'UPPER', 'a b', ''])('an event that says it comes from "%s" is refused', async (by) => {
  const rig = await writerRig()
  const regarding = { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }
  expect(await rig.writer.accept('edge-1', { ...event, regarding, by })).toMatchObject({ is: 'refused' })
})

test("a node's claim to a pod by another's uid changes nothing", async () => {
  const rig = await writerRig()
  const theirs = await pod(rig)
  const { metadata } = await rig.kube.create(pods, podOn('edge-2', 'mine'))
  await eventually(() => rig.catalog.get('pods/default/mine'))
  const claim = { ...theirs, name: 'mine', stopped: true, status: { phase: 'Failed' } }
  expect(await rig.writer.accept('edge-2', claim)).toEqual(accepted)
  expect((await rig.kube.get(`${pods}/web`)).status?.phase).not.toBe('Failed')
  expect((await rig.kube.get(`${pods}/mine`)).metadata.uid).toBe(metadata.uid)
  expect(writesTo(rig, 'pods')).toEqual([])
})

test.each([
  ["another node's pod", { kind: 'Pod', namespace: 'default', name: 'web' }],
  ['a pod that is bound to no edge node', { kind: 'Pod', namespace: 'default', name: 'unbound' }],
  ['another node', { kind: 'Node', name: 'edge-1' }],
  ['a secret', { kind: 'Secret', namespace: 'default', name: 'web' }],
])('an event about %s is refused', async (_, regarding) => {
  const rig = await writerRig()
  await pod(rig)
  await rig.kube.create(pods, podOn(undefined, 'unbound'))
  const answer = await rig.writer.accept('edge-2', { ...event, regarding: { apiVersion: 'v1', ...regarding } })
  expect(answer).toMatchObject({ is: 'refused' })
  expect((await rig.kube.list(inDefault('events'))).items).toEqual([])
})

test('an event with a time that no calendar has is written all the same', async () => {
  const rig = await writerRig()
  const regarding = { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }
  expect(await rig.writer.accept('edge-1', { ...event, regarding, at: 1e300 })).toEqual(accepted)
})

test('stopping turns away what is still being tried', async () => {
  const rig = await writerRig()
  const report = await pod(rig)
  rig.server.fault = (asked) => (isStatusWrite(asked) ? { is: 'answer', code: 503 } : undefined)
  const answer = rig.writer.accept('edge-1', report)
  const rejected = expect(answer).rejects.toThrow('stopping')
  await eventually(() => writesTo(rig, 'pods/web').length > 0)
  await rig.writer.stop()
  await rejected
  await expect(rig.writer.accept('edge-1', report)).rejects.toThrow('stopping')
})

test('reports that an edge had to drop become an Event of its Node, the same gap once', async () => {
  const rig = await writerRig()
  const gap = {
    is: 'gap',
    id: 'gap-0001',
    lane: 'events',
    why: 'bytes',
    count: 12,
    bytes: 4096,
    from: 1e12,
    to: 2e12,
  } as const
  expect(await rig.writer.accept('edge-1', gap)).toEqual(accepted)
  const events = await rig.kube.list(inDefault('events'))
  expect(events.items).toMatchObject([
    { reason: 'ReportsDropped', type: 'Warning', count: 12, involvedObject: { kind: 'Node', name: 'edge-1' } },
  ])
  expect((events.items[0] as { message?: string }).message).toContain('12 reports of lane events (4 KiB)')
})

test('the first values of a device do not wait for what cloudcore itself has said of it', async () => {
  const rig = await writerRig({ statusInterval: 600_000 })
  // Its model is missing, which is said at once.
  const report = await device(rig)
  await eventually(async () => conditionOf((await rig.kube.get(`${devicesPath}/lamp`)).status, 'Ready') !== undefined)
  expect(await rig.writer.accept('edge-1', { ...report, twins: twin('20') })).toEqual(accepted)
  const { status } = await rig.kube.get(`${devicesPath}/lamp`)
  expect(twinsIn(status).map(({ reported }) => reported?.value)).toEqual(['20'])
})
