import { getCommand } from '@kedge/cloudcore/cli/get'
import { UserError } from '@kedge/shared/errors'
import { expect, test } from 'vitest'
import { conditionOf } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { configMap, podOn, room, roomModel } from '../support/manifests.ts'

test('which version of each object a node holds can be read, and stands on the device', async () => {
  const fleet = await Fleet.start()
  const { api } = fleet
  const get = async (...argv: string[]) => {
    const address = `--metrics-address=127.0.0.1:${fleet.cloud.metricsPort}`
    return getCommand(['sync', address, ...argv], { env: {}, now: Date.now() })
  }
  const objects = async () => JSON.parse(await get('--node', 'edge-1', '-o', 'json'))
  const synced = async () => conditionOf(await api.get('devices/default/kitchen'), 'Synced')
  await eventually(() => api.find('nodes/edge-1'))
  await api.create(configMap('menu', { today: 'soup' }), podOn('cook', 'edge-1', { configMap: 'menu' }))
  await api.create(roomModel(), room('kitchen', 'edge-1', { desired: { target: '21' } }))
  await eventually(
    async () => (await objects()).filter(({ state }: { state: string }) => state === 'held').length === 4,
  )
  expect(await get('--node', 'edge-1')).toMatch(
    /^devices\/default\/kitchen +\d+ \(generation 1\) +\d+ \(generation 1\) +held/m,
  )
  expect(await get()).toMatch(/^edge-1 +level +\d+ +4 +0 +0 +0 +0$/m)
  expect(await fleet.metric('kedge_cloud_objects{state="held"}')).toBe(4)
  expect(await fleet.metric('kedge_cloud_object_held_seconds_count')).toBeGreaterThanOrEqual(4)
  await eventually(async () => (await synced())?.observedGeneration === 1)

  await fleet.node('edge-1').stop()
  await eventually(async () => (await get()).includes('away'))
  await api.patch('devices/default/kitchen', { spec: { properties: [{ name: 'target', desired: { value: '22' } }] } })
  await eventually(async () => {
    const kitchen = (await objects()).find(({ key }: { key: string }) => key === 'devices/default/kitchen')
    return kitchen.state === 'waiting' && kitchen.wanted.generation === 2 && kitchen.held.generation === 1
  })
  await eventually(async () => (await synced()).reason === 'NodeAway')

  await fleet.node('edge-1').start()
  await eventually(async () => {
    const { status, observedGeneration } = await synced()
    return status === 'True' && observedGeneration === 2
  })
})

test('what cannot be read is told with what to do', async () => {
  const ask = (...argv: string[]) => getCommand(argv, { env: { KEDGE_METRICS_ADDRESS: '127.0.0.1:1' }, now: 0 })
  await expect(ask('sync')).rejects.toThrow('no cloudcore answers at 127.0.0.1:1')
  await expect(ask('sink')).rejects.toThrow('cloudcore get sync [--node NAME]')
  await expect(ask('sync', '-o', 'xml')).rejects.toThrow('give table or json')
  await expect(ask('sync', '--nope')).rejects.toThrow(UserError)
  const fleet = await Fleet.start({ nodes: [] })
  const address = `127.0.0.1:${fleet.cloud.metricsPort}`
  await expect(ask('sync', '--node', 'nobody', '--metrics-address', address)).rejects.toThrow('"nobody" is not known')
})
