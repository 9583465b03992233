import { silentLog } from '@kedge/shared/log'
import { openBroker } from '@kedge/shared/mqtt-broker'
import { expect, onTestFinished, test } from 'vitest'
import { DeviceClient } from '../../support/device-client.ts'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { exampleDevices } from '../../support/example-devices.ts'
import { findMosquitto, Mosquitto } from '../../support/mosquitto.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** What the cloud is told of a device: property → reported value. */
function reported(node: DeviceNode, name: string): Record<string, string | undefined> {
  const twins = Object.entries(node.report(name)?.twins ?? {})
  return Object.fromEntries(twins.map(([property, twin]) => [property, twin?.reported?.value]))
}

async function start(example: string) {
  const node = await DeviceNode.start()
  const client = await node.connect()
  const objects = exampleDevices(example)
  return { node, client, objects, name: objects.at(-1)?.metadata.name ?? '' }
}

test('a Tasmota plug needs no code', async () => {
  const { node, client, objects, name } = await start('tasmota-plug.yaml')
  await client.subscribe('cmnd/#')
  await client.mqtt.publishAsync('tele/plug/LWT', 'Online', { retain: true, qos: 1 })
  await node.apply(...objects)
  await eventually(() => node.report(name)?.state === 'online')
  // The command of the beginning, since the plug has not said that it is on.
  await eventually(() => client.on('cmnd/plug/POWER')[0]?.text === 'ON')
  await client.publish('stat/plug/RESULT', { POWER: 'ON' })
  await client.publish('tele/plug/STATE', {
    Time: '2024-05-01T12:00:00',
    Uptime: '1T02:03:04',
    Sleep: 50,
    POWER: 'ON',
    Wifi: { AP: 1, SSId: 'home', RSSI: 76, Signal: -62 },
  })
  await client.publish('tele/plug/SENSOR', {
    Time: '2024-05-01T12:00:00',
    ENERGY: { TotalStartTime: '2023-01-01T00:00:00', Total: 3.185, Power: 42, Voltage: 230, Current: 0.183 },
  })
  await eventually(() => Object.keys(reported(node, name)).length === 4)
  expect(reported(node, name)).toEqual({ power: 'true', watts: '42', energy: '3.185', signal: '76' })
  await client.publish('stat/plug/RESULT', { POWER: 'OFF' })
  await eventually(() => reported(node, name).power === 'false')
  await client.publish('tele/plug/LWT', 'Offline')
  await eventually(() => node.report(name)?.state === 'offline')
  expect(node.events('DriverFailed')).toEqual([])
})

test('a plug that comes back is told again what is desired of it', async () => {
  const { node, client, objects } = await start('tasmota-plug.yaml')
  await node.apply(...objects)
  await client.subscribe('cmnd/#')
  await client.publish('tele/plug/LWT', 'Online')
  await eventually(() => client.on('cmnd/plug/POWER').length >= 1)
  await client.publish('stat/plug/RESULT', { POWER: 'OFF' })
  await client.publish('tele/plug/LWT', 'Offline')
  await eventually(() => node.report('plug')?.state === 'offline')
  const before = client.on('cmnd/plug/POWER').length
  await client.publish('tele/plug/LWT', 'Online')
  await eventually(() => client.on('cmnd/plug/POWER').length > before)
  expect(client.on('cmnd/plug/POWER').at(-1)?.text).toBe('ON')
})

test('what is desired when edgecore starts is sent once the broker is open, and that is no failure', async () => {
  const dir = tempDir()
  const first = await DeviceNode.start({ dir })
  await first.apply(...exampleDevices('tasmota-plug.yaml'))
  const failures = first.events('DriverFailed').length
  await first.stop()
  const node = await DeviceNode.start({ dir })
  const client = await (await node.connect()).subscribe('cmnd/#')
  await client.publish('tele/plug/LWT', 'Online')
  await eventually(() => client.on('cmnd/plug/POWER')[0]?.text === 'ON')
  expect(failures + node.events('DriverFailed').length).toBe(0)
})

test('a Shelly of the first generation needs no code', async () => {
  const { node, client, objects, name } = await start('shelly-gen1.yaml')
  await node.apply(...objects)
  const base = 'shellies/shellyplug-s-C8D1E2'
  await client.subscribe(`${base}/relay/0/command`)
  await client.publish(`${base}/online`, 'true')
  await client.publish(`${base}/relay/0`, 'off')
  await client.publish(`${base}/relay/0/power`, '12.34')
  await client.publish(`${base}/relay/0/energy`, '60000')
  await eventually(() => Object.keys(reported(node, name)).length === 3)
  expect(reported(node, name)).toEqual({ power: 'false', watts: '12.34', energy: '1.000' })
  expect(node.report(name)?.state).toBe('online')
  await client.publish(`$hw/events/device/${name}/twin/update`, { twin: { power: { expected: { value: 'true' } } } })
  await eventually(() => client.on(`${base}/relay/0/command`)[0]?.text === 'on')
})

test('a Shelly of the second generation needs no code: partial notifications, RPC commands', async () => {
  const { node, client, objects, name } = await start('shelly-gen2.yaml')
  await node.apply(...objects)
  const base = 'shellyplus1pm-a8032ab12345'
  await client.subscribe(`${base}/rpc`)
  const notify = (status: Record<string, unknown>) =>
    client.publish(`${base}/events/rpc`, {
      src: base,
      dst: `${base}/events`,
      method: 'NotifyStatus',
      params: { ts: 1714550000.12, 'switch:0': { id: 0, ...status } },
    })
  await client.publish(`${base}/online`, 'true')
  await notify({ output: true, source: 'MQTT' })
  await notify({ apower: 8.9 })
  await client.publish(`${base}/status/switch:0`, { id: 0, output: true, temperature: { tC: 23.6, tF: 74.5 } })
  await eventually(() => Object.keys(reported(node, name)).length === 3)
  expect(reported(node, name)).toEqual({ power: 'true', watts: '8.9', temperature: '23.6' })
  await client.publish(`$hw/events/device/${name}/twin/update`, { twin: { power: { expected: { value: 'false' } } } })
  const command = await client.message(`${base}/rpc`)
  expect(command).toEqual({ id: 1, src: 'kedge', method: 'Switch.Set', params: { id: 0, on: false } })
  expect(node.events('DriverFailed')).toEqual([])
})

test('a lamp behind zigbee2mqtt needs no code', async () => {
  const { node, client, objects, name } = await start('zigbee2mqtt-lamp.yaml')
  await client.mqtt.publishAsync(
    'zigbee2mqtt/bridge/devices',
    JSON.stringify([
      { ieee_address: '0x00124b0001', type: 'Coordinator', friendly_name: 'Coordinator' },
      {
        ieee_address: '0x000b57fffec6a5b2',
        type: 'Router',
        friendly_name: 'lamp',
        supported: true,
        definition: { model: 'LED1624G9', vendor: 'IKEA', description: 'TRADFRI bulb E14' },
      },
    ]),
    { retain: true, qos: 1 },
  )
  await node.apply(...objects)
  await client.subscribe('zigbee2mqtt/lamp/set')
  await client.publish('zigbee2mqtt/bridge/state', { state: 'online' })
  await client.publish('zigbee2mqtt/lamp/availability', { state: 'online' })
  await client.publish('zigbee2mqtt/lamp', { state: 'ON', brightness: 127, color_mode: 'xy', linkquality: 120 })
  await eventually(() => Object.keys(reported(node, name)).length === 4)
  expect(reported(node, name)).toEqual({ state: 'ON', brightness: '50', linkquality: '120', product: 'LED1624G9' })
  const expected = { state: { expected: { value: 'OFF' } }, brightness: { expected: { value: '33' } } }
  await client.publish(`$hw/events/device/${name}/twin/update`, { twin: expected })
  await eventually(() => client.on('zigbee2mqtt/lamp/set').length === 2)
  expect(client.on('zigbee2mqtt/lamp/set').map(({ body }) => body)).toEqual([{ state: 'OFF' }, { brightness: 84 }])
  await client.publish('zigbee2mqtt/lamp/availability', { state: 'offline' })
  await eventually(() => node.report(name)?.state === 'offline')
  await client.publish('zigbee2mqtt/lamp/availability', { state: 'online' })
  await eventually(() => node.report(name)?.state === 'online')
  await client.publish('zigbee2mqtt/bridge/state', { state: 'offline' })
  await eventually(() => node.report(name)?.state === 'offline')
})

const thing = model('thing', {
  properties: [
    { name: 'level', type: 'INT', accessMode: 'ReadWrite', minimum: '0', maximum: '100' },
    { name: 'note', type: 'STRING' },
  ],
})

function mapped(name: string, visitors: Record<string, Record<string, unknown>>, configData?: Record<string, unknown>) {
  const properties = Object.entries(visitors).map(([property, data]) => ({
    name: property,
    visitors: { protocolName: 'mqtt', configData: data },
  }))
  return device(name, { model: 'thing', properties, protocol: { protocolName: 'mqtt', configData } })
}

test('a device that sends rubbish, too much or too fast shows it itself; its neighbour works on', async () => {
  const node = await DeviceNode.start()
  const client = await node.connect()
  const bad = mapped('bad', {
    level: { topic: 'bad/state', path: 'level' },
    note: { topic: 'bad/state', path: 'note' },
  })
  const good = mapped('good', { level: { topic: 'good/state' } })
  await node.apply(thing, bad, good)
  await client.publish('bad/state', 'no JSON at all')
  await eventually(() => node.events('DriverFailed')[0]?.message.includes('where JSON should be'))
  await client.publish('bad/state', { level: 500, note: 'a level of 500 is too much' })
  await eventually(() => reported(node, 'bad').note === 'a level of 500 is too much')
  expect(reported(node, 'bad').level).toBeUndefined()
  await client.publish('bad/state', Buffer.alloc(900_000, 'x'))
  for (let count = 0; count < 3000; count++) client.mqtt.publish('bad/state', `{"level":${count % 100}}`)
  await client.publish('good/state', '41')
  await client.publish('good/state', '42')
  await eventually(() => reported(node, 'good').level === '42')
  await client.publish('bad/state', { level: 77 })
  await eventually(() => reported(node, 'bad').level === '77')
  expect(node.devices.drivers.failures.get('default/bad')).toBeGreaterThan(0)
  expect(node.devices.drivers.failures.get('default/good')).toBeUndefined()
})

test("a mapping that is wrong names the field, and edgecore's own topics are out of reach", async () => {
  const node = await DeviceNode.start()
  const wrong = [
    mapped('one', { level: { path: 'a' } }),
    mapped('two', { level: { topic: 'a/#/b' } }),
    mapped('three', { level: { command: { topic: '$hw/events/device/lamp/twin/update' } } }),
    mapped('four', { level: { topic: 'a', command: { topic: 'b', payload: '{{valeu}}' } } }),
    mapped('five', { level: { topic: 'a', pattern: '(' } }),
    mapped('six', { level: { topic: 'a' } }, { broker: 'http://127.0.0.1' }),
    mapped('seven', { level: { topic: 'a', path: 'a..b' } }),
  ]
  await node.apply(thing, ...wrong)
  const events = await eventually(() => {
    const found = node.events('DriverFailed')
    return found.length === wrong.length && found
  })
  const text = events.map(({ message, regarding }) => `${regarding.name}: ${message}`).join('\n')
  expect(text).toMatch(/one: .*visitors\.configData: give topic/)
  expect(text).toMatch(/two: .*visitors\.configData\.topic: is a\/#\/b/)
  expect(text).toMatch(/three: .*configData\.command\.topic: .*belong to edgecore/)
  expect(text).toMatch(/four: .*configData\.command\.payload: has \{\{valeu\}\}/)
  expect(text).toMatch(/five: .*configData\.pattern: /)
  expect(text).toMatch(/six: spec\.protocol\.configData\.broker: give mqtt:/)
  expect(text).toMatch(/seven: .*configData\.path is a\.\.b/)
  expect(node.report('one')?.state).toBe('unhealthy')
})

test('silence makes a device offline where its description says how long is too long', async () => {
  const node = await DeviceNode.start()
  const client = await node.connect()
  await node.apply(thing, mapped('quiet', { level: { topic: 'quiet/state' } }, { offlineAfterMs: 300 }))
  await client.publish('quiet/state', '1')
  await eventually(() => node.report('quiet')?.state === 'online')
  await eventually(() => node.report('quiet')?.state === 'offline')
})

async function otherBroker(port = 0) {
  const broker = await openBroker({
    ...{ host: '127.0.0.1', port, portFlag: '', maxPacketBytes: 1 << 20, log: silentLog },
    hooks: {},
  })
  onTestFinished(() => broker.stop())
  return broker
}

test("a device on another broker, in the words of KubeEdge's MQTT mapper, over a loss of that broker", async () => {
  const first = await otherBroker()
  const { port } = first
  const node = await DeviceNode.start()
  const far = await DeviceClient.connect(port)
  await far.mqtt.publishAsync('sensor/data', '7', { retain: true, qos: 1 })
  const kubeEdges = { topic: 'sensor/data', qos: 1, retain: false, clientId: 'c', cleanSession: true, keepAlive: 60 }
  const visitors = { level: { ...kubeEdges, username: 'user', password: 'pass', command: { topic: 'sensor/set' } } }
  await node.apply(thing, mapped('far', visitors, { ip: '127.0.0.1', port }))
  await eventually(() => reported(node, 'far').level === '7')
  await far.publish('sensor/data', '8')
  await eventually(() => reported(node, 'far').level === '8' && node.report('far')?.state === 'online')
  await first.stop()
  await eventually(() => node.report('far')?.state === 'unknown')
  const local = await node.connect()
  await local.publish('$hw/events/device/far/twin/update', { twin: { level: { expected: { value: '9' } } } })
  await otherBroker(port)
  const back = await (await DeviceClient.connect(port)).subscribe('sensor/set')
  await eventually(() => back.on('sensor/set').at(-1)?.text === '9')
})

const mosquitto = findMosquitto()

test.skipIf(mosquitto === undefined)('a device on mosquitto, which is killed and comes back', async () => {
  const broker = await Mosquitto.start(mosquitto ?? '')
  onTestFinished(() => broker.down())
  const node = await DeviceNode.start()
  const visitors = { level: { topic: 'tank/+/level', command: { topic: 'tank/1/set', retain: true } } }
  await node.apply(thing, mapped('tank', visitors, { broker: `mqtt://127.0.0.1:${broker.port}` }))
  const first = await DeviceClient.connect(broker.port)
  await first.mqtt.publishAsync('tank/1/level', '1', { retain: true, qos: 1 })
  await eventually(() => reported(node, 'tank').level === '1')
  await first.publish('tank/1/level', '1')
  await eventually(() => node.report('tank')?.state === 'online')
  await broker.down('SIGKILL')
  await eventually(() => node.report('tank')?.state === 'unknown')
  await broker.up()
  const again = await DeviceClient.connect(broker.port)
  await eventually(async () => {
    await again.publish('tank/1/level', '2')
    return reported(node, 'tank').level === '2'
  })
  expect(node.report('tank')?.state).toBe('online')
  const local = await node.connect()
  await local.publish('$hw/events/device/tank/twin/update', { twin: { level: { expected: { value: '3' } } } })
  await again.subscribe('tank/1/set')
  await eventually(() => again.on('tank/1/set').at(-1)?.text === '3')
})
