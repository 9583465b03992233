import type { Driver, DriverHost } from '@kedge/edgecore/devices/drivers/driver'
import { virtualDriver } from '@kedge/edgecore/devices/drivers/virtual'
import { expect, onTestFinished, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'

const virtual = { protocolName: 'virtual' }
const quick = { collectCycle: 10, reportCycle: 10 }

function property(name: string, configData?: Record<string, unknown>, desired?: string) {
  const visitors = configData && { protocolName: 'virtual', configData }
  return { name, ...quick, visitors, desired: desired === undefined ? undefined : { value: desired } }
}

const climate = model('climate', {
  properties: [
    { name: 'temperature', type: 'FLOAT', accessMode: 'ReadOnly', minimum: '-20', maximum: '60' },
    { name: 'target', type: 'FLOAT', accessMode: 'ReadWrite', minimum: '5', maximum: '30' },
    { name: 'heating', type: 'BOOLEAN', accessMode: 'ReadOnly' },
  ],
})

function thermostat(target: string, extra: Record<string, unknown> = {}) {
  return device('room', {
    model: 'climate',
    protocol: { ...virtual, configData: { device: 'thermostat', timeConstantMs: 200, ...extra } },
    properties: [property('temperature'), property('target', undefined, target), property('heating')],
  })
}

test('a virtual thermostat does what is desired, reports it, and says that it is virtual', async () => {
  const node = await DeviceNode.start()
  const client = await (await node.connect()).subscribe('$hw/#')
  await node.apply(climate, thermostat('21'))
  const twins = () => node.report('room')?.twins
  await eventually(
    () => twins()?.target?.reported?.value === '21' && Number(twins()?.temperature?.reported?.value) > 20.5,
  )
  expect(node.report('room')).toMatchObject({ state: 'online', lastOnlineTime: expect.stringMatching(/Z$/) })
  expect(node.events('VirtualDevice')[0]?.message).toContain('virtual')
  await node.apply(thermostat('25'))
  // On a busy machine the room takes long steps and overshoots: that alone does not say that it was told.
  await eventually(
    () => twins()?.target?.reported?.value === '25' && Number(twins()?.temperature?.reported?.value) > 24,
  )
  await eventually(() => client.on('$hw/events/device/default/room/twin/update/document').length > 3)
})

test('a local change of desired reaches the driver as well', async () => {
  const node = await DeviceNode.start()
  await node.apply(climate, thermostat('21'))
  const client = await node.connect()
  await client.publish('$hw/events/device/default/room/twin/update', {
    twin: { target: { expected: { value: '28' } } },
  })
  await eventually(() => node.report('room')?.twins?.target?.reported?.value === '28')
})

test('generators are chosen per property; without one it obeys or moves within the model', async () => {
  const node = await DeviceNode.start()
  await node.apply(
    model('many', {
      properties: [
        { name: 'ramp', type: 'INT', accessMode: 'ReadOnly' },
        { name: 'idle', type: 'INT', accessMode: 'ReadOnly', minimum: '3', maximum: '3' },
        { name: 'switch', type: 'STRING', accessMode: 'ReadWrite' },
      ],
    }),
    device('all', {
      model: 'many',
      protocol: virtual,
      properties: [
        property('ramp', { generator: 'ramp', from: 0, to: 1000, periodMs: 100_000 }),
        property('idle'),
        property('switch', undefined, 'ON'),
      ],
    }),
  )
  const twins = () => node.report('all')?.twins
  await eventually(() => Number(twins()?.ramp?.reported?.value) > 0)
  expect(twins()?.idle?.reported?.value).toBe('3')
  expect(twins()?.switch?.reported?.value).toBe('ON')
})

test('a configuration that is wrong shows on that device alone', async () => {
  const node = await DeviceNode.start()
  const wrong = device('wrong', {
    protocol: virtual,
    properties: [property('level', { generator: 'ramp', from: 0 })],
  })
  await node.apply(model(), climate, wrong, thermostat('21'))
  await eventually(() => node.report('room')?.twins?.temperature)
  expect(node.report('wrong')?.state).toBe('unhealthy')
  expect(node.events('DriverFailed')[0]?.message).toMatch(/level.*configData\.to/)
  await node.apply(device('wrong', { protocol: virtual, properties: [property('level', undefined, '5')] }))
  await eventually(() => node.report('wrong')?.state === 'online')
})

test('a value that the model refuses becomes an event, and the device goes on', async () => {
  const node = await DeviceNode.start()
  const sine = { generator: 'sine', mean: 100, amplitude: 50, periodMs: 200 }
  await node.apply(model(), device('lamp', { protocol: virtual, properties: [property('level', sine)] }))
  await eventually(() => node.events('DriverFailed').length > 0)
  expect(node.events('DriverFailed')[0]?.message).toContain('above the maximum 100')
  await eventually(() => Number(node.report('lamp')?.twins?.level?.reported?.value) < 80)
})

/** A driver that writes down what it is told. */
function recorder(act: (host: DriverHost, id: string) => void = () => undefined) {
  const calls: string[] = []
  const driver: Driver = {
    protocols: ['recorder'],
    start: ({ name, desired }, host) => {
      calls.push(`start ${name} ${JSON.stringify(Object.fromEntries(desired))}`)
      act(host, name)
      return {
        desired: (changes) => {
          calls.push(`desired ${name} ${JSON.stringify(changes)}`)
          if (changes.led === 'BOOM') throw new Error('boom')
        },
        stop: async () => {
          calls.push(`stop ${name}`)
        },
      }
    },
  }
  return { driver, calls }
}

const recorded = { protocolName: 'recorder' }

test('a driver hears of edits, restarts for other changes and stops with its device', async () => {
  const { driver, calls } = recorder()
  const node = await DeviceNode.start({ drivers: [driver, virtualDriver] })
  await node.apply(model(), device('lamp', { protocol: recorded, desired: { led: 'ON' } }))
  await node.apply(device('lamp', { protocol: recorded, desired: { led: 'OFF' } }))
  await node.apply(device('lamp', { protocol: recorded, desired: { led: 'OFF' }, labels: { a: 'b' } }))
  await node.apply(device('lamp', { protocol: recorded }))
  await node.apply(device('lamp', { protocol: { ...recorded, configData: { port: 1 } } }))
  await node.drop('devices/default/lamp')
  await eventually(() => calls.length >= 6)
  expect(calls).toEqual([
    'start lamp {"led":"ON"}',
    'desired lamp {"led":"OFF"}',
    'desired lamp {"led":""}',
    'stop lamp',
    'start lamp {}',
    'stop lamp',
  ])
})

test('a restart waits for the stop, and only the newest description starts', async () => {
  const calls: string[] = []
  const stops: (() => void)[] = []
  let over = false
  const stop = () => new Promise<void>((resolve) => (over ? resolve() : stops.push(resolve)))
  const driver: Driver = {
    protocols: ['recorder'],
    start: ({ spec }) => {
      calls.push(`start ${spec.protocol?.configData?.port}`)
      return { desired: () => undefined, stop }
    },
  }
  const node = await DeviceNode.start({ drivers: [driver] })
  onTestFinished(() => {
    over = true
    for (const resolve of stops) resolve()
  })
  const at = (port: number) => device('lamp', { protocol: { ...recorded, configData: { port } } })
  await node.apply(model(), at(1))
  await node.apply(at(2))
  await node.apply(at(3))
  expect(calls).toEqual(['start 1'])
  stops[0]?.()
  await eventually(() => calls.length === 2)
  expect(calls).toEqual(['start 1', 'start 3'])
  const stopped = node.stop()
  await eventually(() => stops.length === 2)
  stops[1]?.()
  await stopped
})

test('an exception in a driver stays with its device', async () => {
  const { driver, calls } = recorder((host, id) => {
    if (id === 'bad') throw new Error('no such port')
    host.report({ led: 'ON' }).catch(() => undefined)
  })
  const node = await DeviceNode.start({ drivers: [driver] })
  await node.apply(model(), device('bad', { protocol: recorded }), device('good', { protocol: recorded }))
  await eventually(() => node.report('good')?.twins?.led?.reported?.value === 'ON')
  await eventually(() => node.report('bad')?.state === 'unhealthy')
  await node.apply(device('good', { protocol: recorded, desired: { led: 'BOOM' } }))
  await eventually(() => node.events('DriverFailed').length === 2)
  expect(node.events('DriverFailed').map(({ message }) => message)).toEqual(['no such port', 'boom'])
  expect(calls).toContain('desired good {"led":"BOOM"}')
})

test('stopping the node stops the drivers', async () => {
  const { driver, calls } = recorder()
  const node = await DeviceNode.start({ drivers: [driver] })
  await node.apply(model(), device('lamp', { protocol: recorded }))
  await node.stop()
  expect(calls.at(-1)).toBe('stop lamp')
})
