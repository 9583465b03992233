import { Client, credentials } from '@grpc/grpc-js'
import { expect, onTestFinished, test } from 'vitest'
import { device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { lamp, start } from './dmi-rig.ts'

test('a mapper registers, gets its devices and models, and is told of every change', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp({ desired: { led: 'ON' } }), device('other', { protocol: { protocolName: 'else' } }))
  const it = await mapper()
  expect([...it.devices.keys()]).toEqual(['default/lamp'])
  expect([...it.models.keys()]).toEqual(['default/room'])
  expect(it.desired('default/lamp', 'led')).toBe('ON')

  await node.apply(lamp({ desired: { led: 'OFF' } }))
  await eventually(() => it.desired('default/lamp', 'led') === 'OFF')
  await node.apply(lamp({}, 'second'))
  await eventually(() => it.devices.has('default/second'))
  await node.drop('devices/default/lamp')
  await eventually(() => !it.devices.has('default/lamp'))
  await node.apply(model('room', { properties: [{ name: 'led', type: 'STRING', unit: 'none' }] }))
  await eventually(() => it.models.get('default/room')?.spec.properties[0].unit === 'none')
  await node.drop('devices/default/second')
  await eventually(() => it.models.size === 0)
  expect(it.methods).toEqual([
    'UpdateDevice',
    'RegisterDevice',
    'RemoveDevice',
    'UpdateDeviceModel',
    'UpdateDevice',
    'RemoveDevice',
    'RemoveDeviceModel',
  ])
})

test('a report is kept before it is answered, and shows on MQTT and upward', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp({ desired: { led: 'ON' } }))
  const client = await (await node.connect()).subscribe('$hw/#')
  const it = await mapper()
  await it.report('lamp', { temperature: '21', led: 'OFF' })
  const kept = node.store.db.prepare("SELECT reported_value FROM twins WHERE property = 'temperature'").pluck().get()
  expect(kept).toBe('21')
  expect(node.report('lamp')?.twins?.temperature).toMatchObject({ type: 'int', reported: { value: '21' } })
  // What the mapper says it has observed, an empty text here, does not undo what is desired.
  expect(node.report('lamp')?.twins?.led).toMatchObject({ desired: { value: 'ON' }, reported: { value: 'OFF' } })
  const document = await client.message('$hw/events/device/default/lamp/twin/update/document')
  expect(document.twin.temperature.current.actual.value).toBe('21')
  await it.state('lamp', 'ok')
  expect(node.report('lamp')?.state).toBe('ok')
  await it.state('lamp', 'disconnected')
  expect(node.report('lamp')?.state).toBe('offline')
})

test('a local edit reaches the mapper, and the namespace of a device may be left out', async () => {
  const { node, mapper } = await start()
  const namespace = 'dev'
  await node.apply(model('room', { namespace }), lamp({ namespace }))
  const it = await mapper()
  const client = await node.connect()
  const update = { twin: { led: { expected: { value: 'DIM' } } } }
  await client.publish('$hw/events/device/dev/lamp/twin/update', update)
  await eventually(() => it.desired('dev/lamp', 'led') === 'DIM')
  await it.report('lamp', { led: 'DIM' }, '')
  expect(node.report('lamp', 'dev')?.twins?.led?.reported?.value).toBe('DIM')
})

test('what is wrong with a request is answered, and nothing else suffers from it', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp())
  const it = await mapper()
  const rejected = (call: Promise<unknown>) =>
    call.then(
      () => undefined,
      ({ code, details }) => ({ code, details }),
    )
  expect(await rejected(it.report('nobody', { led: 'ON' }))).toEqual({
    code: 5,
    details: 'device default/nobody is not on this node',
  })
  expect(await rejected(it.report('lamp', { temperature: 'warm', led: 'ON' }))).toEqual({
    code: 3,
    details: 'temperature: the value is not int or integer',
  })
  expect(node.report('lamp')?.twins?.led?.reported?.value).toBe('ON')
  expect(node.events('WriteRefused')[0]?.message).toContain('temperature')
  const status = (request: object) => rejected(it.call('ReportDeviceStatus', request))
  expect(await status({})).toMatchObject({ code: 3, details: expect.stringContaining('deviceName') })
  const lampOf = (reportedDevice: unknown) => ({ deviceName: 'lamp', reportedDevice })
  expect(await status(lampOf(undefined))).toMatchObject({ code: 3, details: expect.stringContaining('twin data') })
  expect(await status(lampOf({ twins: [] }))).toMatchObject({ code: 3 })
  expect(await status(lampOf({ twins: [{}] }))).toMatchObject({ code: 3 })
  expect(await status(lampOf({ twins: [{ propertyName: '__proto__', reported: { value: '1' } }] }))).toMatchObject({
    code: 3,
  })
  expect(await status(lampOf({ twins: [{ propertyName: 'led' }] }))).toBeUndefined()
  expect(await status(lampOf({ twins: [{ propertyName: 'led', reported: {} }] }))).toBeUndefined()
  expect(node.report('lamp')?.twins?.led?.reported?.value).toBe('')
  const long = { propertyName: 'led', reported: { value: 'x'.repeat(5 * 2 ** 20) } }
  expect(await status(lampOf({ twins: [long] }))).toMatchObject({ code: 8 })
  expect(await rejected(it.state('lamp', 'asleep'))).toMatchObject({
    code: 3,
    details: expect.stringContaining('asleep'),
  })
  expect(await rejected(it.state('', 'ok'))).toMatchObject({ code: 3 })
  const register = (mapper: unknown) => rejected(it.call('MapperRegister', { withData: true, mapper }))
  expect(await register(undefined)).toMatchObject({ code: 3 })
  expect(await register({ name: 'm', address: Buffer.from('/x') })).toEqual({
    code: 3,
    details: expect.stringMatching(/^fail to register mapper m because the protocol is nil/),
  })
  const custom = { name: 'm', protocol: 'custom' }
  expect(await register({ ...custom, address: Buffer.from('x.sock') })).toMatchObject({ code: 3 })
  expect(await register({ ...custom, address: Buffer.from(`/${'x'.repeat(200)}`) })).toMatchObject({ code: 3 })
  await it.report('lamp', { led: 'still' })
})

test('a flood of reports is slowed down and not refused, and the last value stays', async () => {
  const { node, mapper } = await start()
  const names = Array.from({ length: 20 }, (_, index) => `lamp-${index}`)
  await node.apply(model(), ...names.map((name) => lamp({}, name)))
  const it = await mapper()
  const all: Promise<unknown>[] = []
  for (let n = 0; n < 15; n++) for (const name of names) all.push(it.report(name, { temperature: String(n) }))
  await Promise.all(all)
  for (const name of names) expect(node.report(name)?.twins?.temperature?.reported?.value).toBe('14')
  // The mapper-framework makes a connection for each call.
  const twins = [{ propertyName: 'led', reported: { value: 'alone' } }]
  const alone = names.map((deviceName) =>
    it.callAlone('ReportDeviceStatus', { deviceName, deviceNamespace: 'default', reportedDevice: { twins } }),
  )
  await Promise.all(alone)
  for (const name of names) expect(node.report(name)?.twins?.led?.reported?.value).toBe('alone')
})

test('a mapper that asks for no data is told by calls', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp({ desired: { led: 'ON' } }))
  const it = await mapper({ name: 'first' })
  expect(it.methods).toEqual([])
  expect(await it.register({ withData: false })).toEqual({ modelList: [], deviceList: [] })
  await eventually(() => it.methods.includes('RegisterDevice'))
  expect(it.methods).toEqual(['CreateDeviceModel', 'RegisterDevice'])
  const other = await mapper({ name: 'no-name', protocol: 'else' })
  await node.apply(device('late', { protocol: { protocolName: 'else' } }))
  await eventually(() => other.devices.has('default/late'))
  expect(other.methods).toEqual(['CreateDeviceModel', 'RegisterDevice'])
})

test('more devices than fit into one answer come by calls', async () => {
  const { node, mapper } = await start()
  const names = Array.from({ length: 30 }, (_, index) => `lamp-${index}`)
  const protocol = { protocolName: 'custom', configData: { blob: 'x'.repeat(200_000) } }
  await node.apply(model(), ...names.map((name) => lamp({ protocol }, name)))
  const it = await mapper()
  expect(it.devices.size).toBeLessThan(20)
  await eventually(() => it.devices.size === 30)
})

test('a mapper takes the place of a built-in driver, unless the device says otherwise', async () => {
  const { node, mapper } = await start()
  const virtual = { protocolName: 'virtual' }
  const properties = [{ name: 'temperature', reportCycle: 10, collectCycle: 10 }]
  const made = (name: string) => device(name, { protocol: virtual, properties })
  const own = made('own')
  own.metadata.annotations = { 'kedge.io/mapper': 'builtin' }
  await node.apply(model(), made('lamp'), own)
  await eventually(() => node.report('lamp')?.twins?.temperature)
  const it = await mapper({ protocol: 'virtual' })
  expect([...it.devices.keys()]).toEqual(['default/lamp'])
  await eventually(() => node.devices.drivers.size === 1)
  await it.report('lamp', { temperature: '-7777' })
  const at = () => node.report('own')?.twins?.temperature?.reported?.at
  const before = at()
  await eventually(() => at() !== before)
  expect(node.report('lamp')?.twins?.temperature?.reported?.value).toBe('-7777')
})

test.each(['/etc/kubeedge/dmi.sock', 'unix:///etc/kubeedge/dmi.sock', '/VAR/Lib_x/~a&b/1.sock'])(
  'a client that calls edgecore by the name %s is heard, as those in Go do',
  async (authority) => {
    const { node, mapper, socket } = await start()
    await node.apply(model(), lamp())
    const it = await mapper()
    const client = new Client(`unix:${socket}`, credentials.createInsecure(), { 'grpc.default_authority': authority })
    onTestFinished(() => client.close())
    const twins = (value: string) => [{ propertyName: 'led', reported: { value } }]
    for (const value of ['a', 'b'.repeat(40_000), 'c']) {
      const request = { deviceName: 'lamp', deviceNamespace: 'default', reportedDevice: { twins: twins(value) } }
      await it.call('ReportDeviceStatus', request, client)
      expect(node.report('lamp')?.twins?.led?.reported?.value).toBe(value)
    }
  },
)
