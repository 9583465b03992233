import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { convertCommand } from '@kedge/cloudcore/cli/convert'
import { convert } from '@kedge/cloudcore/convert/convert'
import { parseDevice, parseDeviceModel } from '@kedge/shared/devices'
import { UserError } from '@kedge/shared/errors'
import { expect, test } from 'vitest'
import { parseAllDocuments } from 'yaml'
import { tempDir } from '../../../support/temp-dir.ts'

const model = {
  apiVersion: 'devices.kubeedge.io/v1alpha2',
  kind: 'DeviceModel',
  metadata: { name: 'sensor-tag-model', namespace: 'default', resourceVersion: '7', uid: 'u' },
  spec: {
    properties: [
      {
        name: 'temperature',
        description: 'in degrees Celsius',
        type: { int: { accessMode: 'ReadWrite', maximum: 100, unit: '°C', defaultValue: 20 } },
      },
      { name: 'led', type: { string: { accessMode: 'ReadWrite', defaultValue: '' } } },
      { name: 'raw', type: { bytes: { accessMode: 'ReadOnly' } } },
    ],
  },
}

const device = {
  apiVersion: 'devices.kubeedge.io/v1alpha2',
  kind: 'Device',
  metadata: {
    name: 'sensor-tag01',
    namespace: 'default',
    labels: { description: 'TI SensorTag' },
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}' },
  },
  spec: {
    deviceModelRef: { name: 'sensor-tag-model' },
    nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: '', operator: 'In', values: ['node1'] }] }] },
    protocol: {
      modbus: { slaveID: 1 },
      common: { com: { serialPort: '/dev/ttyS0', baudRate: 9600, dataBits: 8, parity: 'even', stopBits: 1 } },
    },
    propertyVisitors: [
      {
        propertyName: 'temperature',
        collectCycle: 500_000_000,
        reportCycle: 1_000_000_000,
        modbus: { register: 'HoldingRegister', offset: 2, limit: 1, scale: 0.1, isSwap: true, isRegisterSwap: true },
        customizedValues: { def1: 'x' },
      },
    ],
    data: { dataTopic: '$ke/events/device/+/data/update', dataProperties: [{ metadata: { type: 'string' } }] },
  },
  status: { twins: [{ propertyName: 'led', desired: { metadata: { type: 'string' }, value: 'ON' } }] },
}

test('a model keeps its properties, types and limits, as text', () => {
  const converted = convert(model)
  expect(converted).toEqual({
    ok: true,
    object: {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind: 'DeviceModel',
      metadata: { name: 'sensor-tag-model', namespace: 'default' },
      spec: {
        properties: [
          {
            name: 'temperature',
            description: 'in degrees Celsius',
            type: 'INT',
            accessMode: 'ReadWrite',
            maximum: '100',
            unit: '°C',
          },
          { name: 'led', type: 'STRING', accessMode: 'ReadWrite' },
          { name: 'raw', type: 'BYTES', accessMode: 'ReadOnly' },
        ],
      },
    },
    notes: ['property temperature: the default value 20 has no place in a model; desire it in the devices'],
  })
})

test('a device gets its node, its protocol, and what visitors and twins said of each property', () => {
  const converted = convert(device)
  expect(converted).toMatchObject({
    ok: true,
    object: {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      metadata: { name: 'sensor-tag01', namespace: 'default', labels: { description: 'TI SensorTag' } },
      spec: {
        deviceModelRef: { name: 'sensor-tag-model' },
        nodeName: 'node1',
        protocol: {
          protocolName: 'modbus',
          configData: {
            communicateMode: 'RTU',
            serialPort: '/dev/ttyS0',
            baudRate: 9600,
            dataBits: 8,
            parity: 'even',
            stopBits: 1,
            slaveID: 1,
          },
        },
        properties: [
          {
            name: 'temperature',
            collectCycle: 500,
            reportCycle: 1000,
            reportToCloud: true,
            visitors: {
              protocolName: 'modbus',
              configData: { register: 'HoldingRegister', offset: 2, limit: 1, scale: 0.1, isSwap: true, def1: 'x' },
            },
          },
          { name: 'led', desired: { value: 'ON', metadata: { type: 'string' } } },
        ],
      },
    },
  })
  expect(converted.ok && converted.notes).toEqual([
    'spec.data (topic $ke/events/device/+/data/update) has no place in a device; give the properties a pushMethod.mqtt',
  ])
})

test.each([
  [
    'modbus over TCP',
    { modbus: { slaveID: 2 }, common: { tcp: { ip: '10.0.0.1', port: 502 } } },
    { protocolName: 'modbus', configData: { communicateMode: 'TCP', ip: '10.0.0.1', port: 502, slaveID: 2 } },
  ],
  ['opcua', { opcua: { url: 'opc.tcp://x' } }, { protocolName: 'opcua', configData: { url: 'opc.tcp://x' } }],
  [
    'a protocol of its own',
    { customizedProtocol: { protocolName: 'foo', configData: { a: 1 } }, common: { customizedValues: { b: 2 } } },
    { protocolName: 'foo', configData: { a: 1, b: 2 } },
  ],
  ['none', undefined, undefined],
])('protocol: %s', (_, protocol, expected) => {
  const converted = convert({ ...device, spec: { ...device.spec, protocol } })
  expect(converted.ok && (converted.object.spec as { protocol?: unknown }).protocol).toEqual(expected)
})

test('what comes out is what Kedge takes', () => {
  for (const [object, parse] of [
    [model, parseDeviceModel],
    [device, parseDevice],
  ] as const) {
    const converted = convert(object)
    expect(converted.ok && parse(converted.object)).toMatchObject({ ok: true })
  }
})

test('a device that two nodes could have gets the first, and no node at all is said', () => {
  const on = (values: string[]) => ({
    ...device.spec,
    data: undefined,
    nodeSelector: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'k', operator: 'In', values }] }] },
  })
  expect(convert({ ...device, spec: on(['a', 'b']) })).toMatchObject({
    object: { spec: { nodeName: 'a' } },
    notes: ['spec.nodeSelector names a, b; a device has one node: the first is taken'],
  })
  expect(convert({ ...device, spec: on([]) })).toMatchObject({ notes: [expect.stringContaining('set spec.nodeName')] })
})

test.each([
  [{ ...model, kind: 'Devise' }, 'kind: found "Devise"'],
  [
    { ...model, spec: { properties: [{ name: 'x', type: { int: {}, float: {} } }] } },
    'spec.properties.0.type: exactly one of',
  ],
  [{ ...device, metadata: {} }, 'metadata.name'],
])('what cannot be read is refused with the field', (object, reason) => {
  expect(convert(object)).toEqual({ ok: false, reason: expect.stringContaining(reason) })
})

test('the command writes all documents of a file, the ones that it does not know as they are', () => {
  const file = join(tempDir(), 'old.json')
  const other = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'c' } }
  writeFileSync(file, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [model, device, other] }))
  const notes: string[] = []
  const written = convertCommand(['device', file], { note: (line) => notes.push(line) })
  const objects = parseAllDocuments(written).map((document) => document.toJS() as { kind: string; apiVersion: string })
  expect(objects.map(({ kind, apiVersion }) => `${apiVersion} ${kind}`)).toEqual([
    'devices.kubeedge.io/v1beta1 DeviceModel',
    'devices.kubeedge.io/v1beta1 Device',
    'v1 ConfigMap',
  ])
  expect(notes).toEqual([
    expect.stringMatching(/^DeviceModel sensor-tag-model: /),
    expect.stringMatching(/^Device sensor-tag01: /),
  ])
})

test.each([
  [['device'], 'the command is: cloudcore convert device FILE'],
  [['pod', 'x'], 'the command is: cloudcore convert device FILE'],
  [['device', '/nowhere/x.yaml'], '/nowhere/x.yaml cannot be read'],
])('%j is answered with what would be right', (argv, reason) => {
  expect(() => convertCommand(argv, { note: () => {} })).toThrow(UserError)
  expect(() => convertCommand(argv, { note: () => {} })).toThrow(reason)
})
