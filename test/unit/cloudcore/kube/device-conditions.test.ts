import { conditionOf } from '@kedge/cloudcore/kube/conditions'
import { type DeviceFacts, deviceConditions } from '@kedge/cloudcore/kube/device-conditions'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

const model: KubeObject = {
  metadata: { name: 'thermostat', namespace: 'default' },
  spec: {
    properties: [
      { name: 'target', type: 'FLOAT', accessMode: 'ReadWrite', minimum: '5', maximum: '30' },
      { name: 'temp', type: 'FLOAT', accessMode: 'ReadOnly' },
    ],
  },
}

function device(spec: Record<string, unknown> = {}, status?: Record<string, unknown>): KubeObject {
  const whole = { deviceModelRef: { name: 'thermostat' }, nodeName: 'edge-1', properties: [], ...spec }
  return { metadata: { name: 'd', namespace: 'default', generation: 3 }, spec: whole, status }
}

const desired = (name: string, value: string) => ({ properties: [{ name, desired: { value } }] })

function facts(over: Partial<DeviceFacts>): DeviceFacts {
  return { device: device(), model, node: 'connected', twins: [], ...over }
}

function readyOf(over: Partial<DeviceFacts>) {
  return conditionOf({ conditions: deviceConditions(facts(over)) }, 'Ready')
}

test.each<[string, Partial<DeviceFacts>, string, string]>([
  ['all is there', {}, 'True', 'Synced'],
  ['the model is missing', { model: undefined }, 'False', 'ModelNotFound'],
  ['no model is named', { device: device({ deviceModelRef: {} }), model: undefined }, 'False', 'ModelNotSet'],
  ['the node is missing', { node: 'missing' }, 'False', 'NodeNotFound'],
  ['no node is named', { device: device({ nodeName: '' }), node: 'missing' }, 'False', 'NodeNotSet'],
  ['a value is out of range', { device: device(desired('target', '31')) }, 'False', 'DesiredInvalid'],
  ['a value has the wrong type', { device: device(desired('target', 'warm')) }, 'False', 'DesiredInvalid'],
  [
    'a property is none of the model',
    { device: device({ properties: [{ name: 'temp' }, { name: 'tmep' }] }) },
    'False',
    'PropertyNotInModel',
  ],
  ['a property is read-only', { device: device(desired('temp', '20')) }, 'False', 'DesiredInvalid'],
  [
    'the model itself is wrong',
    { model: { ...model, spec: { properties: 3 } } as unknown as KubeObject },
    'False',
    'ModelInvalid',
  ],
  ['the device itself is wrong', { device: device({ properties: [{}] }) }, 'False', 'Invalid'],
  [
    'the node cannot use it',
    { sync: { state: 'refused', reason: 'no', wanted: { generation: 3 } } },
    'False',
    'RefusedByNode',
  ],
  [
    'the node cannot use its model',
    { modelSync: { state: 'refused', reason: 'no', wanted: { generation: 1 } } },
    'False',
    'ModelRefusedByNode',
  ],
  ['the node is out of reach', { node: 'disconnected' }, 'Unknown', 'NodeDisconnected'],
])('Ready when %s', (_, over, status, reason) => {
  expect(readyOf(over)).toMatchObject({ status, reason, observedGeneration: 3 })
})

test('all faults are in the message, each with what it is about', () => {
  const ready = readyOf({ model: undefined, node: 'missing' })
  expect(ready).toMatchObject({ reason: 'ModelNotFound' })
  expect(ready?.message).toContain('thermostat')
  expect(ready?.message).toContain('edge-1')
  expect(readyOf({ device: device(desired('target', '31')) })?.message).toContain('target')
  const misspelt = device({ properties: [{ name: 'target', desired: { value: '31' } }, { name: 'tmep' }] })
  expect(readyOf({ device: misspelt })?.message).toBe(
    'DeviceModel thermostat has no property tmep; desired value of target: the value 31 is above the maximum 30',
  )
})

test('until the node has been heard of, what was said stays, and a fault is told all the same', () => {
  const held = { type: 'Ready', status: 'True', reason: 'Synced', message: 'the device is kept by its node' }
  expect(readyOf({ node: 'unknown' })).toBeUndefined()
  expect(readyOf({ node: 'unknown', device: device({}, { conditions: [held] }) })).toMatchObject(held)
  expect(readyOf({ node: 'unknown', model: undefined })).toMatchObject({ reason: 'ModelNotFound' })
  const fixed = { ...held, status: 'False', reason: 'ModelNotFound' }
  expect(readyOf({ node: 'unknown', device: device({}, { conditions: [fixed] }) })).toBeUndefined()
})

test('InSync compares what is desired with what is reported', () => {
  const asked = device(desired('target', '21'))
  const twins = (value: string) => [{ propertyName: 'target', reported: { value } }]
  const inSync = (over: Partial<DeviceFacts>) => conditionOf({ conditions: deviceConditions(facts(over)) }, 'InSync')
  expect(inSync({})).toMatchObject({ status: 'True' })
  expect(inSync({ device: asked })).toMatchObject({ status: 'False', message: expect.stringContaining('target') })
  expect(inSync({ device: asked, twins: twins('20') })).toMatchObject({ status: 'False' })
  expect(inSync({ device: asked, twins: twins('21') })).toMatchObject({ status: 'True' })
})

test.each<[string, DeviceFacts['sync'], object | undefined]>([
  ['nothing is known', undefined, undefined],
  ['it is on its way', { state: 'sending', wanted: { generation: 3 } }, undefined],
  ['its node holds it', { state: 'held', wanted: { generation: 3 } }, { status: 'True', reason: 'Held' }],
  ['its node holds another generation', { state: 'held', wanted: { generation: 2 } }, undefined],
  ['its node is away', { state: 'waiting', wanted: { generation: 3 } }, { status: 'False', reason: 'NodeAway' }],
  [
    'its node cannot use it',
    { state: 'refused', reason: 'no such type', wanted: { generation: 3 } },
    { status: 'False', reason: 'Refused', message: 'the node cannot use the device: no such type' },
  ],
])('Synced when %s', (_, sync, condition) => {
  const held = conditionOf({ conditions: deviceConditions(facts({ sync })) }, 'Synced')
  if (condition === undefined) expect(held).toBeUndefined()
  else expect(held).toMatchObject({ ...condition, observedGeneration: 3 })
})
