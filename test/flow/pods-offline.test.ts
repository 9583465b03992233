import { drill } from '@kedge/edgecore/cli/drill'
import { expect, test } from 'vitest'
import { conditionOf } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import type { Body } from '../support/kube.ts'
import { configMap, podOn, secret } from '../support/manifests.ts'

const node = 'nodes/edge-1'

test('what runs goes on as it is: over a cut link, a restart of cloudcore, one of edgecore', async () => {
  const fleet = await Fleet.start()
  const { api } = fleet
  const edge = fleet.node('edge-1')
  await api.create(configMap('settings', { a: 'b' }))
  for (const name of ['a', 'b']) await api.create(podOn(name, 'edge-1', { configMap: 'settings' }))
  const running = async () => {
    const pods = await fleet.api.list('pods')
    const containers = pods.flatMap(({ status }) => status?.containerStatuses ?? [])
    return containers.length === 2 && containers.every(({ ready }: Body) => ready) && containers
  }
  const ids = (containers: Body[]) => containers.map(({ containerID, restartCount }) => [containerID, restartCount])
  const before = ids(await eventually(running))
  edge.link.cut()
  await eventually(() => edge.log.some(({ msg }) => msg === 'link down'))
  edge.link.heal()
  await fleet.level()
  await fleet.stopCloud()
  await edge.stop()
  await fleet.startCloud()
  await edge.start()
  await fleet.level()
  // What was changed while it was away is all that changes.
  await fleet.api.create(podOn('c', 'edge-1'))
  await eventually(async () => (await fleet.api.get('pods/default/c')).status?.phase === 'Running')
  const after = await fleet.api.list('pods')
  const kept = after.filter(({ metadata }) => metadata.name !== 'c').flatMap(({ status }) => status.containerStatuses)
  expect(ids(kept)).toEqual(before)
})

test('OfflineReady says what would not come back, and no longer when it is there', async () => {
  const fleet = await Fleet.start()
  const { api } = fleet
  const ready = async () => conditionOf(await api.get(node), 'OfflineReady')
  await eventually(async () => (await ready())?.status === 'True')
  await api.create(podOn('web', 'edge-1', { secret: 'key' }))
  const missing = 'not on this node: Secret default/key, needed by pod default/web'
  await eventually(async () => (await ready())?.message?.includes(missing))
  await api.create(secret('key', { a: 'b' }))
  await eventually(async () => (await ready())?.status === 'True')

  const edge = fleet.node('edge-1')
  let said = ''
  const write = (text: string) => {
    said += text
  }
  const around = { env: {}, write, signal: new AbortController().signal }
  const links = () => edge.log.filter(({ msg }) => msg === 'link up').length
  const before = links()
  expect(await drill(['--yes', '--data', edge.data], around)).toBe(0)
  expect(said).toMatch(/^default\/web +back /m)
  await eventually(() => links() > before)
  await fleet.level()
})

test('a port of the node is given once; who has it keeps it, also over a restart of edgecore', async () => {
  const fleet = await Fleet.start()
  const { api } = fleet
  const edge = fleet.node('edge-1')
  const listening = (name: string) => {
    const pod = podOn(name, 'edge-1')
    const containers = [{ name: 'web', image: 'nginx:1.27', ports: [{ containerPort: 80, hostPort: 8080 }] }]
    return { ...pod, spec: { ...pod.spec, containers } }
  }
  const status = async (name: string) => (await fleet.api.get(`pods/default/${name}`)).status ?? {}
  await api.create(listening('first'))
  await eventually(async () => (await status('first')).phase === 'Running')
  await api.create(listening('second'))
  await eventually(async () => (await status('second')).phase === 'Failed')
  expect(await status('second')).toMatchObject({
    reason: 'NodePorts',
    message: expect.stringContaining('host port 8080/TCP is held by pod default/first'),
  })
  await edge.stop()
  await edge.start()
  await fleet.level()
  await api.create(listening('third'))
  await eventually(async () => (await status('third')).phase === 'Failed')
  expect([(await status('first')).phase, (await status('second')).reason]).toEqual(['Running', 'NodePorts'])
})
