import type { Driver } from '@kedge/edgecore/devices/drivers/driver'
import { expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { lamp, start } from './dmi-rig.ts'

const base = '$hw/events/device/default/lamp'
const actual = (values: Record<string, string>) => ({
  twin: Object.fromEntries(Object.entries(values).map(([name, value]) => [name, { actual: { value } }])),
})

test('a device that was away over edits and a restart gets the newest delta when it subscribes', async () => {
  const dir = tempDir()
  const first = await DeviceNode.start({ dir })
  await first.apply(model(), device('lamp', { desired: { led: 'ON' } }))
  await first.apply(device('lamp', { desired: { led: 'DIM' } }))
  await first.stop()
  const node = await DeviceNode.start({ dir })
  await node.apply(device('lamp', { desired: { led: 'OFF', level: '7' } }))
  const client = await (await node.connect()).subscribe(`${base}/twin/update/delta`)
  expect((await client.message(`${base}/twin/update/delta`)).delta).toEqual({ led: 'OFF', level: '7' })
  await client.publish(`${base}/twin/update`, actual({ led: 'OFF' }))
  expect((await client.message(`${base}/twin/update/delta`, 2)).delta).toEqual({ level: '7' })
  await client.publish(`${base}/twin/update`, actual({ level: '7' }))
  await client.settled()
  expect(client.on(`${base}/twin/update/delta`)).toHaveLength(2)
})

test('a mapper that was away over edits and a restart of edgecore is told the newest', async () => {
  const { node, dir, mapper } = await start()
  await node.apply(model(), lamp({ desired: { led: 'ON' } }), lamp({}, 'gone'))
  const it = await mapper()
  it.crash()
  await node.apply(lamp({ desired: { led: 'DIM' } }))
  await node.drop('devices/default/gone')
  await node.stop()
  const { node: again } = await start({ dir })
  await again.apply(lamp({ desired: { led: 'OFF' } }), lamp({ desired: { led: 'ON' } }, 'new'))
  await it.serve()
  await eventually(() => it.desired('default/lamp', 'led') === 'OFF' && it.desired('default/new', 'led') === 'ON')
  await eventually(() => !it.devices.has('default/gone'))
  await it.report('new', { led: 'ON' })
  expect(again.report('new')?.twins?.led?.reported?.value).toBe('ON')
})

/** A device with values and an open edit, deleted and made again under its name while edgecore is off. */
async function madeAgain(dir: string, make: (uid: string, led?: string) => ReturnType<typeof device>) {
  const first = await DeviceNode.start({ dir, drivers: [] })
  await first.apply(model(), make('one', 'ON'))
  const client = await first.connect()
  await client.publish(`${base}/twin/update`, actual({ led: 'OFF', temperature: '21' }))
  await client.publish(`${base}/twin/update`, { twin: { led: { expected: { value: 'DIM' } } } })
  await client.publish(`${base}/state/update`, { state: 'online' })
  await first.dropOnly('devices/default/lamp')
  await first.commitOnly(make('two', 'ON'))
  await first.stop()
}

test('a device made again while edgecore is off has nothing of the one before, here and upward', async () => {
  const dir = tempDir()
  await madeAgain(dir, (uid, led) => device('lamp', { uid, desired: led === undefined ? {} : { led } }))
  const node = await DeviceNode.start({ dir })
  const client = await (await node.connect()).subscribe('$hw/#')
  await client.publish(`${base}/twin/get`, {})
  const { twin } = await client.message(`${base}/twin/get/result`)
  expect(Object.keys(twin)).toEqual(['led'])
  expect([twin.led.expected.value, twin.led.actual]).toEqual(['ON', undefined])
  await client.publish('$hw/events/node/edge-1/membership/get', {})
  const { devices } = await client.message('$hw/events/node/edge-1/membership/get/result')
  expect(devices).toMatchObject([{ id: 'default/lamp', state: 'unknown', last_online: '' }])
  await client.publish(`${base}/twin/update`, actual({ level: '3' }))
  const ofTwo = node.reports().filter((each) => each.is === 'device' && each.uid === 'two')
  expect(ofTwo).toHaveLength(1)
  expect(node.report('lamp')).toMatchObject({ uid: 'two', twins: { level: { reported: { value: '3' } } } })
  const told = node.report('lamp')
  expect([told?.state, told?.twins?.temperature, told?.twins?.led?.reported]).toEqual([undefined, undefined, undefined])
})

test('a driver starts with nothing of the device before, and the one of that can no longer say anything', async () => {
  const started: { reported: unknown; desired: unknown; say: (level: string) => Promise<void> }[] = []
  const driver: Driver = {
    protocols: ['odd'],
    start: ({ desired, reported }, host) => {
      started.push({ desired: [...desired], reported: [...reported], say: (level) => host.report({ level }) })
      return { desired: () => undefined, stop: async () => undefined }
    },
  }
  const dir = tempDir()
  const make = (uid: string, led?: string) =>
    device('lamp', { uid, protocol: { protocolName: 'odd' }, desired: led === undefined ? {} : { led } })
  await madeAgain(dir, make)
  const node = await DeviceNode.start({ dir, drivers: [driver] })
  expect(started).toMatchObject([{ desired: [['led', 'ON']], reported: [] }])
  await started[0]?.say('1')
  // The same while edgecore runs.
  await node.apply(make('three'))
  await eventually(() => started.length === 2)
  expect(started[1]).toMatchObject({ desired: [], reported: [] })
  await started[0]?.say('2')
  await started[1]?.say('3')
  expect(node.report('lamp')).toMatchObject({ uid: 'three', twins: { level: { reported: { value: '3' } } } })
})
