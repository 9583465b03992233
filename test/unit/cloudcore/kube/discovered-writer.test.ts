import { DiscoveredWriter } from '@kedge/cloudcore/kube/discovered-writer'
import { Freshest } from '@kedge/cloudcore/kube/freshest'
import { Limiter } from '@kedge/cloudcore/kube/limiter'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { Key, KubeObject } from '@kedge/shared/objects'
import { type Announcement, discoveredAnnotation } from '@kedge/shared/proposals'
import { expect, onTestFinished, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { eventually } from '../../../support/eventually.ts'
import { devicesPath, kubeRig, modelsPath } from '../../../support/kube-rig.ts'

const proposals = '/api/v1/namespaces/kedge/configmaps'

const lamp: Announcement = {
  id: 'zigbee2mqtt/0x1',
  name: 'lamp',
  make: 'Acme L1',
  description: 'A lamp',
  protocol: {},
  properties: [
    { name: 'state', type: 'BOOLEAN', writable: true, visitor: { topic: 'zigbee2mqtt/lamp', path: 'state' } },
  ],
  notes: [],
}
const fan: Announcement = { ...lamp, id: 'zigbee2mqtt/0x2', name: 'fan' }

async function rig(is: 'propose' | 'accept' | 'ignore') {
  const { kube, catalog, counters } = await kubeRig()
  const freshest = new Freshest((key) => catalog.get(key as Key)?.object)
  const parts = { kube, freshest, limiter: new Limiter(4), counters, clock: systemClock, log: silentLog }
  const discovered = { is, namespace: 'default' }
  const writer = new DiscoveredWriter({ ...parts, random: () => 0.1, catalog, discovered })
  onTestFinished(() => writer.stop())
  catalog.start()
  await catalog.ready
  const proposed = async (node: string) => {
    const { data } = (await kube.get(`${proposals}/discovered-${node}`)) as KubeObject & {
      data: Record<string, string>
    }
    return parseAllDocuments(data['devices.yaml'] ?? '').map((document) => document.toJS() as KubeObject)
  }
  const names = async (path: string) => (await kube.list(path)).items.map(({ metadata }) => metadata.name)
  return { kube, catalog, writer, proposed, names }
}

test('what is announced at a node is proposed in a ConfigMap, ready to be applied', async () => {
  const { kube, catalog, writer, proposed, names } = await rig('propose')
  expect(await writer.accept('edge-1', [lamp, fan])).toEqual({ is: 'accepted' })
  const [model, ...devices] = await proposed('edge-1')
  expect(devices.map(({ metadata, spec }) => [metadata.name, spec?.nodeName])).toEqual([
    ['edge-1-lamp', 'edge-1'],
    ['edge-1-fan', 'edge-1'],
  ])
  expect(await names(devicesPath)).toEqual([])

  if (model === undefined || devices[0] === undefined) throw new Error('nothing proposed')
  await kube.create(modelsPath, model)
  await kube.create(devicesPath, devices[0])
  await eventually(() => catalog.get('devices/default/edge-1-lamp'))
  await writer.accept('edge-1', [lamp, fan])
  expect((await proposed('edge-1')).map(({ metadata }) => metadata.name)).toEqual([model.metadata.name, 'edge-1-fan'])
  await writer.accept('edge-1', [])
  await expect(proposed('edge-1')).rejects.toThrow()
  await writer.accept('edge-1', [])
})

test('accepted, they are made at once, and a second time changes nothing', async () => {
  const { kube, writer, names } = await rig('accept')
  await writer.accept('edge-1', [lamp, fan])
  await writer.accept('edge-1', [lamp, fan])
  await writer.accept('edge-2', [lamp])
  expect(await names(devicesPath)).toEqual(['edge-1-fan', 'edge-1-lamp', 'edge-2-lamp'])
  expect(await names(modelsPath)).toHaveLength(1)
  const device = await kube.get(`${devicesPath}/edge-1-lamp`)
  expect(device.metadata.annotations?.[discoveredAnnotation]).toBe('zigbee2mqtt/0x1')
})

test('ignored, nothing is written', async () => {
  const { writer, names, kube } = await rig('ignore')
  expect(await writer.accept('edge-1', [lamp])).toEqual({ is: 'accepted' })
  expect(await names(devicesPath)).toEqual([])
  await expect(kube.get('/api/v1/namespaces/kedge')).rejects.toThrow()
})
