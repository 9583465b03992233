import { maxUploadBytes, type UploadReport } from '@kedge/shared/reports'
import { describe, expect, onTestFinished, test } from 'vitest'
import { DeviceClient } from '../../support/device-client.ts'
import { DeviceNode } from '../../support/device-node.ts'
import { eventually } from '../../support/eventually.ts'
import { Fleet } from '../../support/fleet.ts'
import { writerRig } from '../../support/kube-rig.ts'
import { findMosquitto, Mosquitto } from '../../support/mosquitto.ts'
import { tempDir } from '../../support/temp-dir.ts'
import { UploadReceiver } from '../../support/upload-receiver.ts'

const topics = ['SYS/dis/upload_records', '$hw/events/upload/plant/7', 'sensor/user/a/b', 'sensor/user']

const isUpload = (report: { is: string }): report is UploadReport => report.is === 'upload'

function uploads(node: DeviceNode): [string, string][] {
  return node
    .reports()
    .filter(isUpload)
    .map(({ topic, payload }) => [topic, Buffer.from(payload, 'base64').toString()])
}

test('an upload is in the outbox when it is acknowledged, there after a restart, and heard on the node', async () => {
  const dir = tempDir()
  const node = await DeviceNode.start({ dir, uploads: true })
  const other = await (await node.connect()).subscribe('sensor/#', 'SYS/#')
  const client = await node.connect()
  for (const [index, topic] of topics.entries()) {
    await client.publish(topic, `value ${index}`)
    expect(uploads(node)).toHaveLength(index + 1)
  }
  await client.publish('sensor/users/a', 'not for the cloud')
  await other.settled()
  expect(other.seen.map(({ topic }) => topic)).toEqual([topics[0], topics[2], topics[3], 'sensor/users/a'])
  const kept = topics.map((topic, index) => [topic, `value ${index}`])
  expect(uploads(node)).toEqual(kept)
  await node.stop()
  expect(uploads(await DeviceNode.start({ dir, uploads: true }))).toEqual(kept)
})

test('without --uploads such messages stay on the node', async () => {
  const node = await DeviceNode.start()
  const other = await (await node.connect()).subscribe('#', '$hw/#')
  const client = await node.connect()
  for (const topic of topics) await client.publish(topic, 'x')
  await other.settled()
  expect(other.seen.map(({ topic }) => topic).sort()).toEqual([...topics].sort())
  expect(node.reports()).toEqual([])
})

test('one that is too large is refused with an event, and the next one is taken', async () => {
  const node = await DeviceNode.start({ uploads: true })
  const client = await node.connect()
  await client.publish('a/user/b', Buffer.alloc(maxUploadBytes + 1))
  await client.publish('a/user/b', Buffer.alloc(maxUploadBytes + 1))
  await client.publish('a/user/b', Buffer.alloc(maxUploadBytes))
  await eventually(() => node.events('UploadRefused').length === 1)
  expect(node.events('UploadRefused')[0]?.message).toContain('262145 bytes on a/user/b')
  expect(uploads(node).map(([, text]) => text.length)).toEqual([maxUploadBytes])
})

const program = findMosquitto()
describe.skipIf(program === undefined)(`a broker of its own${program ? '' : ' (skipped: no mosquitto)'}`, () => {
  test('what clients upload while edgecore is away is taken when it is back', async () => {
    const broker = await Mosquitto.start(program ?? '')
    onTestFinished(() => broker.down())
    const dir = tempDir()
    const options = { dir, uploads: true, mqtt: { mqttBroker: `mqtt://127.0.0.1:${broker.port}` } }
    const client = await DeviceClient.connect(broker.port)
    const first = await DeviceNode.start(options)
    // The subscription is there once a message comes through.
    await eventually(async () => {
      await client.publish(topics[0] ?? '', 'here')
      return uploads(first).length > 0
    })
    await first.stop()
    for (const topic of topics) await client.publish(topic, 'away')
    const second = await DeviceNode.start(options)
    await eventually(() => uploads(second).filter(([, text]) => text === 'away').length === topics.length)
  })
})

test('uploads outlive a cut link and a restart of edgecore, and each arrives once it can', async () => {
  const receiver = await UploadReceiver.start()
  const fleet = await Fleet.start({ uploads: receiver.url })
  const edge = fleet.node('edge-1')
  const before = await edge.device()
  await before.publish('SYS/dis/upload_records', 'online')
  await eventually(() => receiver.on('SYS/dis/upload_records').length === 1)
  await fleet.stopCloud()
  await before.publish('$hw/events/upload/seven', 'offline')
  await edge.stop()
  await edge.start()
  await (await edge.device()).publish('cam/user/x', 'after')
  receiver.answer = () => (receiver.posted.length < 4 ? 503 : 204)
  await fleet.startCloud()
  await eventually(() => edge.get('outbox').then((rows) => rows.every(({ report }) => report.is !== 'upload')))
  expect(new Set(receiver.on('$hw/events/upload/seven'))).toEqual(new Set(['offline']))
  expect(new Set(receiver.on('cam/user/x'))).toEqual(new Set(['after']))
  expect(receiver.posted.length).toBeGreaterThanOrEqual(4)
})

test('a cloud without a place for uploads refuses them, and says what to do', async () => {
  const rig = await writerRig()
  const report = { is: 'upload', id: 'upload-0001', topic: 'a/user/b', payload: '', at: 1 } as const
  expect(await rig.writer.accept('edge-1', report)).toEqual({
    is: 'refused',
    reason: 'nobody takes uploads here: start cloudcore with --uploads URL',
  })
})
