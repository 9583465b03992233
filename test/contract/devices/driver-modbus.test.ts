import { expect, test } from 'vitest'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { exampleDevices, manifestsIn } from '../../support/example-devices.ts'
import { ModbusServer, muteServer } from '../../support/modbus-server.ts'
import { rtuGateway } from '../../support/rtu-gateway.ts'

const value = (node: DeviceNode, name: string, property: string) =>
  node.report(name)?.twins?.[property]?.reported?.value

function desire(node: DeviceNode, name: string, values: Record<string, string>) {
  const twin = Object.fromEntries(
    Object.entries(values).map(([property, text]) => [property, { expected: { value: text } }]),
  )
  return node.connect().then((client) => client.publish(`$hw/events/device/${name}/twin/update`, { twin }))
}

const floats = (value: number) => {
  const bytes = Buffer.alloc(4)
  bytes.writeFloatBE(value)
  return [bytes.readUInt16BE(0), bytes.readUInt16BE(2)] as const
}

test('the example meter: types, scale, swapped registers, and writes that are read back', async () => {
  const server = await ModbusServer.start()
  const [high, low] = floats(1234.5)
  for (const [address, word] of [2301, low, high, 1, 0x86a0].entries()) server.input.set(100_000 + address, word)
  const node = await DeviceNode.start()
  const local = (text: string) => text.replace('192.168.1.50', '127.0.0.1').replace('port: 502', `port: ${server.port}`)
  await node.apply(...exampleDevices('modbus-meter.yaml', local))
  await eventually(() => value(node, 'meter', 'limit') === '3000')
  expect(server.holding.get(100_010)).toBe(3000)
  await eventually(() => value(node, 'meter', 'relay') === 'false')
  expect(value(node, 'meter', 'voltage')).toBe('230.1')
  expect(value(node, 'meter', 'power')).toBe('1234.5')
  expect(value(node, 'meter', 'energy')).toBe('100000')
  expect(node.report('meter')?.state).toBe('online')
  // Neighbours come with one request.
  expect(server.asked).toContain('input 1 0+5')
  await desire(node, 'meter', { relay: 'true', limit: '42' })
  await eventually(() => value(node, 'meter', 'relay') === 'true' && value(node, 'meter', 'limit') === '42')
  expect(node.events('DriverFailed')).toEqual([])
})

test("KubeEdge's own manifests work unchanged", async () => {
  const server = await ModbusServer.start()
  server.holding.set(100_002, 0x0102)
  server.coils.set(100_002, true)
  const node = await DeviceNode.start()
  await node.apply(
    ...manifestsIn(`
apiVersion: devices.kubeedge.io/v1beta1
kind: DeviceModel
metadata: {name: modbus-01}
spec:
  protocol: modbus
  properties:
  - {name: temperature, description: temperature in degree celsius, type: INT, accessMode: ReadWrite}
  - {name: switch, type: INT, accessMode: ReadWrite}
---
apiVersion: devices.kubeedge.io/v1beta1
kind: Device
metadata: {name: modbus-instance-01}
spec:
  deviceModelRef: {name: modbus-01}
  nodeName: edge-1
  protocol:
    protocolName: modbus
    configData: {slaveID: 1, ip: 127.0.0.1, port: '${server.port}', communicateMode: TCP, timeout: 1000000000}
  properties:
  - name: temperature
    visitors:
      protocolName: modbus
      configData: {register: HoldingRegister, offset: 2, limit: 1, scale: 2, isSwap: true, isRegisterSwap: true}
    reportCycle: 1000000000
    collectCycle: 1000000000
    reportToCloud: true
    pushMethod:
      mqtt: {address: 'tcp://127.0.0.1:1883', topic: temperature, qos: 0, retained: false}
  - name: switch
    visitors:
      protocolName: modbus
      configData: {register: CoilRegister, offset: 2, limit: 1, scale: 1, isSwap: true, isRegisterSwap: true}
`),
  )
  await eventually(() => value(node, 'modbus-instance-01', 'temperature') !== undefined)
  await eventually(() => value(node, 'modbus-instance-01', 'switch') === '1')
  expect(value(node, 'modbus-instance-01', 'temperature')).toBe(String(0x0201 * 2))
  expect(node.events('CycleChanged')[0]?.message).toContain('nanoseconds')
  await desire(node, 'modbus-instance-01', { temperature: '1024', switch: '0' })
  await eventually(() => server.holding.get(100_002) === 0x0002 && server.coils.get(100_002) === false)
})

const pump = model('pump', {
  properties: [
    { name: 'speed', type: 'INT', accessMode: 'ReadWrite' },
    { name: 'flow', type: 'INT', accessMode: 'ReadOnly' },
    { name: 'flags', type: 'INT', accessMode: 'ReadOnly' },
    { name: 'run', type: 'BOOLEAN', accessMode: 'ReadWrite' },
  ],
})

interface PumpOptions {
  port: number
  slave?: number
  config?: Record<string, unknown>
  registers?: Record<string, Record<string, unknown>>
}

function pumpOf(name: string, { port, slave = 1, config = {}, registers }: PumpOptions) {
  const where = registers ?? {
    speed: { register: 'HoldingRegister', offset: 0 },
    flow: { register: 'holding', offset: 1 },
  }
  const properties = Object.entries(where).map(([property, configData]) => ({
    ...{ name: property, collectCycle: 20 },
    visitors: { protocolName: 'modbus', configData },
  }))
  const configData = { ip: '127.0.0.1', port, slaveID: slave, timeout: 200, ...config }
  return device(name, { model: 'pump', properties, protocol: { protocolName: 'modbus', configData } })
}

test('coils in groups, single bits of a register, RTU over TCP', async () => {
  const server = await ModbusServer.start()
  const port = await rtuGateway(server.port)
  for (const [at, on] of [true, false, true].entries()) server.coils.set(100_000 + at, on)
  server.holding.set(100_007, 0b1001)
  const node = await DeviceNode.start()
  const registers = {
    flags: { register: 'DiscreteInputRegister', offset: 0, limit: 3 },
    run: { register: 'HoldingRegister', offset: 7, bit: 2 },
  }
  await node.apply(pump, pumpOf('p', { port, registers, config: { communicateMode: 'RTUoverTCP' } }))
  await eventually(() => value(node, 'p', 'flags') === '5' && value(node, 'p', 'run') === 'false')
  await desire(node, 'p', { run: 'true' })
  await eventually(() => value(node, 'p', 'run') === 'true')
  expect(server.holding.get(100_007)).toBe(0b1101)
})

test('one address that is not there costs its own property alone', async () => {
  const server = await ModbusServer.start()
  server.holding.set(100_000, 7)
  server.absent.add(1)
  const node = await DeviceNode.start()
  await node.apply(pump, pumpOf('p', { port: server.port }))
  await eventually(() => value(node, 'p', 'speed') === '7')
  const events = await eventually(() => node.events('DriverFailed').length > 0 && node.events('DriverFailed'))
  expect(events[0]?.message).toMatch(/property flow: HoldingRegister 1: .*Illegal data address/)
  server.holding.set(100_000, 8)
  await eventually(() => value(node, 'p', 'speed') === '8')
  expect(node.report('p')?.state).toBe('online')
  // After the first refusal they are not asked for together again.
  expect(server.asked.filter((each) => each === 'holding 1 0+2')).toHaveLength(1)
})

/** Waits after failures are drawn: none here, so that a slow machine does not make them long. */
const eager = { random: () => 0 }

test('a slave that never answers is offline; the others on its line, and those on others, go on', async () => {
  const server = await ModbusServer.start()
  server.silent.add(9)
  const node = await DeviceNode.start(eager)
  const mute = await muteServer()
  const devices = [
    pumpOf('dead', { port: server.port, slave: 9 }),
    pumpOf('mute', { port: mute.port }),
    // It answers, on a machine that others keep busy not always soon.
    pumpOf('alive', { port: server.port, config: { timeout: 10_000 } }),
  ]
  await node.apply(pump, ...devices)
  await eventually(() => node.report('dead')?.state === 'offline' && node.report('mute')?.state === 'offline')
  for (const speed of ['1', '2', '3']) {
    await desire(node, 'alive', { speed })
    await eventually(() => value(node, 'alive', 'speed') === speed)
  }
  expect(node.report('alive')?.state).toBe('online')
  expect(node.events('DriverFailed').map(({ regarding }) => regarding.name)).not.toContain('alive')
  server.silent.delete(9)
  await eventually(() => node.report('dead')?.state === 'online')
})

test('a server that goes and comes back; what was desired meanwhile is written then', async () => {
  const first = await ModbusServer.start()
  const { port } = first
  const node = await DeviceNode.start(eager)
  await node.apply(pump, pumpOf('p', { port }))
  await eventually(() => node.report('p')?.state === 'online')
  await first.stop()
  await eventually(() => node.report('p')?.state === 'offline')
  await desire(node, 'p', { speed: '77' })
  const again = await ModbusServer.start(port)
  await eventually(() => again.holding.get(100_000) === 77)
  await eventually(() => node.report('p')?.state === 'online' && value(node, 'p', 'speed') === '77')
})

test('what cannot be written is said, and wrong descriptions name their field', async () => {
  const server = await ModbusServer.start()
  const node = await DeviceNode.start()
  const { port } = server
  await node.apply(pump, pumpOf('p', { port }))
  await eventually(() => value(node, 'p', 'speed') === '0')
  await desire(node, 'p', { speed: '70000' })
  await eventually(() => node.events('DriverFailed')[0]?.message.includes('70000 does not fit into uint16: 0 to 65535'))
  expect(value(node, 'p', 'speed')).toBe('0')
  const register = { register: 'HoldingRegister', offset: 1 }
  await node.apply(
    pumpOf('a', { port, registers: { speed: { ...register, register: 'HoldRegister' } } }),
    pumpOf('b', { port, registers: { speed: { ...register, limit: 3 } } }),
    pumpOf('c', { port, registers: { speed: { ...register, dataType: 'float32', limit: 1 } } }),
    pumpOf('d', { port, config: { ip: undefined } }),
    pumpOf('e', { port, config: { slaveID: 300 } }),
    pumpOf('f', { port, config: { ip: undefined, serialPort: '/dev/there-is-none' } }),
  )
  const text = await eventually(() => {
    const told = node.events('DriverFailed').map(({ message, regarding }) => `${regarding.name}: ${message}`)
    return (
      ['a', 'b', 'c', 'd', 'e', 'f'].every((name) => told.some((line) => line.startsWith(`${name}:`))) &&
      told.join('\n')
    )
  })
  expect(text).toMatch(/a: .*register: use one of CoilRegister, .*found "HoldRegister"/)
  expect(text).toMatch(/b: .*limit: found 3, 1, 2 or 4 registers hold a number/)
  expect(text).toMatch(/c: .*limit: found 1, float32 takes 2/)
  expect(text).toMatch(/d: .*give ip with port, or serialPort/)
  expect(text).toMatch(/e: .*slaveID: .*found 300/)
  expect(text).toMatch(/f: \/dev\/there-is-none: /)
})
