import { describe, expect, test } from 'vitest'
import { device } from '../../support/device-node.ts'
import { base, lamp, time, uuid } from './lamp.ts'

const unreadable = 'Unmarshal update request body failed, please check the request'

describe('membership', () => {
  const node1 = '$hw/events/node/edge-1'

  test('get lists the devices, without twins', async () => {
    const { node, client } = await lamp({ led: 'ON' })
    await node.apply(device('fan', { namespace: 'dev', labels: { description: 'a fan' }, model: null }))
    await client.publish(`${base}/state/update`, { state: 'online' })
    await client.publish(`${node1}/membership/get`, { event_id: 'm' })
    expect(await client.message(`${node1}/membership/get/result`)).toEqual({
      event_id: 'm',
      timestamp: time,
      devices: [
        {
          id: 'default/lamp',
          name: 'lamp',
          description: '',
          state: 'online',
          last_online: expect.any(String),
          attributes: {},
        },
        { id: 'dev/fan', name: 'fan', description: 'a fan', state: 'unknown', last_online: '', attributes: {} },
      ],
    })
  })

  test('a virtual device is called virtual', async () => {
    const { node, client } = await lamp()
    await node.apply(device('toy', { protocol: { protocolName: 'virtual' } }))
    const { added_devices } = await client.message(`${node1}/membership/updated`)
    expect(added_devices).toEqual([{ id: 'default/toy', name: 'toy', description: 'virtual device' }])
  })

  test('get answers what it cannot do', async () => {
    const { client } = await lamp()
    await client.publish(`${node1}/membership/get`, '{')
    expect(await client.message(`${node1}/membership/get/result`)).toEqual({
      event_id: '',
      timestamp: time,
      code: 400,
      reason: unreadable,
    })
    await client.publish('$hw/events/node/other/membership/get', {})
    expect(await client.message('$hw/events/node/other/membership/get/result')).toMatchObject({ code: 404 })
  })

  test('updated tells of devices that come and go', async () => {
    const { node, client } = await lamp()
    await node.apply(device('fan', { labels: { description: 'a fan' } }))
    expect(await client.message(`${node1}/membership/updated`)).toEqual({
      event_id: uuid,
      timestamp: time,
      added_devices: [{ id: 'default/fan', name: 'fan', description: 'a fan' }],
      removed_devices: null,
    })
    await node.drop('devices/default/fan')
    expect(await client.message(`${node1}/membership/updated`, 2)).toMatchObject({
      added_devices: null,
      removed_devices: [{ id: 'default/fan', name: 'fan' }],
    })
  })

  test('labels are the attributes of a device, and who listens hears of changes', async () => {
    const { node, client } = await lamp()
    await node.apply(device('fan', { labels: { description: 'a fan', floor: '1', maker: 'x' } }))
    await client.publish(`${node1}/membership/get`, {})
    const { devices } = await client.message(`${node1}/membership/get/result`)
    expect(devices[0].attributes).toEqual({
      floor: { value: '1', optional: true, metadata: { type: 'string' } },
      maker: { value: 'x', optional: true, metadata: { type: 'string' } },
    })
    await node.apply(device('fan', { labels: { description: 'a big fan', floor: '2' } }))
    expect(await client.message('$hw/events/device/default/fan/updated')).toEqual({
      event_id: uuid,
      timestamp: time,
      attributes: { floor: { value: '2', optional: true, metadata: { type: 'string' } }, maker: null },
    })
    await node.apply(device('fan', { labels: { description: 'again', floor: '2' } }))
    await node.apply(device('fan', { labels: { floor: '3' } }))
    expect((await client.message('$hw/events/device/default/fan/updated', 2)).attributes.floor.value).toBe('3')
  })

  test('a device made again under its name begins with an empty twin', async () => {
    const { node, client } = await lamp()
    await client.publish(`${base}/twin/update`, { twin: { led: { actual: { value: 'ON' } } } })
    await node.apply(device('lamp', { uid: 'second' }))
    const { added_devices, removed_devices } = await client.message(`${node1}/membership/updated`)
    expect([added_devices[0].id, removed_devices[0].id]).toEqual(['default/lamp', 'default/lamp'])
    await client.publish(`${base}/twin/get`, {})
    expect((await client.message(`${base}/twin/get/result`)).twin).toEqual({})
  })
})
