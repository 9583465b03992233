import { emptyDigest } from '@kedge/shared/changes'
import { type DownFrame, decodeDown, encodeFrame } from '@kedge/shared/frames'
import { linkTopic } from '@kedge/shared/topics'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { conditionOf, statusTwins } from '../support/api.ts'
import { eventually } from '../support/eventually.ts'
import { Fleet } from '../support/fleet.ts'
import { framesIn } from '../support/frames-seen.ts'
import { room, roomModel } from '../support/manifests.ts'
import { startEdge } from '../support/members.ts'
import type { LogLine } from '../support/programs.ts'
import { tempDir } from '../support/temp-dir.ts'

const kitchen = 'devices/default/kitchen'

/** Any MQTT client on the link, whatever it claims to be. */
function intruder(fleet: Fleet, options: IClientOptions): MqttClient {
  const client = mqtt.connect({ host: '127.0.0.1', port: fleet.cloud.linkPort, reconnectPeriod: 0, ...options })
  client.on('error', () => {})
  onTestFinished(() => client.endAsync(true))
  return client
}

async function connected(client: MqttClient): Promise<MqttClient> {
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('error', reject)
  })
  return client
}

/** Resolves when the broker has closed the connection. */
function closed(client: MqttClient): Promise<void> {
  return eventually(() => !client.connected).then(() => undefined)
}

async function withKitchen(nodes = ['edge-1', 'edge-2']): Promise<Fleet> {
  const fleet = await Fleet.start({ nodes })
  await fleet.api.create(roomModel(), room('kitchen', 'edge-1'))
  await eventually(async () => (await fleet.node('edge-1').keys()).includes(kitchen))
  await fleet.level()
  return fleet
}

/** The way down and the way up of edge-1 work, on the connection that it has had from the beginning. */
async function unharmed(fleet: Fleet, connections = 1): Promise<void> {
  const edge = fleet.node('edge-1')
  const value = `${1000 + Math.floor(performance.now())}`
  await fleet.api.desire(kitchen, { target: value })
  await eventually(async () => (await edge.twins())['default/kitchen/target']?.desired === value)
  const device = await edge.device()
  await device.publish('$hw/events/device/default/kitchen/twin/update', { twin: { target: { actual: { value } } } })
  await eventually(async () => statusTwins(await fleet.api.get(kitchen)).target?.reported === value)
  expect(edge.link.connections).toBe(connections)
  expect(conditionOf(await fleet.api.get('nodes/edge-1'), 'Ready')?.status).toBe('True')
}

test('a malformed frame is counted, logged and answered by a comparison, and disturbs no other node', async () => {
  const fleet = await withKitchen()
  await eventually(() => fleet.api.find('nodes/edge-2'))
  await fleet.node('edge-2').stop()
  const seen: DownFrame[] = []
  const client = await connected(intruder(fleet, { clientId: 'edge-2' }))
  client.on('message', (_topic, payload) => {
    const decoded = decodeDown(payload)
    if (decoded.ok) seen.push(decoded.frame)
  })
  await client.subscribeAsync(linkTopic('edge-2', 'down'), { qos: 1 })
  const up = (bytes: Buffer) => client.publishAsync(linkTopic('edge-2', 'up'), bytes, { qos: 1 })
  const have = { is: 'have', protocol: 1, talk: 'me.1', epoch: '', revision: 0, count: 0 } as const
  await up(encodeFrame({ ...have, digest: emptyDigest, why: 'connect', edgecore: 'none' }))
  await eventually(() => seen.some(({ is }) => is === 'same'))

  const garbage = [
    Buffer.alloc(0),
    Buffer.from('hello'),
    Buffer.of(1, 0x7b),
    Buffer.of(2, 1, 2, 3),
    Buffer.from('\u0001{"is":"have","protocol":"x"}'),
    Buffer.alloc(100_000, 0xa5),
  ]
  for (const bytes of garbage) await up(bytes)
  await eventually(async () => (await fleet.metric('kedge_cloud_link_malformed_total')) === garbage.length)
  const told = fleet.cloudLog.filter(({ msg }) => msg === 'malformed frame')
  expect(told.map(({ node, bytes }) => [node, bytes])).toEqual(garbage.map(({ length }) => ['edge-2', length]))
  expect(told.every(({ level, reason }) => level === 'warn' && typeof reason === 'string')).toBe(true)
  await eventually(() => seen.some(({ is }) => is === 'compare'))
  expect(client.connected).toBe(true)
  await unharmed(fleet)
})

test('a malformed frame from an edge itself ends in agreement again', async () => {
  const fleet = await withKitchen(['edge-1'])
  const edge = fleet.node('edge-1')
  const client = await connected(intruder(fleet, { clientId: 'edge-1' }))
  await client.publishAsync(linkTopic('edge-1', 'up'), Buffer.from('noise'), { qos: 1 })
  await closed(client)
  await eventually(() => edge.link.connections > 1)
  await fleet.level()
  await unharmed(fleet, edge.link.connections)
})

test('a client that is no node is refused, also with a last will in the name of a node', async () => {
  const fleet = await withKitchen()
  const will = { topic: linkTopic('edge-1', 'alive'), payload: Buffer.from('0'), qos: 1, retain: true } as const
  for (const clientId of ['Not_A_Node', '../edge-1', 'edge-1/up', '#', '+', 'a'.repeat(300)]) {
    const client = intruder(fleet, { clientId, will })
    await expect(connected(client)).rejects.toThrow(/Identifier rejected/)
    await closed(client)
    const told = await eventually(() => fleet.cloudLog.find(({ client }) => client === clientId.slice(0, 253)))
    expect(told).toMatchObject({ level: 'warn', msg: 'connection refused' })
  }
  await unharmed(fleet)
})

test('a client that listens or speaks on the topics of another node is refused', async () => {
  const fleet = await withKitchen()
  const seen: Buffer[] = []
  const client = await connected(intruder(fleet, { clientId: 'edge-9' }))
  client.on('message', (_topic, payload) => seen.push(payload))
  const filters = ['kedge/v1/edge-1/down', 'kedge/v1/+/down', 'kedge/#', '#', '+/+/+/+', 'kedge/v1/edge-1/up', '$SYS/#']
  for (const filter of filters) {
    await client.subscribeAsync(filter, { qos: 1 }).catch(() => {})
    const told = await eventually(() => fleet.cloudLog.find(({ topic }) => topic === filter))
    expect(told).toMatchObject({ level: 'warn', node: 'edge-9', msg: 'subscription refused' })
  }
  for (const channel of ['up', 'alive', 'down'] as const) {
    const speaker = await connected(intruder(fleet, { clientId: 'edge-8' }))
    speaker.publish(linkTopic('edge-1', channel), '0', { qos: 1, retain: true })
    await closed(speaker)
  }
  const refused = fleet.cloudLog.filter(({ msg }) => msg === 'publication refused')
  expect(refused.map(({ node, topic }) => [node, topic])).toEqual(
    ['up', 'alive', 'down'].map((channel) => ['edge-8', `kedge/v1/edge-1/${channel}`]),
  )
  await unharmed(fleet)
  expect(seen).toEqual([])
})

test('a last will on the topics of another node is not carried out', async () => {
  const fleet = await withKitchen()
  const will = { topic: linkTopic('edge-1', 'alive'), payload: Buffer.from('0'), qos: 1, retain: true } as const
  const client = await connected(intruder(fleet, { clientId: 'edge-9', will }))
  client.stream.destroy()
  await eventually(() => fleet.cloudLog.find(({ msg, node }) => msg === 'publication refused' && node === 'edge-9'))
  expect(fleet.cloudLog.filter(({ msg, node, up }) => msg === 'node link' && node === 'edge-1' && !up)).toEqual([])
  await unharmed(fleet)
})

test('a second connection with the name of a node ends the first, and the node gets its own again', async () => {
  const fleet = await withKitchen()
  const edge = fleet.node('edge-1')
  const second = await connected(intruder(fleet, { clientId: 'edge-1' }))
  await closed(second)
  await eventually(() => edge.link.connections === 2)
  await fleet.level()
  expect(fleet.node('edge-2').link.connections).toBe(1)
  expect(
    fleet
      .node('edge-2')
      .link.toEdge.flatMap(framesIn)
      .filter(({ is }) => is === 'compare'),
  ).toEqual([])
  const told = fleet.cloudLog.filter(({ msg }) => msg === 'node link taken over')
  expect(told).toEqual([expect.objectContaining({ level: 'warn', node: 'edge-1', address: expect.any(String) })])
  await unharmed(fleet, 2)
})

test('of two edgecores with one name each ends the link of the other, loudly, until one of them stops', async () => {
  const fleet = await withKitchen()
  const edge = fleet.node('edge-1')
  const cloud = `mqtt://127.0.0.1:${fleet.cloud.linkPort}`
  const double = await startEdge({ form: 'here', nodeName: 'edge-1', data: tempDir(), cloud })
  onTestFinished(() => double.stop())
  const told = (lines: readonly LogLine[], what: string) => lines.filter(({ msg }) => msg === what).length
  await eventually(() => told(fleet.cloudLog, 'node link taken over') >= 3)
  expect(told(edge.log, 'link down')).toBeGreaterThan(0)
  expect(told(double.lines, 'link down')).toBeGreaterThan(0)

  await double.stop()
  await eventually(() => edge.link.open === 1)
  await fleet.level()
  await unharmed(fleet, edge.link.connections)
  expect(fleet.node('edge-2').link.connections).toBe(1)
  expect((await edge.get('outbox')).filter(({ refused }) => refused !== undefined)).toEqual([])
})
