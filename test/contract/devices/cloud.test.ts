import { expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { tempDir } from '../../support/temp-dir.ts'

const base = '$hw/events/device/default/lamp'

async function start(dir = tempDir()) {
  const node = await DeviceNode.start({ dir })
  await node.apply(model(), device('lamp'))
  const client = await (await node.connect()).subscribe(
    `${base}/twin/update/+`,
    '$hw/events/device/lamp/twin/update/delta',
  )
  return { node, client }
}

test('an edit of desired reaches the device as expected and delta, on both forms, and goes back as observed', async () => {
  const { node, client } = await start()
  await node.apply(device('lamp', { desired: { led: 'ON' } }))
  const delta = await client.message(`${base}/twin/update/delta`)
  expect(delta.delta).toEqual({ led: 'ON' })
  expect(delta.twin.led.expected.value).toBe('ON')
  expect(await client.message('$hw/events/device/lamp/twin/update/delta')).toEqual(delta)
  expect((await client.message(`${base}/twin/update/document`)).twin.led.last).toBeNull()
  expect(node.report('lamp')?.twins).toEqual({
    led: { type: 'string', desired: { value: 'ON', at: expect.any(Number) } },
  })
})

test('the same again is no message and no report', async () => {
  const { node, client } = await start()
  await node.apply(device('lamp', { desired: { led: 'ON' } }))
  await client.message(`${base}/twin/update/delta`)
  const before = node.outbox.all()
  await node.apply(model(), device('lamp', { desired: { led: 'ON' }, labels: { other: 'label' } }))
  await client.settled()
  expect(client.on(`${base}/twin/update/delta`)).toHaveLength(1)
  expect(client.on(`${base}/twin/update/document`)).toHaveLength(1)
  expect(node.outbox.all()).toEqual(before)
})

test('a change made here stays until the next edit in the cloud, also over a restart', async () => {
  const dir = tempDir()
  const { node, client } = await start(dir)
  await node.apply(device('lamp', { desired: { led: 'ON' } }))
  await client.publish(`${base}/twin/update`, { twin: { led: { expected: { value: 'DIM' } } } })
  await node.apply(device('lamp', { desired: { led: 'ON' } }))
  expect(node.report('lamp')?.twins?.led?.desired?.value).toBe('DIM')
  await node.stop()
  const again = await DeviceNode.start({ dir })
  expect(again.report('lamp')?.twins?.led?.desired?.value).toBe('DIM')
  await again.apply(device('lamp', { desired: { led: 'OFF' } }))
  expect(again.report('lamp')?.twins?.led?.desired?.value).toBe('OFF')
})

test('a change that was committed before a crash and never woken is applied at the start', async () => {
  const dir = tempDir()
  const { node } = await start(dir)
  await node.commitOnly(device('lamp', { desired: { led: 'ON' } }), device('fan'))
  await node.dropOnly('devices/default/lamp')
  await node.commitOnly(device('lamp', { desired: { led: 'ON' } }))
  await node.stop()
  const again = await DeviceNode.start({ dir })
  expect(again.report('lamp')?.twins?.led?.desired?.value).toBe('ON')
  const client = await (await again.connect()).subscribe('$hw/events/node/#')
  await client.publish('$hw/events/node/edge-1/membership/get', {})
  const { devices } = await client.message('$hw/events/node/edge-1/membership/get/result')
  expect(devices.map(({ id }: { id: string }) => id)).toEqual(['default/fan', 'default/lamp'])
})

test('whoever subscribes to a delta gets the one that stands open', async () => {
  const { node } = await start()
  await node.apply(device('lamp', { desired: { led: 'ON' } }), device('fan', { desired: { led: 'ON' } }))
  for (const filter of [`${base}/twin/update/delta`, '$hw/events/device/+/+/twin/update/delta', '$hw/#']) {
    const late = await (await node.connect()).subscribe(filter)
    expect((await late.message(`${base}/twin/update/delta`)).delta).toEqual({ led: 'ON' })
    await late.settled()
    expect(late.on('$hw/events/device/default/fan/twin/update/delta')).toHaveLength(filter.includes('lamp') ? 0 : 1)
  }
  const answered = await node.connect()
  await answered.publish(`${base}/twin/update`, { twin: { led: { actual: { value: 'ON' } } } })
  await answered.subscribe(`${base}/twin/update/delta`)
  await answered.settled()
  expect(answered.seen).toEqual([])
})

test('a desired value that does not fit leaves an event and the old value', async () => {
  const { node } = await start()
  await node.apply(device('lamp', { desired: { level: '50' } }))
  await node.apply(device('lamp', { desired: { level: '500' } }))
  await node.apply(device('lamp', { desired: { level: '500' }, labels: { a: 'b' } }))
  expect(node.report('lamp')?.twins?.level?.desired?.value).toBe('50')
  expect(node.events().map(({ reason, message }) => [reason, message])).toEqual([
    ['DesiredRefused', 'desired level: the value 500 is above the maximum 100'],
  ])
  const wider = [{ name: 'level', type: 'INT', maximum: '1000' }]
  await node.apply(model('room', { properties: wider }))
  expect(node.report('lamp')?.twins?.level?.desired?.value).toBe('500')
})

test('a device without its model waits for it, visibly, and takes reports meanwhile', async () => {
  const node = await DeviceNode.start()
  await node.apply(device('lamp', { desired: { led: 'ON' } }))
  expect(node.events('DeviceUnusable').map(({ message }) => message)).toEqual([
    'there is no DeviceModel room in namespace default',
  ])
  const client = await (await node.connect()).subscribe(`${base}/#`)
  await client.publish(`${base}/twin/update`, { twin: { temperature: { actual: { value: '20' } } } })
  expect((await client.message(`${base}/twin/update/result`)).code).toBeUndefined()
  await node.apply(model())
  expect((await client.message(`${base}/twin/update/delta`)).delta).toEqual({ led: 'ON' })
  expect(node.report('lamp')?.twins?.temperature?.type).toBe('int')
})

test('a device that cannot be read is named and does not disturb its neighbours', async () => {
  const node = await DeviceNode.start()
  const broken = { ...device('broken'), spec: { properties: 'none' } } as never
  await node.apply(broken, model(), device('lamp', { desired: { led: 'ON' } }))
  expect(node.report('lamp')?.twins?.led?.desired?.value).toBe('ON')
  const [event] = node.events('DeviceUnusable')
  expect(event).toMatchObject({ type: 'Warning', regarding: { name: 'broken' } })
  expect(event?.message).toContain('properties')
  await node.apply(device('broken', { desired: { led: 'ON' } }))
  expect(node.report('broken')?.twins?.led?.desired?.value).toBe('ON')
})
