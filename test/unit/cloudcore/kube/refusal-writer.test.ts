import { conditionOf } from '@kedge/cloudcore/kube/conditions'
import type { SyncStanding } from '@kedge/cloudcore/kube/device-conditions'
import { Freshest } from '@kedge/cloudcore/kube/freshest'
import { Limiter } from '@kedge/cloudcore/kube/limiter'
import { RefusalWriter, usableCondition } from '@kedge/cloudcore/kube/refusal-writer'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { configMap, edgeNode, inDefault, kubeRig, podOn } from '../../../support/kube-rig.ts'

const standings = new Map<Key, SyncStanding>()

async function rig() {
  const { kube, catalog, counters } = await kubeRig()
  await kube.create('/api/v1/nodes', edgeNode('edge-1'))
  await kube.create(inDefault('pods'), podOn('edge-1', 'web'))
  await kube.create(inDefault('configmaps'), configMap('config'))
  const writer = new RefusalWriter({
    kube,
    catalog,
    freshest: new Freshest((key) => catalog.get(key as Key)?.object),
    limiter: new Limiter(4),
    counters,
    clock: systemClock,
    log: silentLog,
    random: () => 0,
    standing: (node, key) => (node === 'edge-1' ? standings.get(key) : undefined),
  })
  onTestFinished(() => writer.stop())
  catalog.start()
  await catalog.ready
  await eventually(() => catalog.get('pods/default/web'))
  const usable = async () => conditionOf((await kube.get(`${inDefault('pods')}/web`)).status, usableCondition)
  return { kube, writer, usable, counters }
}

const wanted = { generation: undefined }

test('a pod that its node cannot use says so, and that it is usable again', async () => {
  const { writer, usable, counters } = await rig()
  standings.set('pods/default/web', { state: 'refused', reason: 'spec.containers: missing', wanted })
  writer.synced('edge-1', 'pods/default/web')
  const refused = await eventually(usable)
  expect(refused).toMatchObject({ status: 'False', reason: 'RefusedByNode', message: 'spec.containers: missing' })
  standings.set('pods/default/web', { state: 'held', wanted })
  // As after a restart of cloudcore, when all that the node refuses is heard at once.
  writer.synced('edge-1')
  await eventually(async () => (await usable())?.status === 'True')
  const writes = counters.get('writes')
  writer.synced('edge-1')
  writer.synced('edge-1', 'pods/default/web')
  expect(counters.get('writes')).toBe(writes)
})

test('of a pod that was never refused, nothing is written', async () => {
  const { writer, usable, counters } = await rig()
  standings.set('pods/default/web', { state: 'held', wanted })
  writer.synced('edge-1')
  await writer.stop()
  expect(await usable()).toBeUndefined()
  expect(counters.get('writes')).toBe(0)
})

test('what has no status gets one Event for each reason', async () => {
  const { kube, writer } = await rig()
  standings.set('configmaps/default/config', { state: 'refused', reason: 'too large', wanted })
  const events = async () => (await kube.list(inDefault('events'))).items.filter(({ type }) => type === 'Warning')
  writer.synced('edge-1', 'configmaps/default/config')
  await eventually(async () => (await events()).length === 1)
  writer.synced('edge-1', 'configmaps/default/config')
  standings.set('configmaps/default/config', { state: 'refused', reason: 'larger still', wanted })
  await eventually(async () => {
    writer.synced('edge-1', 'configmaps/default/config')
    return (await events()).length === 2
  })
  expect((await events())[0]).toMatchObject({
    reason: 'RefusedByNode',
    involvedObject: { kind: 'ConfigMap', name: 'config' },
    message: expect.stringContaining('node edge-1 cannot use it: '),
  })
})
