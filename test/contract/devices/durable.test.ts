import { copyFileSync, existsSync } from 'node:fs'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'

const base = '$hw/events/device/default/lamp'

/** What a power cut leaves: the files as they are while the database is open. */
function cutPower(from: string): string {
  const to = tempDir()
  for (const name of ['edge.db', 'edge.db-wal'])
    if (existsSync(join(from, name))) copyFileSync(join(from, name), join(to, name))
  return to
}

test('everything acknowledged is there after a kill', async () => {
  const dir = tempDir()
  const node = await DeviceNode.start({ dir })
  await node.apply(model(), device('lamp'), device('fan'))
  const client = await node.connect()
  let acknowledged = 0
  const sent = Array.from({ length: 300 }, async (_, i) => {
    await client.publish(`${base}/twin/update`, {
      twin: { level: { actual: { value: `${i % 101}` } }, n: { actual: { value: `${i}` } } },
    })
    acknowledged = i
  })
  await eventually(() => acknowledged > 50)
  const kept = acknowledged
  const after = cutPower(dir)
  await Promise.all(sent)
  const again = await DeviceNode.start({ dir: after })
  const reader = await (await again.connect()).subscribe(`${base}/#`)
  await reader.publish(`${base}/twin/get`, {})
  const { twin } = await reader.message(`${base}/twin/get/result`)
  expect(Number(twin.n.actual.value)).toBeGreaterThanOrEqual(kept)
  expect(again.report('lamp')?.twins?.n?.reported?.value).toBe(twin.n.actual.value)
})

test('versions, tombstones, types, state and time last online outlive a restart', async () => {
  const dir = tempDir()
  const node = await DeviceNode.start({ dir })
  await node.apply(model(), device('lamp'))
  const client = await node.connect()
  await client.publish(`${base}/twin/update`, {
    twin: {
      a: { actual: { value: '1' }, metadata: { type: 'int' }, optional: false },
      b: { expected: { value: '' }, actual: { value: '' } },
    },
  })
  await client.publish(`${base}/twin/update`, { twin: { c: { actual: { value: 'x' } } } })
  await client.publish(`${base}/twin/update`, { twin: { c: null } })
  await client.publish(`${base}/state/update`, { state: 'online' })
  const rows = () => node.store.db.prepare('SELECT * FROM twins ORDER BY property').all()
  const before = rows()
  await node.stop()
  const again = await DeviceNode.start({ dir })
  expect(again.store.db.prepare('SELECT * FROM twins ORDER BY property').all()).toEqual(before)
  const reader = await (await again.connect()).subscribe('$hw/#')
  await reader.publish(`${base}/twin/get`, {})
  const { twin } = await reader.message(`${base}/twin/get/result`)
  expect(Object.keys(twin)).toEqual(['a', 'b'])
  expect(twin.a).toMatchObject({ optional: false, metadata: { type: 'int' } })
  expect(twin.b.actual.value).toBe('')
  await reader.publish(`${base}/twin/update`, { twin: { c: { actual: { value: 'y' } } } })
  const version = again.store.db.prepare("SELECT reported_version FROM twins WHERE property = 'c'").pluck().get()
  expect(version).toBe(3)
  await reader.publish('$hw/events/node/edge-1/membership/get', {})
  const { devices } = await reader.message('$hw/events/node/edge-1/membership/get/result')
  expect(devices[0]).toMatchObject({ state: 'online', last_online: expect.stringMatching(/Z$/) })
})

test('under a burst, answers of a device come in order and the last value stays', async () => {
  const node = await DeviceNode.start()
  const names = Array.from({ length: 10 }, (_, i) => `d${i}`)
  await node.apply(model(), ...names.map((name) => device(name)))
  const clients = await Promise.all(
    names.map(async (name) => (await node.connect()).subscribe(`$hw/events/device/default/${name}/twin/update/result`)),
  )
  for (let i = 0; i < 200; i++) {
    for (const [at, name] of names.entries()) {
      const payload = JSON.stringify({ event_id: `${i}`, twin: { n: { actual: { value: `${i}` } } } })
      clients[at]?.mqtt.publish(`$hw/events/device/default/${name}/twin/update`, payload, { qos: i % 2 === 0 ? 0 : 1 })
    }
  }
  for (const [at, name] of names.entries()) {
    const client = clients[at]
    await eventually(() => client?.seen.length === 200)
    expect(client?.seen.map(({ body }) => Number(body.event_id))).toEqual(Array.from({ length: 200 }, (_, i) => i))
    expect(node.report(name)?.twins?.n?.reported?.value).toBe('199')
  }
})

test('what cannot be written is answered with 500, not acknowledged and not remembered', async () => {
  const node = await DeviceNode.start()
  await node.apply(model(), device('lamp'))
  const client = await (await node.connect()).subscribe(`${base}/#`)
  await client.publish(`${base}/twin/update`, { twin: { led: { actual: { value: 'ON' } } } })
  node.store.db.exec("CREATE TRIGGER full BEFORE INSERT ON twins BEGIN SELECT RAISE(ABORT, 'disk full'); END")
  const sender = await node.connect()
  let acknowledged = false
  sender.publish(`${base}/twin/update`, { event_id: 'x', twin: { led: { actual: { value: 'OFF' } } } }).then(
    () => {
      acknowledged = true
    },
    () => undefined,
  )
  expect(await client.message(`${base}/twin/update/result`, 2)).toMatchObject({
    event_id: 'x',
    code: 500,
    reason: expect.stringContaining('disk full'),
  })
  await eventually(() => !sender.mqtt.connected)
  expect(acknowledged).toBe(false)
  node.store.db.exec('DROP TRIGGER full')
  await client.publish(`${base}/twin/get`, {})
  expect((await client.message(`${base}/twin/get/result`)).twin.led.actual.value).toBe('ON')
  await client.publish(`${base}/twin/update`, { twin: { led: { actual: { value: 'OFF' } } } })
  expect((await client.message(`${base}/twin/update/result`, 3)).twin.led.actual.value).toBe('OFF')
})

test('what the cloud wants and could not be written is written with the next change', async () => {
  const node = await DeviceNode.start()
  await node.apply(model(), device('lamp'), device('old'))
  node.store.db.exec("CREATE TRIGGER full BEFORE INSERT ON twins BEGIN SELECT RAISE(ABORT, 'disk full'); END")
  await node.dropOnly('devices/default/old')
  await expect(node.apply(device('lamp', { desired: { led: 'ON' } }), device('new'))).rejects.toThrow('disk full')
  node.store.db.exec('DROP TRIGGER full')
  await node.devices.wake([])
  expect(node.report('lamp')?.twins?.led?.desired?.value).toBe('ON')
  const known = node.store.db.prepare('SELECT device FROM devices ORDER BY device').pluck().all()
  expect(known).toEqual(['default/lamp', 'default/new'])
})
