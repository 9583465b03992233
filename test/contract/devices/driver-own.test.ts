import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { type AddressInfo, createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { blame } from '@kedge/edgecore/devices/drivers/blame'
import { driverOptions, namedDrivers } from '@kedge/edgecore/devices/drivers/named'
import { expect, onTestFinished, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'

/** The driver that docs/drivers.md shows. */
function documented(): string {
  const text = readFileSync(join(import.meta.dirname, '../../../docs/drivers.md'), 'utf8')
  return /```js\n([\s\S]*?)```/.exec(text)?.[1] ?? ''
}

function put(files: Record<string, string>): string {
  const dir = tempDir()
  writeFileSync(join(dir, 'package.json'), '{"type":"module"}')
  for (const [name, text] of Object.entries(files)) writeFileSync(join(dir, name), text)
  return dir
}

const parsed = (text: string) => namedDrivers.schema.parse(text)

async function lineServer() {
  const sockets = new Set<Socket>()
  const heard: string[] = []
  const server = createServer((socket) => {
    sockets.add(socket)
    socket.on('error', () => undefined)
    socket.on('data', (data) => heard.push(...data.toString().trim().split('\n')))
    socket.write('level 1\n')
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  onTestFinished(() => {
    server.close()
    for (const socket of sockets) socket.destroy()
  })
  return { port: (server.address() as AddressInfo).port, heard, sockets }
}

const line = (port: number | undefined, desired: Record<string, string> = {}) =>
  device('lamp', { protocol: { protocolName: 'line', configData: { address: '127.0.0.1', port } }, desired })

test('the driver of docs/drivers.md works as it stands there', async () => {
  const { port, heard, sockets } = await lineServer()
  const dir = put({ 'line-driver.js': documented() })
  const options = driverOptions({ driver: parsed(`line=${dir}/line-driver.js`) })
  const node = await DeviceNode.start({ ...options, patience: { again: 20 } })
  const level = () => node.report('lamp')?.twins?.level?.reported?.value
  await node.apply(model(), line(undefined))
  await eventually(() => node.events('DriverFailed')[0]?.message === 'spec.protocol.configData: give address and port')
  await node.apply(line(port, { led: 'ON' }))
  await eventually(() => level() === '1' && node.report('lamp')?.state === 'online')
  expect(heard).toEqual(['led ON'])
  await node.apply(line(port, { led: 'OFF' }))
  await eventually(() => heard.at(-1) === 'led OFF')
  for (const socket of sockets) {
    socket.write('level 7\nlevel 1000\n')
  }
  await eventually(() => level() === '7')
  await eventually(() => node.events('DriverFailed').length > 0)
  // The connection breaks: the driver asks to be started again.
  for (const socket of sockets) socket.destroy()
  await eventually(() => heard.filter((each) => each === 'led OFF').length === 2)
  await eventually(() => node.report('lamp')?.state === 'online')
})

test('a module of CommonJS is a driver too', async () => {
  const dir = put({
    'common.cjs':
      "exports.driver = { start: (_, host) => { host.report({ led: 'C' }); return { desired() {}, async stop() {} } } }",
  })
  const options = driverOptions({ driver: parsed(`line=${dir}/common.cjs, other=none`) })
  const node = await DeviceNode.start(options)
  await node.apply(model(), line(1))
  await eventually(() => node.report('lamp')?.twins?.led?.reported?.value === 'C')
})

/** Takes what nobody catches in the place of the test runner, as edgecore's program does; gives what is left over. */
function uncaught(): unknown[] {
  const left: unknown[] = []
  const events = ['uncaughtException', 'unhandledRejection'] as const
  const before = events.map((event) => process.listeners(event as 'uncaughtException'))
  for (const event of events) process.removeAllListeners(event)
  process.on('uncaughtException', (error) => void (blame(error) || left.push(error)))
  onTestFinished(() => {
    for (const [at, event] of events.entries()) {
      process.removeAllListeners(event)
      for (const listener of before[at] ?? []) process.on(event as 'uncaughtException', listener)
    }
  })
  return left
}

const wild: [string, string][] = [
  ['a timer', "setTimeout(() => { throw new Error('wild') }, 5)"],
  ['a tick', "process.nextTick(() => { throw new Error('wild') })"],
  ['a promise', "Promise.reject(new Error('wild'))"],
  ['a listener of a socket', "connect(1, '127.0.0.1').on('error', () => { throw new Error('wild') })"],
  ['a message', "host.topics.subscribe('go', () => setImmediate(() => { throw new Error('wild') }))"],
  ['a desired value', ''],
]
test.each(wild)(
  'what a driver of others throws in %s stays with its device, and it is started again',
  async (_, code) => {
    const dir = put({
      'wild.js': `import { connect } from 'node:net'
      let starts = 0
      export const driver = { start: (device, host) => {
        host.report({ level: String(++starts) }).catch(() => {})
        if (device.name === 'wild' && starts <= 2) { ${code} }
        return { desired: (v) => { if (v.led === 'BAD') setTimeout(() => { throw new Error('wild') }, 5) }, stop: async () => {} }
      } }`,
    })
    const left = uncaught()
    const node = await DeviceNode.start({
      ...driverOptions({ driver: parsed(`wild=${dir}/wild.js`) }),
      patience: { again: 20 },
    })
    const of = (name: string, desired = {}) => device(name, { protocol: { protocolName: 'wild' }, desired })
    await node.apply(model(), of('calm'), of('wild'))
    const level = (name: string) => node.report(name)?.twins?.level?.reported?.value
    await eventually(() => level('wild') === '2' || Number(level('wild')) > 2)
    const client = await node.connect()
    await client.publish('go', 'x')
    if (code === '') await node.apply(of('wild', { led: 'BAD' }))
    await eventually(() => level('wild') === '3')
    expect(node.events('DriverFailed').map(({ regarding }) => regarding.name)).toEqual(['wild'])
    expect(node.events('DriverFailed')[0]?.message).toBe('thrown and not caught: wild')
    expect(level('calm')).toBe('1')
    expect(left).toEqual([])
  },
)

test("a report that the model refuses and nobody awaits is its device's fault, and what is not a driver's is not", async () => {
  const dir = put({
    'wild.js':
      "export const driver = { start: (_, host) => { host.report({ level: 'x' }); return { desired() {}, async stop() {} } } }",
  })
  const left = uncaught()
  const node = await DeviceNode.start({
    ...driverOptions({ driver: parsed(`line=${dir}/wild.js`) }),
    patience: { again: 60_000 },
  })
  await node.apply(model(), line(1))
  await eventually(() => node.events('DriverFailed').length > 0)
  expect(node.events('DriverFailed')[0]?.message).toContain('level: the value is not int or integer')
  setTimeout(() => {
    throw new Error('ours')
  }, 0)
  await eventually(() => left.length === 1)
})

test('a module that is none, is missing or breaks while it loads says so on its devices', async () => {
  const dir = put({ 'empty.js': 'export const nothing = 1', 'broken.js': "throw new Error('out of order')" })
  mkdirSync(join(dir, 'folder'))
  const named = ['empty=./empty.js', 'broken=./broken.js', 'gone=./gone.js', 'pack=@nobody/has-this']
  const driver = parsed(named.join(',').replaceAll('./', `${dir}/`))
  const node = await DeviceNode.start({ ...driverOptions({ driver }), patience: { again: 20 } })
  const of = (name: string) => device(name, { protocol: { protocolName: name } })
  await node.apply(model(), of('empty'), of('broken'), of('gone'), of('pack'))
  const told = await eventually(() => {
    const events = new Map(node.events('DriverFailed').map(({ regarding, message }) => [regarding.name, message]))
    return events.size === 4 && events
  })
  expect(told.get('empty')).toContain('empty.js is no driver: it should export "driver"')
  expect(told.get('broken')).toMatch(/the driver broken cannot be loaded from .*broken\.js: out of order/)
  expect(told.get('gone')).toContain('gone.js')
  expect(told.get('pack')).toContain('@nobody/has-this')
  expect(node.report('gone')?.state).toBe('unhealthy')
})

test.each(['=x', 'a', 'a=', 'a=b,,c=d', 'a b=c'])('--driver %s is refused', (text) => {
  expect(namedDrivers.schema.safeParse(text).success).toBe(false)
})

test('a built-in driver can be turned off or replaced', () => {
  const protocols = (text: string) => driverOptions({ driver: parsed(text) }).drivers.flatMap((each) => each.protocols)
  expect(protocols('modbus=none')).toEqual(['virtual', 'mqtt', 'http'])
  expect(protocols('http=@acme/http')).toEqual(['http', 'virtual', 'mqtt', 'modbus'])
})
