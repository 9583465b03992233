import type { KubeObject } from '@kedge/shared/objects'
import { beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { afterThese } from '../../support/after-these.ts'
import { statusTwins } from '../../support/api.ts'
import { eventually } from '../../support/eventually.ts'
import { Fleet } from '../../support/fleet.ts'
import { room, roomModel } from '../../support/manifests.ts'
import { mapperSocket } from '../../support/members.ts'
import { ModbusServer } from '../../support/modbus-server.ts'
import { hasMosquittoClients, MosquittoSub, mosquittoPub } from '../../support/mosquitto-clients.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { UploadReceiver } from '../../support/upload-receiver.ts'
import { TestMapper } from './dmi-mapper.ts'

/**
 * The cases that KubeEdge's own suites name for devices, under its names and numbers: those of its edge integration with
 * mosquitto's clients on the node, those of its end-to-end suite through the Kubernetes API. Where KubeEdge puts a device
 * into the edge's database or sends it there over MQTT, it is created with the Kubernetes API here.
 */

let fleet: Fleet
let receiver: UploadReceiver
let port: number

const whenOver = afterThese()

beforeAll(async () => {
  receiver = await UploadReceiver.start(whenOver)
  fleet = await Fleet.start({ uploads: receiver.url, mappers: true, whenOver })
  port = fleet.node('edge-1').edge.mqttPort
})

const topic = (name: string, action: string) => `$hw/events/device/default/${name}/${action}`
const node = (action: string) => `$hw/events/node/edge-1/${action}`
const keyOf = (name: string) => `devices/default/${name}`

/** Creates a device and resolves once the node knows it; it goes when the test is over. */
async function register(name: string, ...objects: KubeObject[]): Promise<void> {
  await fleet.api.create(...objects)
  onTestFinished(async () => {
    if (await fleet.api.find(keyOf(name))) await fleet.api.remove(keyOf(name))
    for (const { metadata } of await fleet.api.list('devicemodels'))
      await fleet.api.remove(`devicemodels/default/${metadata.name}`)
    await eventually(async () => (await members()).length === 0)
  })
  await eventually(async () => (await members()).some(({ id }) => id === `default/${name}`))
}

interface Member {
  id: string
  state?: string
  attributes: Record<string, { value: string }>
}

/** What the node says its devices are. */
async function members(): Promise<Member[]> {
  const client = await fleet.node('edge-1').device()
  await client.subscribe(node('membership/get/result'))
  await client.publish(node('membership/get'), { event_id: 'members' })
  const { devices } = await client.message(node('membership/get/result'))
  await client.mqtt.endAsync(true)
  return devices
}

const hasClients = hasMosquittoClients()
describe.skipIf(!hasClients)(`edge integration${hasClients ? '' : ' (skipped: no mosquitto clients)'}`, () => {
  const kitchen = (desired: Record<string, string> = {}, labels: Record<string, string> = {}) => {
    const device = room('kitchen', 'edge-1', { desired })
    return [roomModel(), { ...device, metadata: { ...device.metadata, labels } }]
  }

  test('TC_TEST_EBUS_1: Sending data to Cloud', async () => {
    await mosquittoPub(port, 'SYS/dis/upload_records', 'record one')
    await eventually(() => receiver.on('SYS/dis/upload_records').includes('record one'))
  })

  test('TC_TEST_EBUS_2: Sending data to device module', async () => {
    await register('kitchen', ...kitchen())
    const sub = await MosquittoSub.start(port, topic('kitchen', 'state/update/result'))
    await mosquittoPub(port, topic('kitchen', 'state/update'), { event_id: 'two', timestamp: 1, state: 'online' })
    const { device } = await sub.message(topic('kitchen', 'state/update/result'))
    expect(device).toMatchObject({ name: 'kitchen', state: 'online' })
  })

  test('TC_TEST_EBUS_3: Sending data to device twin module', async () => {
    await register('kitchen', ...kitchen())
    const sub = await MosquittoSub.start(port, topic('kitchen', 'twin/update/+'))
    const twin = { temperature: { actual: { value: '19' } } }
    await mosquittoPub(port, topic('kitchen', 'twin/update'), { event_id: 'three', timestamp: 1, twin })
    const result = await sub.message(topic('kitchen', 'twin/update/result'))
    expect(result).toMatchObject({ event_id: 'three', twin })
    const document = await sub.message(topic('kitchen', 'twin/update/document'))
    expect(document.twin.temperature).toMatchObject({ last: null, current: { actual: { value: '19' } } })
    await eventually(async () => statusTwins(await fleet.api.get(keyOf('kitchen'))).temperature?.reported === '19')
  })

  test('TC_TEST_EBUS_4: Sending data to membership module', async () => {
    await register('kitchen', ...kitchen())
    const sub = await MosquittoSub.start(port, node('membership/get/result'))
    await mosquittoPub(port, node('membership/get'), { event_id: 'four', timestamp: 1 })
    const result = await sub.message(node('membership/get/result'), ({ event_id }) => event_id === 'four')
    expect(result.devices).toMatchObject([{ id: 'default/kitchen', name: 'kitchen' }])
  })

  test('TC_TEST_EBUS_5: Sending data to device module', async () => {
    // The text is that of case 2; what it publishes is an upload.
    await mosquittoPub(port, '$hw/events/upload/five', 'record five')
    await eventually(() => receiver.on('$hw/events/upload/five').includes('record five'))
  })

  test.each([
    ['TC_TEST_EBUS_6: change the device status to online from eventbus', 'online'],
    ['TC_TEST_EBUS_7: change the device status to unknown from eventbus', 'unknown'],
    ['TC_TEST_EBUS_8: change the device status to offline from eventbus', 'offline'],
  ])('%s', async (_, state) => {
    await register('kitchen', ...kitchen())
    const sub = await MosquittoSub.start(port, topic('kitchen', 'state/update/result'))
    await mosquittoPub(port, topic('kitchen', 'state/update'), { event_id: 'six', timestamp: 1, state })
    expect((await sub.message(topic('kitchen', 'state/update/result'))).device.state).toBe(state)
    expect(await members()).toMatchObject([{ id: 'default/kitchen', state }])
    await eventually(async () => (await fleet.api.get(keyOf('kitchen'))).status.state === state)
  })

  test('TC_TEST_EBUS_9: Add a sample device with device attributes to kubeedge node', async () => {
    const sub = await MosquittoSub.start(port, node('membership/updated'))
    await register('kitchen', ...kitchen({}, { description: 'a-room', floor: '1' }))
    const { added_devices } = await sub.message(node('membership/updated'))
    expect(added_devices).toMatchObject([{ id: 'default/kitchen', name: 'kitchen', description: 'a-room' }])
    const [member] = await members()
    expect(member?.attributes).toMatchObject({ floor: { value: '1' } })
  })

  test('TC_TEST_EBUS_10: Add a sample device with Twin attributes to kubeedge node', async () => {
    const sub = await MosquittoSub.start(port, node('membership/updated'), topic('kitchen', 'twin/get/result'))
    await register('kitchen', ...kitchen({ target: '21' }))
    const { added_devices } = await sub.message(node('membership/updated'))
    expect(added_devices).toMatchObject([{ id: 'default/kitchen' }])
    await mosquittoPub(port, topic('kitchen', 'twin/get'), { event_id: 'ten', timestamp: 1 })
    const { twin } = await sub.message(topic('kitchen', 'twin/get/result'))
    expect(twin.target).toMatchObject({ expected: { value: '21' }, metadata: { type: 'int' } })
  })

  test('TC_TEST_EBUS_11: Update existing device with new attributes', async () => {
    await register('kitchen', ...kitchen({}, { floor: '1' }))
    const sub = await MosquittoSub.start(port, topic('kitchen', 'updated'))
    await fleet.api.patch(keyOf('kitchen'), { metadata: { labels: { floor: '2' } } })
    expect((await sub.message(topic('kitchen', 'updated'))).attributes).toMatchObject({ floor: { value: '2' } })
    expect((await members())[0]?.attributes).toMatchObject({ floor: { value: '2' } })
  })

  test('TC_TEST_EBUS_12: Update existing device with new Twin attributes', async () => {
    await register('kitchen', ...kitchen({ target: '21' }))
    const sub = await MosquittoSub.start(port, topic('kitchen', 'twin/update/+'))
    await fleet.api.desire(keyOf('kitchen'), { target: '22' })
    const fits = ({ delta }: { delta: unknown }) => JSON.stringify(delta) === '{"target":"22"}'
    const { twin } = await sub.message(topic('kitchen', 'twin/update/delta'), fits)
    expect(twin.target).toMatchObject({ expected: { value: '22' } })
    const document = await sub.message(topic('kitchen', 'twin/update/document'))
    expect(document.twin.target).toMatchObject({
      last: { expected: { value: '21' } },
      current: { expected: { value: '22' } },
    })
  })

  test('TC_TEST_EBUS_13: Add a new Device attribute to existing device', async () => {
    await register('kitchen', ...kitchen({}, { floor: '1' }))
    const sub = await MosquittoSub.start(port, topic('kitchen', 'updated'))
    await fleet.api.patch(keyOf('kitchen'), { metadata: { labels: { wing: 'north' } } })
    expect((await sub.message(topic('kitchen', 'updated'))).attributes).toMatchObject({ wing: { value: 'north' } })
    expect((await members())[0]?.attributes).toMatchObject({ floor: { value: '1' }, wing: { value: 'north' } })
  })

  test('TC_TEST_EBUS_14: Add a new Twin attribute to existing device', async () => {
    await register('kitchen', ...kitchen())
    const sub = await MosquittoSub.start(port, topic('kitchen', 'twin/update/+'))
    const { spec } = await fleet.api.get(keyOf('kitchen'))
    const properties = [...spec.properties, { name: 'colour', desired: { value: 'red' } }]
    await fleet.api.patch(keyOf('kitchen'), { spec: { properties } })
    expect((await sub.message(topic('kitchen', 'twin/update/delta'))).delta).toEqual({ colour: 'red' })
    const document = await sub.message(topic('kitchen', 'twin/update/document'))
    expect(document.twin.colour).toMatchObject({ last: null, current: { expected: { value: 'red' } } })
  })
})

const modbusModel = (maximum = '100'): KubeObject => ({
  apiVersion: 'devices.kubeedge.io/v1beta1',
  kind: 'DeviceModel',
  metadata: { name: 'counter-model', namespace: 'default' },
  spec: {
    protocol: 'modbus',
    properties: [
      { name: 'temperature', description: 'measured', type: 'INT', accessMode: 'ReadOnly', unit: 'degree celsius' },
      { name: 'limit', description: 'switches off above', type: 'INT', accessMode: 'ReadWrite', minimum: '0', maximum },
    ],
  },
})

function modbusDevice(name: string, at: ModbusServer, limit = '20'): KubeObject {
  const visitor = (register: string, offset: number) => ({
    protocolName: 'modbus',
    configData: { register, offset, limit: 1, scale: 1, isSwap: false, isRegisterSwap: false },
  })
  return {
    apiVersion: 'devices.kubeedge.io/v1beta1',
    kind: 'Device',
    metadata: { name, namespace: 'default' },
    spec: {
      deviceModelRef: { name: 'counter-model' },
      nodeName: 'edge-1',
      protocol: {
        protocolName: 'modbus',
        configData: { communicateMode: 'TCP', ip: '127.0.0.1', port: at.port, slaveID: 1 },
      },
      properties: [
        { name: 'temperature', collectCycle: 100, visitors: visitor('InputRegister', 0) },
        { name: 'limit', collectCycle: 100, desired: { value: limit }, visitors: visitor('HoldingRegister', 1) },
      ],
    },
  }
}

async function counter(): Promise<ModbusServer> {
  const server = await ModbusServer.start()
  server.input.set(100_000, 23)
  await register('counter', modbusModel(), modbusDevice('counter', server))
  return server
}

describe('end to end', () => {
  const modelKey = 'devicemodels/default/counter-model'
  const ready = async () => {
    const { status } = await fleet.api.get(keyOf('counter'))
    return status?.conditions?.find(({ type }: { type: string }) => type === 'Ready')
  }

  async function model(): Promise<void> {
    await fleet.api.create(modbusModel())
    onTestFinished(() => fleet.api.remove(modelKey))
  }

  test('E2E_CREATE_DEVICE_MODEL_1: Create device model for modbus protocol', async () => {
    await model()
    expect((await fleet.api.get(modelKey)).spec).toEqual(modbusModel().spec)
  })

  test('E2E_UPDATE_DEVICE_MODEL_1: Update device model for modbus protocol', async () => {
    await counter()
    await fleet.api.desire(keyOf('counter'), { limit: '150' })
    await eventually(async () => (await ready())?.reason === 'DesiredInvalid')
    await fleet.api.patch(modelKey, { spec: modbusModel('200').spec })
    // The node enforces the model as it is now.
    await eventually(async () => (await ready())?.status === 'True')
    await eventually(async () => statusTwins(await fleet.api.get(keyOf('counter'))).limit?.reported === '150')
  })

  test('E2E_UPDATE_DEVICE_MODEL_2: Update device model for incorrect device model', async () => {
    await model()
    const properties = [{ name: 'temperature', type: 'TEMPERATURE', accessMode: 'ReadOnly' }]
    const { code, text } = await fleet.api.tryPatch(modelKey, { spec: { properties } })
    expect([code, text]).toEqual([422, expect.stringContaining('spec.properties[0].type')])
    expect((await fleet.api.get(modelKey)).spec).toEqual(modbusModel().spec)
  })

  test('E2E_DELETE_DEVICE_MODEL_1: Delete non existent device model(No Protocol)', async () => {
    await expect(fleet.api.remove('devicemodels/default/nobody')).rejects.toThrow('the API answered 404')
  })

  test('E2E_CREATE_DEVICE_1: Create device instance for modbus protocol', async () => {
    const server = await counter()
    await eventually(async () => {
      const { temperature, limit } = statusTwins(await fleet.api.get(keyOf('counter')))
      return temperature?.reported === '23' && limit?.reported === '20'
    })
    expect(server.holding.get(100_001)).toBe(20)
  })

  test('E2E_UPDATE_DEVICE_1: Update device instance for modbus protocol', async () => {
    const server = await counter()
    await fleet.api.desire(keyOf('counter'), { limit: '30' })
    await eventually(() => server.holding.get(100_001) === 30)
    await eventually(async () => statusTwins(await fleet.api.get(keyOf('counter'))).limit?.reported === '30')
  })

  test('E2E_UPDATE_DEVICE_2: Update device instance for incorrect device instance', async () => {
    await counter()
    const before = await fleet.api.get(keyOf('counter'))
    const { code, text } = await fleet.api.tryPatch(keyOf('counter'), {
      spec: { properties: [{ name: 'limit', desired: { metadata: { type: 'int' } } }] },
    })
    expect([code, text]).toEqual([422, expect.stringContaining('spec.properties[0].desired.value')])
    expect((await fleet.api.get(keyOf('counter'))).spec).toEqual(before.spec)
  })

  test('E2E_DELETE_DEVICE_1: Delete device instance for an existing device', async () => {
    await counter()
    await fleet.api.remove(keyOf('counter'))
    expect(await fleet.api.find(keyOf('counter'))).toBeUndefined()
    await eventually(async () => (await members()).length === 0)
  })

  test('E2E_DELETE_DEVICE_2: Delete device instance for a non-existing device', async () => {
    await expect(fleet.api.remove(keyOf('nobody'))).rejects.toThrow('the API answered 404')
  })

  async function mapper(): Promise<TestMapper> {
    const edgecore = mapperSocket(fleet.node('edge-1').data)
    const started = await TestMapper.start({ dir: tempDir(), edgecore, name: 'modbus-mapper', protocol: 'modbus' })
    onTestFinished(() => started.stop())
    return started
  }

  test('E2E_MAPPER_1: Create mapper for modbus protocol', async () => {
    // KubeEdge deploys the mapper's pod; here it is a process on the node that registers, as that pod does.
    await counter()
    const modbus = await mapper()
    await eventually(() => modbus.devices.get('default/counter') && modbus.models.get('default/counter-model'))
  })

  test('E2E_MAPPER_2: Test the connection of mapper and device', async () => {
    await counter()
    const modbus = await mapper()
    await eventually(() => modbus.desired('default/counter', 'limit') === '20')
    await eventually(async () => {
      // Again each time: the driver that served the device until now may have had a value on its way.
      await modbus.report('counter', { temperature: '42', limit: '20' })
      await modbus.state('counter', 'ok')
      const device = await fleet.api.get(keyOf('counter'))
      return statusTwins(device).temperature?.reported === '42' && device.status.state === 'ok'
    })
    await fleet.api.desire(keyOf('counter'), { limit: '33' })
    await eventually(() => modbus.desired('default/counter', 'limit') === '33')
  })
})
