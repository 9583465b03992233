import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DeviceClient } from '../../support/device-client.ts'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'

const away = { clean: false, clientId: 'away' }

/** The node as it comes up again after a power cut: with the files as they were at this moment. */
function afterPowerCut(dir: string): Promise<DeviceNode> {
  const to = tempDir()
  for (const name of ['edge.db', 'edge.db-wal'])
    if (existsSync(join(dir, name))) copyFileSync(join(dir, name), join(to, name))
  return DeviceNode.start({ dir: to })
}

async function start(dir: string): Promise<DeviceNode> {
  const node = await DeviceNode.start({ dir })
  await node.apply(model(), device('lamp'))
  return node
}

test('a retained message that was acknowledged is there after a power cut; one that was removed is not', async () => {
  const dir = tempDir()
  const client = await (await start(dir)).connect()
  await client.mqtt.publishAsync('bulb/state', 'ON', { qos: 1, retain: true })
  await client.mqtt.publishAsync('bulb/old', 'x', { qos: 1, retain: true })
  await client.mqtt.publishAsync('bulb/old', '', { qos: 1, retain: true })
  const again = await afterPowerCut(dir)
  const reader = await (await again.connect()).subscribe('bulb/#')
  await reader.settled()
  expect(reader.seen).toMatchObject([{ topic: 'bulb/state', text: 'ON' }])
})

test('a session has its subscriptions and what waits for it after a power cut, in order', async () => {
  const dir = tempDir()
  const node = await start(dir)
  const before = await DeviceClient.connect(node.devices.port, away)
  await before.subscribe('news/+', 'gone')
  await before.mqtt.unsubscribeAsync('gone')
  await before.mqtt.endAsync()
  const sender = await node.connect()
  for (let i = 0; i < 20; i++) await sender.publish('news/x', `${i}`)
  await sender.publish('gone', 'x')

  const again = await afterPowerCut(dir)
  const other = await again.connect()
  await other.publish('news/y', 'later')
  const after = await DeviceClient.connect(again.devices.port, away)
  await eventually(() => after.on('news/y').length > 0)
  expect(after.on('news/x').map(({ text }) => Number(text))).toEqual(Array.from({ length: 20 }, (_, i) => i))
  expect(after.on('gone')).toEqual([])
})

test('what was delivered does not come again, and a clean session leaves nothing behind', async () => {
  const dir = tempDir()
  const node = await start(dir)
  const before = await DeviceClient.connect(node.devices.port, away)
  await before.subscribe('news')
  const sender = await node.connect()
  await sender.publish('news', 'heard')
  await before.message('news')
  const other = { clean: false, clientId: 'other' }
  await (await DeviceClient.connect(node.devices.port, other)).subscribe('news')
  await DeviceClient.connect(node.devices.port, { ...other, clean: true })
  await eventually(() => node.rows('mqtt_queue') === 0 && node.rows('mqtt_filters') === 1)

  const again = await afterPowerCut(dir)
  const after = await DeviceClient.connect(again.devices.port, away)
  await (await again.connect()).publish('news', 'new')
  await after.message('news')
  expect(after.seen.map(({ text }) => text)).toEqual(['new'])
})

test('what edgecore itself publishes waits for a session too', async () => {
  const dir = tempDir()
  const node = await start(dir)
  const before = await DeviceClient.connect(node.devices.port, away)
  const topic = '$hw/events/device/default/lamp/twin/update/document'
  await before.subscribe(topic)
  await before.mqtt.endAsync()
  await (await node.connect()).publish('$hw/events/device/default/lamp/twin/update', {
    event_id: 'e',
    twin: { temperature: { actual: { value: '21' } } },
  })
  await eventually(() => node.rows('mqtt_queue') === 1)
  const again = await afterPowerCut(dir)
  const after = await DeviceClient.connect(again.devices.port, away)
  expect(await after.message(topic)).toMatchObject({ event_id: 'e' })
  await eventually(() => again.rows('mqtt_queue') === 0)
})

test('further sessions than there is room for are refused, a client without one is not', async () => {
  const dir = tempDir()
  const node = await start(dir)
  const insert = node.store.db.prepare("INSERT INTO mqtt_filters (client, filter, qos) VALUES (?, 'x', 1)")
  await node.store.commit(() => {
    for (let i = 0; i < 255; i++) insert.run(`s${i}`)
  })
  const { devices } = await afterPowerCut(dir)
  const granted = async (clientId: string, clean: boolean) => {
    const client = await DeviceClient.connect(devices.port, { clean, clientId })
    return client.mqtt.subscribeAsync('x', { qos: 1 }).then(
      () => true,
      () => false,
    )
  }
  expect([await granted('s7', false), await granted('last', false), await granted('late', false)]).toEqual([
    true,
    true,
    false,
  ])
  expect(await granted('late', true)).toBe(true)
})
