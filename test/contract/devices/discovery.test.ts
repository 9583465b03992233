import { discover } from '@kedge/edgecore/cli/discover'
import { controlPath } from '@kedge/edgecore/control/path'
import { openControl } from '@kedge/edgecore/control/server'
import { silentLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, onTestFinished, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { DeviceNode } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { bridgeDevices, tasmotaSensor, tasmotaSwitch } from '../../unit/edgecore/devices/discovery/announcements.ts'

async function start() {
  const dir = tempDir()
  const node = await DeviceNode.start({ dir })
  const control = await openControl({ path: controlPath(dir), devices: node.devices, log: silentLog })
  onTestFinished(() => control.stop())
  const client = await node.connect()
  const announce = (topic: string, payload: unknown) =>
    client.mqtt.publishAsync(topic, payload === '' ? '' : JSON.stringify(payload), { qos: 1, retain: true })
  const run = (line: string) => discover(line === '' ? [] : line.split(' '), { KEDGE_DATA: dir })
  return { dir, node, client, announce, run }
}

test('what announces itself is a manifest away from being a device that works', async () => {
  const { node, client, announce, run } = await start()
  await announce('zigbee2mqtt/bridge/devices', bridgeDevices)
  await announce(tasmotaSwitch.topic, tasmotaSwitch.payload)
  await announce(tasmotaSensor.topic, tasmotaSensor.payload)
  await eventually(async () => /ENERGY|energy_power/.test((await run('-o table')).out))
  expect((await run('-o table')).out.split('\n').map((line) => line.split(/ +/)[0])).toEqual([
    'NAME',
    'edge-1-plug',
    'edge-1-lamp',
    'edge-1-wohnzimmer-klima',
    '',
  ])

  const { out } = await run('edge-1-lamp')
  const objects = parseAllDocuments(out).map((document) => document.toJS() as KubeObject)
  expect(objects.map(({ kind }) => kind)).toEqual(['DeviceModel', 'Device'])
  await node.apply(...objects)
  // The lamp says this again and again, as it does: the driver may not listen yet.
  const said = { state: 'ON', brightness: 254, occupancy: true, color: { x: 0.3, y: 0.4 } }
  await eventually(async () => {
    await client.publish('zigbee2mqtt/lamp', said)
    return Object.keys(node.report('edge-1-lamp')?.twins ?? {}).length >= 5
  })
  const values = Object.entries(node.report('edge-1-lamp')?.twins ?? {}).map(([name, twin]) => [
    name,
    twin?.reported?.value,
  ])
  expect(Object.fromEntries(values)).toMatchObject({
    state: 'true',
    brightness: '254',
    occupancy: 'true',
    'color.x': '0.3',
    'color.y': '0.4',
  })

  await client.subscribe('zigbee2mqtt/lamp/set')
  await client.publish('$hw/events/device/default/edge-1-lamp/twin/update', {
    twin: { state: { expected: { value: 'false' } }, 'color.x': { expected: { value: '0.5' } } },
  })
  await eventually(() => client.on('zigbee2mqtt/lamp/set').length === 2)
  const sent = client.on('zigbee2mqtt/lamp/set').map(({ body }) => body)
  expect(sent).toEqual(expect.arrayContaining([{ state: 'OFF' }, { color: { x: 0.5 } }]))
  // What is a device already is not proposed again.
  expect((await run('-o table')).out).not.toContain('lamp')
})

test('an announcement that is taken back is gone, one that cannot be read harms nothing', async () => {
  const { client, announce, run } = await start()
  await announce(tasmotaSwitch.topic, tasmotaSwitch.payload)
  await eventually(async () => (await run('-o table')).out.includes('plug'))
  await client.mqtt.publishAsync('homeassistant/sensor/x/config', '{', { qos: 1, retain: true })
  await client.mqtt.publishAsync('zigbee2mqtt/bridge/devices', '"no list"', { qos: 1, retain: true })
  await announce(tasmotaSwitch.topic, '')
  await eventually(async () => (await run('-o table')).out === '')
  expect(await run('')).toEqual({ out: '', note: 'Nothing new is announced on the local broker.\n' })
  await expect(run('lamp')).rejects.toThrow('"lamp" is not announced')
})

test('announcements are retained: they are there after a restart of edgecore', async () => {
  const { dir, node, announce, run } = await start()
  await announce(tasmotaSwitch.topic, tasmotaSwitch.payload)
  await eventually(async () => (await run('-o table')).out.includes('plug'))
  await node.stop()
  const again = await DeviceNode.start({ dir })
  await eventually(() => again.devices.discovered('shop').length === 1)
  expect(again.devices.discovered('shop')[0]?.device.metadata).toMatchObject({ name: 'edge-1-plug', namespace: 'shop' })
})
