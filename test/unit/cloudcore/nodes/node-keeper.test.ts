import { conditionOf } from '@kedge/cloudcore/kube/conditions'
import type { NodeReport } from '@kedge/shared/reports'
import { expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { type WriterRig, writerRig } from '../../../support/kube-rig.ts'

const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
const nodePath = (name: string) => `/api/v1/nodes/${name}`

const report: NodeReport = {
  is: 'node',
  labels: { site: 'roof' },
  status: {
    capacity: { cpu: '4', memory: '1Gi' },
    nodeInfo: { operatingSystem: 'linux', architecture: 'arm64', kubeletVersion: 'v1.32.0-kedge-0.1.0' },
    conditions: [{ type: 'Ready', status: 'True', reason: 'EdgeReady', message: 'all well' }],
  },
}

const condition = async ({ kube }: WriterRig, name: string, type: string) =>
  conditionOf((await kube.get(nodePath(name))).status, type)
const taints = async ({ kube }: WriterRig, name: string) => (await kube.get(nodePath(name))).spec?.taints
const renewed = async ({ kube }: WriterRig, name: string) =>
  (await kube.get(`${leases}/${name}`)).spec?.renewTime as string | undefined

test('a node is registered by its first report, with its status, and gets a lease', async () => {
  const rig = await writerRig()
  rig.nodes.connected('edge-9')
  expect(await rig.writer.accept('edge-9', report)).toEqual({ is: 'accepted' })
  const node = await rig.kube.get(nodePath('edge-9'))
  expect(node.metadata.labels).toMatchObject({
    'kubernetes.io/hostname': 'edge-9',
    'kubernetes.io/arch': 'arm64',
    'node-role.kubernetes.io/edge': '',
    'node-role.kubernetes.io/agent': '',
    site: 'roof',
  })
  expect(node.status).toMatchObject({ capacity: { cpu: '4' }, nodeInfo: { kubeletVersion: 'v1.32.0-kedge-0.1.0' } })
  expect(conditionOf(node.status, 'Ready')).toMatchObject({ status: 'True', reason: 'EdgeReady' })
  expect(conditionOf(node.status, 'Connected')).toMatchObject({ status: 'True' })
  const first = await eventually(() => renewed(rig, 'edge-9').catch(() => undefined))
  await eventually(async () => (await renewed(rig, 'edge-9')) !== first)
  const lease = await rig.kube.get(`${leases}/edge-9`)
  expect(lease.spec).toMatchObject({ holderIdentity: 'edge-9', leaseDurationSeconds: 40 })
  expect(lease.metadata.ownerReferences).toEqual([expect.objectContaining({ kind: 'Node', uid: node.metadata.uid })])
})

test('the same report again writes nothing', async () => {
  const rig = await writerRig()
  rig.nodes.connected('edge-9')
  await rig.writer.accept('edge-9', report)
  const writes = rig.counters.get('writes')
  await rig.writer.accept('edge-9', report)
  expect(rig.counters.get('writes')).toBe(writes)
})

test('labels that people set stay, over every report', async () => {
  const rig = await writerRig()
  rig.nodes.connected('edge-9')
  await rig.writer.accept('edge-9', report)
  await rig.kube.patch(nodePath('edge-9'), { metadata: { labels: { site: 'cellar', owner: 'me' } } })
  await rig.writer.accept('edge-9', { ...report, labels: { site: 'attic', floor: '3' } })
  const { labels } = (await rig.kube.get(nodePath('edge-9'))).metadata
  expect(labels).toMatchObject({ site: 'cellar', owner: 'me', floor: '3' })
})

test('a Node that someone made beforehand is taken over, one that a kubelet keeps is not', async () => {
  const rig = await writerRig()
  await rig.kube.create('/api/v1/nodes', {
    metadata: { name: 'empty' },
    spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] },
  })
  await rig.kube.create('/api/v1/nodes', { metadata: { name: 'server' } })
  await rig.kube.patchStatus(nodePath('server'), { status: { nodeInfo: { kubeletVersion: 'v1.32.0' } } })
  rig.nodes.connected('empty')
  expect(await rig.writer.accept('empty', report)).toEqual({ is: 'accepted' })
  expect(await taints(rig, 'empty')).toEqual([{ key: 'a', effect: 'NoSchedule' }])
  expect((await rig.kube.get(nodePath('empty'))).metadata.labels).toHaveProperty(['node-role.kubernetes.io/edge'])
  expect(await rig.writer.accept('server', report)).toMatchObject({
    is: 'refused',
    reason: expect.stringContaining('not an edge node'),
  })
})

test('a node out of reach keeps its lease for its autonomy, tainted and with the truth', async () => {
  const rig = await writerRig()
  await rig.kube.patch(nodePath('edge-1'), { spec: { taints: [{ key: 'mine', effect: 'NoExecute' }] } })
  rig.nodes.connected('edge-1')
  await eventually(async () => (await condition(rig, 'edge-1', 'Connected'))?.status === 'True')
  rig.nodes.disconnected('edge-1')
  await eventually(async () => (await condition(rig, 'edge-1', 'Connected'))?.status === 'False')
  expect(await taints(rig, 'edge-1')).toEqual([
    { key: 'mine', effect: 'NoExecute' },
    { key: 'kedge.io/disconnected', effect: 'NoSchedule' },
  ])
  const before = await renewed(rig, 'edge-1')
  await eventually(async () => (await renewed(rig, 'edge-1')) !== before)

  await rig.kube.patch(nodePath('edge-1'), { metadata: { annotations: { 'kedge.io/autonomy': '1ms' } } })
  await eventually(async () => (await condition(rig, 'edge-1', 'Connected'))?.message?.includes('autonomy 1ms'))
  const last = await renewed(rig, 'edge-1')
  // Another node's lease goes on meanwhile, three renewals long.
  for (let i = 0; i < 3; i++) {
    const other = await renewed(rig, 'edge-2')
    await eventually(async () => (await renewed(rig, 'edge-2')) !== other)
  }
  expect(await renewed(rig, 'edge-1')).toBe(last)

  rig.nodes.connected('edge-1')
  await eventually(async () => (await condition(rig, 'edge-1', 'Connected'))?.status === 'True')
  expect(await taints(rig, 'edge-1')).toEqual([{ key: 'mine', effect: 'NoExecute' }])
  await eventually(async () => (await renewed(rig, 'edge-1')) !== last)
})

test('a node that lost its Ready while it was away has it back', async () => {
  const rig = await writerRig()
  rig.nodes.connected('edge-9')
  await rig.writer.accept('edge-9', report)
  rig.nodes.disconnected('edge-9')
  await rig.kube.patchStatus(nodePath('edge-9'), {
    status: { conditions: [{ type: 'Ready', status: 'Unknown', reason: 'NodeStatusUnknown', message: 'gone' }] },
  })
  rig.nodes.connected('edge-9')
  await eventually(async () => (await condition(rig, 'edge-9', 'Ready'))?.reason === 'EdgeReady')
})

test('it has it back also when cloudcore has forgotten what it said', async () => {
  const rig = await writerRig()
  await rig.kube.patchStatus(nodePath('edge-1'), { status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } })
  rig.nodes.connected('edge-1')
  await eventually(async () => (await condition(rig, 'edge-1', 'Ready'))?.status === 'True')
})

test('a Node that is deleted while its edge has a link is registered again', async () => {
  const rig = await writerRig()
  rig.nodes.connected('edge-9')
  await rig.writer.accept('edge-9', report)
  const { uid } = (await rig.kube.get(nodePath('edge-9'))).metadata
  await rig.kube.delete(nodePath('edge-9'))
  const again = await eventually(async () => {
    const node = await rig.kube.get(nodePath('edge-9')).catch(() => undefined)
    return node?.metadata.uid !== uid && node?.status?.capacity ? node : undefined
  })
  expect(again.status).toMatchObject({ capacity: { cpu: '4' } })
})

test('one that is deleted while its edge is away comes back with the link, by what cloudcore remembers or asks for', async () => {
  const rig = await writerRig()
  await rig.kube.delete(nodePath('edge-1'))
  await eventually(() => rig.catalog.node('edge-1') === undefined)
  rig.nodes.connected('edge-1')
  await eventually(() => rig.asked.includes('edge-1'))
  expect(await rig.writer.accept('edge-1', report)).toEqual({ is: 'accepted' })
  expect((await rig.kube.get(nodePath('edge-1'))).status).toMatchObject({ capacity: { cpu: '4' } })
})
