import { writeFileSync } from 'node:fs'
import { connect } from 'node:http2'
import { createConnection, createServer } from 'node:net'
import { join } from 'node:path'
import { expect, onTestFinished, test } from 'vitest'
import { DeviceNode, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { TestMapper } from './dmi-mapper.ts'
import { lamp, start } from './dmi-rig.ts'

/** What a promise waits for until it is let go. */
function gate() {
  let open = () => {}
  const opened = new Promise<void>((resolve) => {
    open = resolve
  })
  return { opened, open }
}

test('a mapper survives a restart of edgecore, and hears of what was removed meanwhile', async () => {
  const { node, dir, mapper } = await start()
  await node.apply(model(), lamp({ desired: { led: 'ON' } }), lamp({}, 'gone'))
  const it = await mapper()
  const hashes = node.store.db.prepare('SELECT hash FROM mapper_devices').pluck()
  expect(hashes.all()).toEqual([null, null])
  await node.stop()
  const before = it.calls.length
  const { node: again } = await start({ dir })
  await again.dropOnly('devices/default/gone')
  await again.apply(lamp({ desired: { led: 'OFF' } }))
  await again.stop()
  const { node: third } = await start({ dir })
  await eventually(() => it.desired('default/lamp', 'led') === 'OFF' && !it.devices.has('default/gone'))
  expect(it.calls.slice(before).filter(({ method }) => method === 'RemoveDevice')).toHaveLength(1)
  await it.report('lamp', { led: 'OFF' })
  expect(third.report('lamp')?.twins?.led?.reported?.value).toBe('OFF')
})

test('a mapper that runs on is not disturbed by a restart of edgecore', async () => {
  const { node, dir, mapper } = await start()
  await node.apply(model(), lamp({ desired: { led: 'ON' } }), lamp({}, 'second'))
  const it = await mapper()
  await node.apply(lamp({ desired: { led: 'OFF' } }))
  await eventually(() => it.desired('default/lamp', 'led') === 'OFF')
  await node.stop()
  it.calls.length = 0
  const { node: again } = await start({ dir })
  await again.apply(lamp({ desired: { led: 'DIM' } }))
  await eventually(() => it.desired('default/lamp', 'led') === 'DIM' && it.calls.length >= 4)
  expect(it.methods.toSorted()).toEqual(['CreateDeviceModel', 'RegisterDevice', 'RegisterDevice', 'UpdateDevice'])
  // Nothing of that outlives a crash.
  expect(again.store.db.prepare('SELECT hash FROM mapper_devices').pluck().all()).toEqual([null, null])
})

test('a mapper that crashes is sought, and told again of what it may have lost', async () => {
  const { node, mapper } = await start({}, { absent: 100 })
  await node.apply(model(), lamp(), lamp({}, 'same'))
  const it = await mapper()
  await it.state('lamp', 'online')
  it.crash()
  await eventually(() => node.report('lamp')?.state === 'unknown')
  expect(node.events('MapperUnavailable')[0]?.message).toContain(it.address)
  await node.apply(lamp({ desired: { led: 'ON' } }), lamp({}, 'second'))
  it.devices.clear()
  it.models.clear()
  await it.serve()
  await eventually(() => it.desired('default/lamp', 'led') === 'ON' && it.devices.size === 3)
  expect(it.models.has('default/room')).toBe(true)
})

test('a mapper that registers again while it runs hears of what was removed meanwhile', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp(), lamp({}, 'gone'))
  const it = await mapper()
  it.crash()
  await node.drop('devices/default/gone')
  await it.serve()
  await it.register()
  await eventually(() => !it.devices.has('default/gone'))
  expect([...it.devices.keys()]).toEqual(['default/lamp'])
  const rows = node.store.db.prepare('SELECT device FROM mapper_devices').pluck()
  await eventually(() => rows.all().join() === 'default/lamp')
})

test('a mapper that dies during a call gets it again', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp())
  const it = await mapper()
  it.answer = () => {
    it.crash()
    return new Promise(() => {})
  }
  await node.apply(lamp({ desired: { led: 'ON' } }))
  await eventually(() => it.methods.includes('UpdateDevice'))
  it.answer = () => undefined
  await it.serve()
  await eventually(() => it.desired('default/lamp', 'led') === 'ON')
})

test('edits during a call become one, the newest, and other devices do not wait', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp(), lamp({}, 'quick'))
  const { opened, open } = gate()
  const it = await mapper({ answer: (_, { device }) => (device?.name === 'lamp' ? opened : undefined) })
  const before = it.calls.length
  for (let n = 0; n < 20; n++) {
    await node.apply(lamp({ desired: { level: String(n) } }))
    await node.apply(lamp({ desired: { level: String(n) } }, 'quick'))
  }
  await eventually(() => it.desired('default/quick', 'level') === '19')
  open()
  await eventually(() => it.desired('default/lamp', 'level') === '19')
  const levels = it.calls.slice(before).filter(({ request }) => request.device?.name === 'lamp')
  expect(levels.map(({ request }) => request.device.spec.properties[2].desired.value)).toEqual(['0', '19'])
})

const withLed = (name: string) => lamp({ desired: { led: 'ON' } }, name)

test('a call that is refused shows on its device alone, and is tried again', async () => {
  const { node, mapper } = await start()
  await node.apply(model(), lamp({}, 'bad'), lamp({}, 'good'))
  const it = await mapper({
    answer: (_, { device }) => {
      if (device?.name === 'bad') throw Object.assign(new Error(), { code: 9, details: 'no such port' })
    },
  })
  await node.apply(withLed('bad'), withLed('good'))
  await eventually(() => it.desired('default/good', 'led') === 'ON' && node.report('bad')?.state === 'unhealthy')
  expect(node.events('MapperFailed').map(({ regarding, message }) => [regarding.name, message])).toEqual([
    ['bad', 'mapper mapper: no such port'],
  ])
  expect(node.report('good')?.state).toBeUndefined()
  expect(node.devices.mappers?.failures).toBeGreaterThanOrEqual(1)
  it.answer = () => undefined
  await eventually(() => it.desired('default/bad', 'led') === 'ON')
  await eventually(() => node.report('bad')?.state === 'unknown')
})

test('a call that hangs holds up its device alone, and is tried again', async () => {
  const { node, mapper } = await start({}, { call: 300 })
  await node.apply(model(), lamp({}, 'hung'), lamp({}, 'good'))
  const { opened, open } = gate()
  const it = await mapper({ answer: (_, { device }) => (device?.name === 'hung' ? opened : undefined) })
  await node.apply(withLed('hung'), withLed('good'))
  await eventually(() => it.desired('default/good', 'led') === 'ON')
  await eventually(() => node.report('hung')?.state === 'unhealthy')
  const event = node.events('MapperFailed').find(({ regarding }) => regarding.name === 'hung')
  expect(event?.message).toBe('mapper mapper: the mapper did not answer in time')
  open()
  await eventually(() => it.desired('default/hung', 'led') === 'ON')
  await eventually(() => node.report('hung')?.state === 'unknown')
})

test('of several mappers each device has one: the one that it names, or the last, or the one that is left', async () => {
  const { node, mapper } = await start({}, { absent: 100 })
  const named = lamp({}, 'named')
  named.metadata.annotations = { 'kedge.io/mapper': 'first' }
  const waits = lamp({}, 'waits')
  waits.metadata.annotations = { 'kedge.io/mapper': 'third' }
  await node.apply(model(), lamp(), named, waits)
  const first = await mapper({ name: 'first' })
  expect([...first.devices.keys()].sort()).toEqual(['default/lamp', 'default/named'])
  const second = await mapper({ name: 'second' })
  expect([...second.devices.keys()]).toEqual(['default/lamp'])
  await eventually(() => !first.devices.has('default/lamp'))
  const waiting = node.events('MapperUnavailable').find(({ regarding }) => regarding.name === 'waits')
  expect(waiting?.message).toBe('no mapper third has registered for its protocol')
  second.crash()
  await eventually(() => first.devices.has('default/lamp'))
  second.devices.clear()
  await second.serve()
  await eventually(() => second.devices.has('default/lamp') && !first.devices.has('default/lamp'))
  expect([...first.devices.keys()]).toEqual(['default/named'])
})

test('who registers at the socket of another mapper takes its place', async () => {
  const { node, dir, socket, mapper } = await start()
  await node.apply(model(), lamp())
  const old = await mapper({ name: 'old' })
  old.stop()
  const renamed = new TestMapper({ dir, edgecore: socket, name: 'new' })
  onTestFinished(() => renamed.stop())
  await renamed.register({ address: Buffer.from(old.address) })
  expect(renamed.devices.size).toBe(1)
  const names = node.store.db.prepare('SELECT name FROM mappers').pluck().all()
  expect(names).toEqual(['new'])
})

test('a socket that a crash left is replaced, and one in use or another file is not', async () => {
  const { node, socket, dir } = await start()
  const taken = DeviceNode.start({ dmi: { socket, data: dir } })
  await expect(taken).rejects.toThrow(`--dmi-socket: another process listens at ${socket}`)
  await node.stop()
  const file = join(tempDir(), 'file.sock')
  writeFileSync(file, '')
  await expect(DeviceNode.start({ dmi: { socket: file, data: dir } })).rejects.toThrow('is no socket')
  const long = join(dir, 'x'.repeat(200))
  await expect(DeviceNode.start({ dmi: { socket: long, data: dir } })).rejects.toThrow('at most 107 bytes')
  await leaveSocket(socket)
  const { mapper } = await start({ dir })
  await mapper({ name: 'again' })
})

/** Leaves a socket file that nobody listens at. */
async function leaveSocket(path: string): Promise<void> {
  const { handle } = await new Promise<{ handle: { close(): void } }>((resolve) => {
    const server = createServer().listen(path, () =>
      resolve({ handle: (server as never as { _handle: never })._handle }),
    )
  })
  // Not through the server, which would remove the file.
  handle.close()
}

test('garbage at the socket ends its connection and nothing else', async () => {
  const { node, socket, mapper } = await start()
  await node.apply(model(), lamp())
  const garbage = createConnection(socket)
  garbage.on('error', () => {}).resume()
  garbage.write('GET / HTTP/1.1\r\n\r\n')
  await new Promise((resolve) => garbage.once('close', resolve))
  const it = await mapper()
  await it.report('lamp', { led: 'ON' })
})

test('a client that is killed in the midst of a request leaves edgecore as it was', async () => {
  const { node, socket, mapper } = await start()
  await node.apply(model(), lamp())
  const it = await mapper()
  for (let n = 0; n < 20; n++) {
    const session = connect('http://localhost', { createConnection: () => createConnection(socket) })
    session.on('error', () => {})
    const path = '/v1beta1.DeviceManagerService/ReportDeviceStatus'
    const request = session.request({
      ':method': 'POST',
      ':path': path,
      'content-type': 'application/grpc',
      te: 'trailers',
    })
    request.on('error', () => {})
    request.write(Buffer.of(0, 0, 0, 4, 0, 1, 2))
    await new Promise<void>((resolve) =>
      n % 2 ? session.once('remoteSettings', () => resolve()) : setImmediate(resolve),
    )
    session.destroy()
  }
  await it.report('lamp', { led: 'ON' })
  expect(node.report('lamp')?.twins?.led?.reported?.value).toBe('ON')
})
