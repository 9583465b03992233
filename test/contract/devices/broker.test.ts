import { createConnection, createServer } from 'node:net'
import { edgeMetrics } from '@kedge/edgecore/metrics'
import { type Clock, systemClock } from '@kedge/shared/clock'
import { UserError } from '@kedge/shared/errors'
import { expect, test } from 'vitest'
import { DeviceClient } from '../../support/device-client.ts'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'

const base = '$hw/events/device/default/lamp'

async function start(options: Parameters<typeof DeviceNode.start>[0] = {}) {
  const node = await DeviceNode.start(options)
  await node.apply(model(), device('lamp'))
  return node
}

test.each([
  `${base}/twin/update/result`,
  `${base}/twin/update/delta`,
  `${base}/twin/update/document`,
  '$hw/events/device/lamp/twin/get/result',
  `${base}/state/update/result`,
  `${base}/updated`,
  '$hw/events/node/edge-1/membership/updated',
  '$SYS/x',
])('a client that publishes on %s is cut off, and nobody hears it', async (topic) => {
  const node = await start()
  const other = await (await node.connect()).subscribe('$hw/#')
  const client = await node.connect()
  client.mqtt.publish(topic, '{}', { qos: 1 })
  await eventually(() => !client.mqtt.connected)
  await other.settled()
  expect(other.seen).toEqual([])
})

test('QoS 2 is refused', async () => {
  const client = await (await start()).connect()
  client.mqtt.publish('a', 'x', { qos: 2 })
  await eventually(() => !client.mqtt.connected)
})

test('a packet beyond the limit ends its connection before it is read, and no other', async () => {
  const node = await start()
  const other = await (await node.connect()).subscribe('x')
  const socket = createConnection(node.devices.port, '127.0.0.1')
  const closed = new Promise((resolve) => socket.once('close', resolve))
  socket.on('error', () => undefined)
  // A CONNECT that says it is 200 MB long: the length is one byte of seven bits each.
  socket.write(Buffer.from([0x10, 0x80, 0x84, 0xaf, 0x5f]))
  socket.write(Buffer.alloc(1000))
  await closed
  await other.settled()
})

test('a payload of 10 MB ends its connection; the device that it was for shows it, and others go on', async () => {
  const node = await start()
  await node.apply(device('calm'))
  const calm = await (await node.connect()).subscribe('$hw/events/device/default/calm/#')
  const wild = await node.connect()
  wild.mqtt.publish(`${base}/twin/update`, Buffer.alloc(10_000_000, 'x'))
  await calm.publish('$hw/events/device/default/calm/twin/update', { twin: { led: { actual: { value: 'ON' } } } })
  await calm.message('$hw/events/device/default/calm/twin/update/result')
  await eventually(() => !wild.mqtt.connected)
  const [event, ...more] = await eventually(() => node.events().length > 0 && node.events())
  expect(more).toEqual([])
  expect(event).toMatchObject({ type: 'Warning', reason: 'WriteRefused', regarding: { name: 'lamp' } })
  expect(event?.message).toMatch(/^packet of 100000\d\d bytes, at most 1048576 are taken$/)
  const metrics = edgeMetrics({ ...node, clock: systemClock, cloud: undefined })
  const warnings = metrics.find(({ name }) => name === 'kedge_edge_device_warnings_total')
  expect([...(warnings?.read() ?? [])]).toEqual([
    { labels: { device: 'default/lamp', reason: 'WriteRefused' }, value: 1 },
  ])
})

test('a client that floods is carried out, answered in order and named; another device does not wait for it', async () => {
  // So that it is a flood on a slow machine, too.
  const clock: Clock = { now: systemClock.now, monotonic: () => systemClock.monotonic() / 100 }
  const node = await start({ clock })
  await node.apply(device('calm'))
  const answers = `${base}/twin/update/result`
  const wild = await (await node.connect()).subscribe(answers)
  const calm = await (await node.connect()).subscribe('$hw/events/device/default/calm/#')
  const total = 2000
  for (let count = 0; count < total; count++) {
    const twin = { level: { actual: { value: `${count % 100}` } } }
    wild.mqtt.publish(`${base}/twin/update`, JSON.stringify({ event_id: `${count}`, twin }))
  }
  for (let count = 0; count < 3; count++) {
    await calm.publish('$hw/events/device/default/calm/twin/update', {
      twin: { level: { actual: { value: `${count}` } } },
    })
  }
  expect(wild.on(answers).length).toBeLessThan(total)
  await eventually(() => wild.on(answers).length === total)
  expect(wild.on(answers).map(({ body }) => body.event_id)).toEqual(Array.from({ length: total }, (_, at) => `${at}`))
  expect(node.events().map(({ reason, regarding }) => [reason, regarding.name])).toEqual([['Flood', 'lamp']])
  expect(node.report('lamp')?.twins?.level?.reported?.value).toBe('99')
  expect(node.report('calm')?.twins?.level?.reported?.value).toBe('2')
})

test('what clients send each other passes, each message once, whatever its QoS', async () => {
  const node = await start()
  const client = await (await node.connect()).subscribe('news/#', 'news/+', '#')
  const sender = await node.connect()
  for (let i = 0; i < 100; i++) sender.mqtt.publish('news/x', `${i}`, { qos: i % 2 === 0 ? 0 : 1, retain: i % 3 === 0 })
  await eventually(() => client.on('news/x').length >= 100)
  await client.settled()
  const seen = client.on('news/x').map(({ text }) => Number(text))
  expect(seen.toSorted((a, b) => a - b)).toEqual(Array.from({ length: 100 }, (_, i) => i))
})

test('acknowledgements come in the order of the messages', async () => {
  const client = await (await start()).connect()
  const acknowledged: number[] = []
  const all = Array.from({ length: 60 }, async (_, i) => {
    const topic = i % 3 === 0 ? 'plain' : `${base}/twin/update`
    await client.publish(topic, { twin: { level: { actual: { value: `${i}` } } } })
    acknowledged.push(i)
  })
  await Promise.all(all)
  expect(acknowledged).toEqual(all.map((_, i) => i))
})

test('a request is not retained', async () => {
  const node = await start()
  const sender = await node.connect()
  await sender.mqtt.publishAsync(`${base}/twin/get`, '{}', { qos: 1, retain: true })
  const client = await (await node.connect()).subscribe(`${base}/twin/get`)
  await client.settled()
  expect(client.seen).toEqual([])
})

test('retained messages end at a number of bytes; removing one makes room', async () => {
  const node = await start()
  const client = await node.connect()
  const retain = (topic: string, bytes: number) =>
    client.mqtt.publishAsync(topic, Buffer.alloc(bytes, 'x'), { qos: 1, retain: true })
  for (let i = 0; i < 8; i++) await retain(`keep/${i}`, 1_000_000)
  await retain('keep/0', 0)
  await retain('keep/8', 1_000_000)
  retain('keep/9', 1_000_000).catch(() => undefined)
  await eventually(() => !client.mqtt.connected)
})

test('a client that was away gets the newest messages of its session', async () => {
  const node = await start()
  const session = { clean: false, clientId: 'away' }
  const before = await DeviceClient.connect(node.devices.port, session)
  await before.subscribe('news')
  await before.mqtt.endAsync()
  const sender = await node.connect()
  const sent = Array.from({ length: 1500 }, (_, i) => sender.publish('news', `${i}`))
  await Promise.all(sent)
  const after = await DeviceClient.connect(node.devices.port, session)
  await eventually(() => after.on('news').at(-1)?.text === '1499')
  expect(after.on('news').map(({ text }) => Number(text))).toEqual(Array.from({ length: 1000 }, (_, i) => 500 + i))
})

test('the last will of a device reports its state', async () => {
  const node = await start()
  const payload = Buffer.from(JSON.stringify({ state: 'offline' }))
  const client = await DeviceClient.connect(node.devices.port, {
    will: { topic: `${base}/state/update`, payload, qos: 1, retain: false },
  })
  client.mqtt.stream.destroy()
  await eventually(() => node.report('lamp')?.state === 'offline')
})

test('a port in use says so, and which flag chooses another', async () => {
  const taken = createServer()
  await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
  const { port } = taken.address() as { port: number }
  try {
    const failed = await DeviceNode.start({ port }).catch((error: unknown) => error)
    expect(failed).toBeInstanceOf(UserError)
    expect((failed as Error).message).toMatch(new RegExp(`${port}.*--mqtt-port`))
  } finally {
    taken.close()
  }
})
