import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { type MapperOptions, TestMapper } from './dmi-mapper.ts'

const custom = { protocolName: 'custom' }
const lamp = (options: Parameters<typeof device>[1] = {}, name = 'lamp') =>
  device(name, { protocol: custom, ...options })

async function start(options: Parameters<typeof DeviceNode.start>[0] = {}) {
  const dir = options.dir ?? tempDir()
  const socket = join(dir, 'dmi.sock')
  const mapperPatience = { call: 1000, absent: 100 }
  const node = await DeviceNode.start({ ...options, dir, dmi: { socket, data: dir }, mapperPatience })
  const mapper = async (more: Partial<MapperOptions> = {}) => {
    const started = await TestMapper.start({ dir, edgecore: socket, ...more })
    onTestFinished(() => started.stop())
    return started
  }
  return { node, dir, socket, mapper }
}

test('a mapper registers, gets its devices and models, and is told of every change', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp({ desired: { led: 'ON' } }), device('other', { protocol: { protocolName: 'else' } }))
  const it = await mapper()
  expect([...it.devices.keys()]).toEqual(['default/lamp'])
  expect([...it.models.keys()]).toEqual(['default/room'])
  expect(it.desired('default/lamp', 'led')).toBe('ON')

  await node.apply(lamp({ desired: { led: 'OFF' } }))
  await eventually(() => it.desired('default/lamp', 'led') === 'OFF')
  await node.apply(lamp({}, 'second'))
  await eventually(() => it.devices.has('default/second'))
  await node.drop('devices/default/lamp')
  await eventually(() => !it.devices.has('default/lamp'))
  await node.apply(model('room', { properties: [{ name: 'led', type: 'STRING', unit: 'none' }] }))
  await eventually(() => it.models.get('default/room')?.spec.properties[0].unit === 'none')
  await node.drop('devices/default/second')
  await eventually(() => it.models.size === 0)
  expect(it.methods).toEqual([
    'UpdateDevice',
    'RegisterDevice',
    'RemoveDevice',
    'UpdateDeviceModel',
    'UpdateDevice',
    'RemoveDevice',
    'RemoveDeviceModel',
  ])
})
