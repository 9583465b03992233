import { wireDevice, wireModel } from '@kedge/edgecore/devices/dmi/describe'
import { Device, DeviceModel } from '@kedge/shared/devices'
import type { Twin } from '@kedge/shared/twin'
import { expect, test } from 'vitest'
import { unwrap } from '../../../../contract/devices/dmi-mapper.ts'
import { manifests } from '../../../../support/device-manifests.ts'

const named = (kind: string, name: string) =>
  manifests.find((each) => each.kind === kind && each.metadata.name === name) ?? { metadata: { name } }

function wire(name: string, modelName = 'room-sensor', twins: ReadonlyMap<string, Twin> = new Map()) {
  const device = Device.parse(named('Device', name))
  const model = DeviceModel.parse(named('DeviceModel', modelName))
  return wireDevice({ namespace: 'plant', name, device, model, twins })
}

function unwrapped({ configData }: { configData: { data: Record<string, never> } }) {
  return Object.fromEntries(Object.entries(configData.data).map(([key, value]) => [key, unwrap(value)]))
}

const twin: Twin = {
  type: 'int',
  optional: true,
  deleted: false,
  cloudDesired: '21',
  desired: { value: '23', at: 5, version: 2 },
  reported: { value: '20', at: 7, version: 1 },
}

test("KubeEdge's own manifest in the words of the interface", () => {
  const { name, namespace, spec, status } = wire('sensor-1', 'room-sensor', new Map([['setpoint', twin]]))
  expect([namespace, name, spec.deviceModelReference]).toEqual(['plant', 'sensor-1', 'room-sensor'])
  expect(unwrapped(spec.protocol as never)).toEqual({
    // From the model.
    timeout: 500,
    slaveID: 1,
    communicateMode: 'rtu',
    serialPort: '/dev/ttyS0',
    baudRate: 9600,
  })
  const [temperature, setpoint] = spec.properties
  expect(temperature).toMatchObject({
    name: 'temperature',
    desired: { value: '' },
    reportCycle: 10000,
    collectCycle: 2000,
    reportToCloud: true,
    pushMethod: { mqtt: { address: 'tcp://127.0.0.1:1883', topic: 'room/temperature', qos: 1, retained: true } },
  })
  expect(unwrapped(temperature?.visitors as never)).toEqual({
    register: 'HoldingRegister',
    offset: 2,
    limit: 1,
    scale: Math.fround(0.1),
    isSwap: false,
    isRegisterSwap: true,
    further: '{"bits":[1,2,3],"nothing":null}',
  })
  // The value in force here, not the one in the manifest.
  expect(setpoint?.desired).toEqual({ value: '23', metadata: { type: 'int', timestamp: '1700000000000' } })
  expect(setpoint?.pushMethod).toMatchObject({
    http: { hostname: 'http://127.0.0.1', port: 8080, requestpath: '/values', timeout: 500 },
    otel: { endpointURL: 'http://127.0.0.1:4318/v1/metrics' },
    anomalyDetection: { data: { rule: expect.anything() } },
  })
  expect(spec.methods).toEqual([
    { name: 'comfort', description: 'sets the room to comfort', propertyNames: ['setpoint'] },
  ])
  expect(status).toMatchObject({ reportToCloud: true, reportCycle: 60000 })
  expect(status.twins[1]).toMatchObject({ observedDesired: { value: '23' }, reported: { value: '20' } })
})

test('databases by the names of the interface', () => {
  const [property] = wire('tag').spec.properties
  expect(property?.pushMethod).toMatchObject({
    dbMethod: {
      influxdb2: { influxdb2ClientConfig: { bucket: 'tags' }, influxdb2DataConfig: { tag: { unit: 'none' } } },
      redis: { redisClientConfig: { poolsize: 30 } },
      tdengine: { tdEngineClientConfig: { addr: '127.0.0.1:6041', dbname: 'tags' } },
      mysql: { mysqlClientConfig: { userName: 'kedge' } },
    },
  })
})

test('what mappers read without asking is there for the barest device', () => {
  expect(wire('unbound', 'none')).toEqual({
    name: 'unbound',
    namespace: 'plant',
    spec: {
      deviceModelReference: '',
      protocol: { protocolName: '', configData: { data: {} } },
      properties: [],
      methods: [],
    },
    status: { twins: [], reportToCloud: false, reportCycle: 0 },
  })
  const [power] = wire('lamp').spec.properties
  expect(power).toMatchObject({ desired: { value: '' }, visitors: { protocolName: 'mqtt', configData: { data: {} } } })
})

test('visitors of the model hold where the device has none of its own', () => {
  const device = Device.parse({
    metadata: { name: 'eye' },
    spec: { properties: [{ name: 'camera', visitors: { configData: { format: 'png' } } }] },
  })
  const model = DeviceModel.parse(named('DeviceModel', 'room-sensor'))
  const [camera] = wireDevice({ namespace: 'plant', name: 'eye', device, model, twins: new Map() }).spec.properties
  expect(camera?.visitors.protocolName).toBe('onvif')
  expect(unwrapped(camera?.visitors as never)).toEqual({ format: 'png', frameCount: 30 })
})

test('a model', () => {
  const { name, namespace, spec } = wireModel('plant', DeviceModel.parse(named('DeviceModel', 'room-sensor')))
  expect([namespace, name]).toEqual(['plant', 'room-sensor'])
  expect(spec.properties[0]).toMatchObject({ name: 'temperature', type: 'FLOAT', minimum: '-40', maximum: '85' })
})
