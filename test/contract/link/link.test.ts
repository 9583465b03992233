import { randomBytes } from 'node:crypto'
import { encodeFrame, maxFrameBytes, type UpFrame } from '@kedge/shared/frames'
import { linkTopic } from '@kedge/shared/topics'
import type { MqttClient } from 'mqtt'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { linkBrokerMissing } from '../../support/link-broker.ts'
import { embedded, embeddedTls, mosquitto } from './carriers.ts'
import { applied, Cloud, have, same } from './cloud.ts'

const closed = (client: MqttClient) => eventually(() => !client.connected)
const say = (client: MqttClient, node: string, frame: UpFrame) =>
  client.publishAsync(linkTopic(node, 'up'), encodeFrame(frame), { qos: 1 })
const will = (node: string) => ({
  will: { topic: linkTopic(node, 'alive'), payload: Buffer.from('0'), qos: 1 as const, retain: true },
})
const revisions = (frames: readonly { is: string }[], is: string) =>
  frames.flatMap((frame) => (frame.is === is && 'revision' in frame ? [frame.revision] : []))

/** `node` is served in both directions, whatever happened around it. */
async function serves(cloud: Cloud, node: Awaited<ReturnType<Cloud['node']>>, revision: number): Promise<void> {
  await eventually(() => node.link.send(applied(revision)))
  await eventually(() => revisions(cloud.framesOf('edge-1'), 'applied').includes(revision))
  cloud.carrier.link.send('edge-1', same(revision))
  await eventually(() => revisions(node.received, 'same').includes(revision))
}

for (const kind of [embedded, embeddedTls, mosquitto]) {
  const missing = kind === mosquitto ? linkBrokerMissing : undefined
  describe.skipIf(missing !== undefined)(`the link over ${kind.name}${missing ? ` (${missing})` : ''}`, () => {
    test('tells when a node comes and when it goes in order', async () => {
      const cloud = await Cloud.open(kind)
      const node = await cloud.node('edge-1')
      expect(cloud.of('edge-1').map(({ is }) => is)[0]).toBe('up')
      await node.stop()
      await eventually(() => !cloud.isUp('edge-1'))
      expect(cloud.of('edge-2')).toEqual([])
    })

    test('tells when a node goes without a word', async () => {
      const cloud = await Cloud.open(kind)
      const client = await cloud.client('edge-1', will('edge-1'))
      await client.publishAsync(linkTopic('edge-1', 'alive'), '1', { qos: 1, retain: true })
      await eventually(() => cloud.isUp('edge-1'))
      client.stream.destroy()
      await eventually(() => !cloud.isUp('edge-1'))
    })

    test('carries frames in both directions in their order', async () => {
      const cloud = await Cloud.open(kind)
      const node = await cloud.node('edge-1')
      const many = Array.from({ length: 300 }, (_, index) => index + 1)
      for (const revision of many) {
        node.link.send(applied(revision))
        cloud.carrier.link.send('edge-1', same(revision))
      }
      await eventually(() => revisions(cloud.framesOf('edge-1'), 'applied').length === many.length)
      await eventually(() => revisions(node.received, 'same').length === many.length)
      expect(revisions(cloud.framesOf('edge-1'), 'applied')).toEqual(many)
      expect(revisions(node.received, 'same')).toEqual(many)
      expect(cloud.carrier.link.traffic.received).toBeGreaterThan(0)
      await eventually(() => cloud.carrier.link.backlog === 0)
    })

    test('carries the largest frames, and no larger ones', async () => {
      const cloud = await Cloud.open(kind)
      const node = await cloud.node('edge-1')
      const data = randomBytes(5_500_000).toString('base64')
      const content = { metadata: { name: 'c', namespace: 'default' }, data: { data } }
      const change = { epoch: 'e', from: 0, to: 1, base: same(0).digest, digest: same(0).digest }
      cloud.carrier.link.send('edge-1', {
        ...{ is: 'changes', talk: 'a.1', ...change, put: [['configmaps/default/c', content]] },
        ...{ drop: [], complete: true },
      })
      await eventually(() => node.received.some((frame) => frame.is === 'changes'))
      expect(node.received.find((frame) => frame.is === 'changes')?.put[0]?.[1]).toEqual(content)

      const client = await cloud.client('edge-2')
      const report = (chars: number) => {
        const items = [{ seq: 1, version: 1, report: 'x'.repeat(chars) }]
        return Buffer.concat([Buffer.of(1), Buffer.from(JSON.stringify({ is: 'reports', box: 'b', items }))])
      }
      const overhead = report(0).length
      const topic = linkTopic('edge-2', 'up')
      await client.publishAsync(topic, report(maxFrameBytes - overhead), { qos: 1 })
      await eventually(() => cloud.framesOf('edge-2').length === 1)
      client.publish(topic, report(maxFrameBytes + 2048 - overhead), { qos: 1 })
      await closed(client)
      await serves(cloud, node, 7)
      expect(cloud.framesOf('edge-2')).toHaveLength(1)
    })

    test('tells of bytes that are no frame, and goes on', async () => {
      const cloud = await Cloud.open(kind)
      const client = await cloud.client('edge-1')
      for (const bytes of ['', 'hello', '\u0001{', '\u0002zip', '\u0001{"is":"have"}']) {
        await client.publishAsync(linkTopic('edge-1', 'up'), bytes, { qos: 1 })
      }
      await say(client, 'edge-1', applied(1))
      await eventually(() => cloud.framesOf('edge-1').length === 1)
      expect(cloud.carrier.link.traffic.malformed).toBe(5)
      expect(cloud.of('edge-1').some(({ is }) => is === 'malformed')).toBe(true)
      expect(client.connected).toBe(true)
    })

    test('keeps each node to its own topics', async () => {
      const cloud = await Cloud.open(kind)
      const node = await cloud.node('edge-1')
      const before = cloud.of('edge-1').length
      const seen: string[] = []
      const listener = await cloud.client('edge-2')
      listener.on('message', (topic) => seen.push(topic))
      for (const filter of ['kedge/v1/edge-1/down', 'kedge/v1/+/down', 'kedge/#', '#', 'kedge/v1/edge-1/up']) {
        await listener.subscribeAsync(filter, { qos: 1 }).catch(() => {})
      }
      let revision = 0
      for (const channel of ['up', 'alive', 'down'] as const) {
        const speaker = await cloud.client('edge-2')
        const payload = channel === 'alive' ? Buffer.from('0') : encodeFrame(applied(666))
        speaker.publish(linkTopic('edge-1', channel), payload, { qos: 1, retain: true })
        // A broker may close the connection of a client that does this, or take it and let it go.
        const after = ++revision
        speaker.publish(linkTopic('edge-2', 'up'), encodeFrame(applied(after)), { qos: 1 })
        await eventually(() => !speaker.connected || revisions(cloud.framesOf('edge-2'), 'applied').includes(after))
        await speaker.endAsync(true)
      }
      const dead = await cloud.client('edge-2', will('edge-1'))
      dead.stream.destroy()
      await serves(cloud, node, 8)
      await serves(cloud, node, 9)
      expect(seen).toEqual([])
      const since = cloud.of('edge-1').slice(before)
      expect(since.map((each) => (each.is === 'frame' ? revisions([each.frame], 'applied')[0] : each.is))).toEqual([
        8, 9,
      ])
      expect(revisions(node.received, 'same')).toEqual([8, 9])
    })

    test('of two connections of one node keeps the newer, and the node stays up', async () => {
      const cloud = await Cloud.open(kind)
      const first = await cloud.client('edge-1', will('edge-1'))
      await first.publishAsync(linkTopic('edge-1', 'alive'), '1', { qos: 1, retain: true })
      await eventually(() => cloud.isUp('edge-1'))
      const node = await cloud.node('edge-1')
      await closed(first)
      await serves(cloud, node, 3)
      await serves(cloud, node, 4)
      expect(cloud.isUp('edge-1')).toBe(true)
    })

    test('brings every node back after the broker was killed', async () => {
      const cloud = await Cloud.open(kind)
      const [node, other] = [await cloud.node('edge-1'), await cloud.node('edge-2')]
      const gone = await cloud.client('edge-1')
      gone.stream.destroy()
      await eventually(() => cloud.haves('edge-1') > 1)
      const before = [cloud.haves('edge-1'), cloud.haves('edge-2')] as const
      await other.stop()
      await cloud.carrier.restartBroker()
      await eventually(() => cloud.isUp('edge-1') && cloud.haves('edge-1') > before[0])
      await serves(cloud, node, 5)
      // Nobody is taken for there because he was before.
      expect(cloud.isUp('edge-2')).toBe(false)
      expect(cloud.haves('edge-2')).toBe(before[1])
    })

    test('brings every node back after cloudcore was restarted, and says nothing of what was before', async () => {
      const cloud = await Cloud.open(kind)
      const node = await cloud.node('edge-1')
      const client = await cloud.client('edge-2', will('edge-2'))
      await client.publishAsync(linkTopic('edge-2', 'up'), encodeFrame(have('old.1')), { qos: 1, retain: true })
      await eventually(() => cloud.haves('edge-2') === 1)
      await client.publishAsync(linkTopic('edge-2', 'alive'), '0', { qos: 1, retain: true })
      await client.endAsync()
      const haves = cloud.haves('edge-1')
      const told = cloud.heard.length
      await cloud.carrier.restartCloud()
      await eventually(() => cloud.haves('edge-1') > haves)
      await serves(cloud, node, 6)
      expect(cloud.isUp('edge-1')).toBe(true)
      expect(cloud.heard.slice(told).filter((each) => each.node === 'edge-2' && each.is !== 'down')).toEqual([])
    })

    test('takes no name but that of a node', async () => {
      const cloud = await Cloud.open(kind)
      const node = await cloud.node('edge-1')
      for (const name of ['Not_A_Node', '#', '+', '../edge-1']) {
        await cloud.client(name).catch(() => {})
      }
      await serves(cloud, node, 2)
      expect(new Set(cloud.heard.map((each) => each.node))).toEqual(new Set(['edge-1']))
    })
  })
}
