import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DeviceClient } from '../../support/device-client.ts'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { findMosquitto, Mosquitto } from '../../support/mosquitto.ts'
import { tempDir } from '../../support/temp-dir.ts'

const program = findMosquitto()
const base = '$hw/events/device/default/lamp'
const report = (value: string) => ({ event_id: value, twin: { temperature: { actual: { value } } } })

async function mosquitto(lines: readonly string[] = []): Promise<Mosquitto> {
  const broker = await Mosquitto.start(program ?? '', lines)
  onTestFinished(() => broker.down())
  return broker
}

function start(port: number, options: Parameters<typeof DeviceNode.start>[0] = {}): Promise<DeviceNode> {
  return DeviceNode.start({ ...options, mqtt: { mqttBroker: `mqtt://127.0.0.1:${port}`, ...options.mqtt } })
}

const title = program === undefined ? 'a broker of its own (skipped: no mosquitto)' : 'a broker of its own'
describe.skipIf(program === undefined)(title, () => {
  test('serves the device topics, in both forms, and the answers come in order', async () => {
    const { port } = await mosquitto()
    const node = await start(port)
    await node.apply(model(), device('lamp'))
    const client = await (await DeviceClient.connect(port)).subscribe('$hw/#')
    await client.publish('$hw/events/device/lamp/twin/update', report('1'))
    expect(await client.message('$hw/events/device/lamp/twin/update/result')).toMatchObject({ event_id: '1' })
    for (let i = 0; i < 50; i++) client.mqtt.publish(`${base}/twin/update`, JSON.stringify(report(`${i}`)), { qos: 1 })
    await eventually(() => client.on(`${base}/twin/update/result`).length === 51)
    const ids = client.on(`${base}/twin/update/result`).map(({ body }) => body.event_id)
    expect(ids.slice(1)).toEqual(Array.from({ length: 50 }, (_, i) => `${i}`))
    await client.publish(`${base}/state/update`, { state: 'online' })
    await client.message(`${base}/state/update/result`)
    await client.publish('$hw/events/node/edge-1/membership/get', {})
    expect((await client.message('$hw/events/node/edge-1/membership/get/result')).devices).toHaveLength(1)
    await node.apply(device('lamp', { desired: { led: 'ON' } }))
    expect((await client.message(`${base}/twin/update/delta`)).delta).toEqual({ led: 'ON' })
    // Such a broker lets 10 MB through: they are answered, and what comes after them is served.
    await client.publish(`${base}/twin/update`, Buffer.alloc(10_000_000, 'x'))
    await client.publish(`${base}/twin/update`, report('99'))
    const answers = () => client.on(`${base}/twin/update/result`).map(({ body }) => body)
    await eventually(() => answers().length === 53)
    expect(answers().at(-2)).toMatchObject({
      code: 400,
      reason: 'the message has 10000000 bytes, at most 1048576 are taken',
    })
    expect(answers().at(-1).twin.temperature.actual.value).toBe('99')
  })

  test('keeps what devices say while edgecore is away, and the open delta is told when it is back', async () => {
    const { port } = await mosquitto()
    const dir = tempDir()
    const first = await start(port, { dir })
    await first.apply(model(), device('lamp', { desired: { led: 'ON' } }))
    const client = await (await DeviceClient.connect(port)).subscribe('$hw/#')
    await client.publish(`${base}/twin/update`, report('1'))
    await client.message(`${base}/twin/update/result`)
    await first.stop()
    await client.publish(`${base}/twin/update`, report('2'))
    const deltas = client.on(`${base}/twin/update/delta`).length
    const second = await start(port, { dir })
    await eventually(() => second.report('lamp')?.twins?.temperature?.reported?.value === '2')
    await client.message(`${base}/twin/update/delta`, deltas + 1)
  })

  test('a broker that stops and comes back loses nothing that it has taken', async () => {
    const broker = await mosquitto()
    const node = await start(broker.port)
    await node.apply(model(), device('lamp'))
    const client = await DeviceClient.connect(broker.port, { reconnectPeriod: 50 })
    await client.publish(`${base}/twin/update`, report('1'))
    await broker.down()
    // Published while nobody is there: the client sends it once the broker is back.
    client.mqtt.publish(`${base}/twin/update`, JSON.stringify(report('2')), { qos: 1 })
    await broker.up()
    await eventually(() => node.report('lamp')?.twins?.temperature?.reported?.value === '2')
  })

  test('what cannot be kept is not acknowledged, and comes again', async () => {
    const { port } = await mosquitto()
    const dir = tempDir()
    const node = await start(port, { dir })
    await node.apply(model(), device('lamp'))
    const { store } = node
    const commit = store.commit.bind(store)
    let failures = 0
    store.commit = () => {
      failures++
      return Promise.reject(new Error('database or disk is full'))
    }
    const client = await (await DeviceClient.connect(port)).subscribe('$hw/#')
    await client.publish(`${base}/twin/update`, report('7'))
    await eventually(() => failures > 0)
    store.commit = commit
    await eventually(() => node.report('lamp')?.twins?.temperature?.reported?.value === '7')
  })

  test('asks for its name and password, and is reached as soon as it is there', async () => {
    const passwords = join(tempDir(), 'pw')
    // The password is secret; written by mosquitto_passwd 2.0.11.
    writeFileSync(
      passwords,
      'edge:$7$101$XLDfoAJWsyKNuDui$zuHT9+WIGo7bToTUkknGq5GR/K+JdwznrqvX0hC05MXWV0HppLsikLaJXFBIXg7P7npequcIL1NU49nUh6q4XA==\n',
    )
    const secret = join(tempDir(), 'secret')
    writeFileSync(secret, 'secret\n')
    const broker = await mosquitto(['allow_anonymous false', `password_file ${passwords}`])
    await broker.down()
    const node = await start(broker.port, { mqtt: { mqttUsername: 'edge', mqttPasswordFile: secret } })
    await node.apply(model(), device('lamp'))
    await broker.up()
    const client = await DeviceClient.connect(broker.port, { username: 'edge', password: 'secret' })
    await client.subscribe('$hw/#')
    await eventually(async () => {
      await client.publish(`${base}/twin/get`, {})
      return client.on(`${base}/twin/get/result`).length > 0
    })
  })
})
