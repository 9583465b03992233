import { createServer } from 'node:http'
import type { AddressInfo } from 'node:net'
import { expect, onTestFinished, test } from 'vitest'
import { DeviceClient } from '../../support/device-client.ts'
import { DeviceNode, device, model } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { tempDir } from '../../support/temp-dir.ts'

const update = '$hw/events/device/default/lamp/twin/update'
const reported = (value: string) => ({ twin: { level: { actual: { value } } } })

/** A receiver that takes forms; `answer` says what it answers the next one. */
async function receiver(port = 0) {
  const taken: string[] = []
  const state = { answer: 200, asked: 0 }
  const server = createServer(async (request, response) => {
    let body = ''
    for await (const chunk of request) body += chunk
    state.asked++
    if (state.answer === 200) taken.push(new URLSearchParams(body).get('level') ?? '')
    response.writeHead(state.answer).end()
  })
  const close = async () => {
    server.closeAllConnections()
    await new Promise((resolve) => server.close(resolve))
  }
  await new Promise<void>((resolve) => server.listen(port, '127.0.0.1', resolve))
  onTestFinished(close)
  return { port: (server.address() as AddressInfo).port, taken, state, close }
}

function pushing(pushMethod: Record<string, unknown>) {
  return device('lamp', { properties: [{ name: 'level', pushMethod }, { name: 'led' }] })
}

test('each new value is posted, in order; an equal one, and a property without a pushMethod, are not', async () => {
  const { port, taken } = await receiver()
  const node = await DeviceNode.start()
  await node.apply(model(), pushing({ http: { hostName: 'http://127.0.0.1', port, requestPath: '/in' } }))
  const client = await node.connect()
  for (const value of ['1', '1', '2', '3']) await client.publish(update, reported(value))
  await client.publish(update, { twin: { led: { actual: { value: 'ON' } } } })
  await client.publish(update, { twin: { level: { expected: { value: '9' } } } })
  await client.publish(update, reported('4'))
  await eventually(() => taken.at(-1) === '4')
  expect(taken).toEqual(['1', '2', '3', '4'])
  await eventually(() => node.rows('pushes') === 0)
})

test('what nobody can take is kept over a restart, and goes when the receiver is there', async () => {
  const first = await receiver()
  await first.close()
  const dir = tempDir()
  const node = await DeviceNode.start({ dir })
  await node.apply(model(), pushing({ http: { hostName: '127.0.0.1', port: first.port } }))
  const client = await node.connect()
  for (const value of ['1', '2', '3']) await client.publish(update, reported(value))
  await node.stop()
  const { taken } = await receiver(first.port)
  await DeviceNode.start({ dir })
  await eventually(() => taken.length === 3)
  expect(taken).toEqual(['1', '2', '3'])
})

test('an answer that may pass is tried again; one that will not is an event, and the next value goes on', async () => {
  const { port, taken, state } = await receiver()
  const node = await DeviceNode.start({ random: () => 0 })
  await node.apply(model(), pushing({ http: { hostName: '127.0.0.1', port } }))
  const client = await node.connect()
  state.answer = 503
  await client.publish(update, reported('1'))
  await eventually(() => state.asked >= 2)
  state.answer = 200
  await eventually(() => taken.length === 1)
  state.answer = 404
  const before = state.asked
  await client.publish(update, reported('2'))
  await eventually(() => node.events('PushRefused').length === 1)
  expect(state.asked).toBe(before + 1)
  state.answer = 200
  await client.publish(update, reported('3'))
  await eventually(() => taken.length === 2)
  expect(taken).toEqual(['1', '3'])
})

test('values are published at a broker, with what the topic needs', async () => {
  const other = await DeviceNode.start()
  const listener = await (await other.connect()).subscribe('data/#')
  const node = await DeviceNode.start()
  const mqtt = { address: `tcp://127.0.0.1:${other.devices.port}`, topic: 'data/lamp', qos: 1, retained: true }
  await node.apply(model(), pushing({ mqtt }))
  const client = await node.connect()
  await client.publish(update, reported('5'))
  expect(await listener.message('data/lamp')).toMatchObject({
    device: 'default/lamp',
    data: { level: { value: '5', metadata: { type: expect.any(String) } } },
  })
  const late = await (await DeviceClient.connect(other.devices.port)).subscribe('data/lamp')
  await late.message('data/lamp')
})

test('what only a mapper can do is said once', async () => {
  const node = await DeviceNode.start()
  await node.apply(model(), pushing({ otel: { endpointURL: 'http://x' } }))
  await eventually(() => node.events('PushUnsupported').length === 1)
  await node.apply(model())
  expect(node.events('PushUnsupported')[0]?.message).toContain('level: pushMethod.otel: done by a mapper alone')
})
