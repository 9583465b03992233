import { setImmediate as immediate } from 'node:timers/promises'
import { EmbeddedLink } from '@kedge/cloudcore/link/embedded'
import { Gate } from '@kedge/cloudcore/link/gate'
import { Traffic } from '@kedge/cloudcore/link/traffic'
import { Inbox } from '@kedge/cloudcore/sync/inbox'
import { CloudLink } from '@kedge/edgecore/link/link'
import { systemClock } from '@kedge/shared/clock'
import { decodeDown, decodeUp } from '@kedge/shared/frames'
import { openLog, silentLog } from '@kedge/shared/log'
import { openBroker } from '@kedge/shared/mqtt-broker'
import type { KubeObject } from '@kedge/shared/objects'
import { linkTopic } from '@kedge/shared/topics'
import fc from 'fast-check'
import mqtt from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { applied } from '../../contract/link/cloud.ts'
import { CloudEnd, EdgeEnd, settle } from '../../recorded/ends.ts'
import { eventually } from '../../support/eventually.ts'
import { fuzz } from './fuzz.ts'

const numRuns = Number(process.env.KEDGE_TEST_RUNS ?? 40)
const pod = (name: string): KubeObject => ({ metadata: { name, namespace: 'default' }, spec: { containers: [] } })

/** How many of these are frames, and how many are malformed; the others are of a kind that only a newer peer knows. */
function countOf(samples: readonly Buffer[], decode: typeof decodeUp | typeof decodeDown) {
  const decoded = samples.map((bytes) => decode(bytes))
  const malformed = decoded.filter((each) => !each.ok && !each.unknown).length
  return { frames: decoded.filter(({ ok }) => ok).length, malformed }
}

/** A cloud's end and an edge's, joined by whatever `carry` does to the frames upward. */
function pair(carry: (bytes: Buffer) => void) {
  const edge = new EdgeEnd((bytes) => carry(bytes))
  const cloud = new CloudEnd((bytes) => edge.receive(bytes))
  cloud.restart('e1')
  edge.restart('r1')
  return { cloud, edge }
}

test('whatever a node sends is counted, ends at the gate, disturbs no other node, and not even its own next link', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fuzz('up'), { minLength: 1, maxLength: 25 }), async (frames) => {
      const said: string[] = []
      const log = openLog({ level: 'error', program: 'test', version: '0', to: { write: (line) => said.push(line) } })
      const traffic = new Traffic()
      let told = 0
      const pairs = new Map(['bad', 'good'].map((node) => [node, pair((bytes) => gate.take(node, bytes))]))
      const cloudOf = (node: string) => pairs.get(node)?.cloud
      const sink = { accept: async () => ({ is: 'accepted' as const }) }
      const inbox = new Inbox({ sink, send: () => {}, log: silentLog })
      const gate = new Gate({
        events: {
          onUp: (node) => cloudOf(node)?.link(true),
          onDown: (node) => cloudOf(node)?.link(false),
          onMalformed: (node) => cloudOf(node)?.tell({ is: 'malformed' }),
          onFrame: (node, frame) => {
            if (node === 'bad') told++
            if (frame.is === 'reports') inbox.receive(node, frame)
            else if (frame.is !== 'renew') cloudOf(node)?.tell(frame)
          },
        },
        ...{ traffic, askAll: () => {}, backlog: () => 0, clock: systemClock, log },
        admission: { perSecond: 1e9, burst: 1e9 },
      })
      const quiet = async () => {
        for (let turn = 0; turn < 12; turn++) {
          await immediate()
          await settle()
        }
      }
      const good = pairs.get('good')
      const bad = pairs.get('bad')
      if (good === undefined || bad === undefined) throw new Error('no pair')
      gate.present('good', true)
      await quiet()
      good.edge.link(true)
      good.cloud.set('pods/default/a', pod('a'))
      let handled = 0
      for (const bytes of frames) gate.take('bad', bytes, () => handled++)
      good.cloud.set('pods/default/b', pod('b'))
      while (handled < frames.length) await immediate()
      await quiet()
      expect({ frames: told, malformed: traffic.malformed }).toEqual(countOf(frames, decodeUp))
      expect([...good.edge.holds]).toEqual([...good.cloud.holds])
      expect(good.cloud.session.state).toBe('level')

      gate.present('bad', false)
      bad.cloud.set('pods/default/c', pod('c'))
      gate.present('bad', true)
      await quiet()
      // Talks of a run that the noise cannot have known.
      bad.edge.restart('r9')
      bad.edge.link(true)
      await quiet()
      expect([...bad.edge.holds]).toEqual([...bad.cloud.holds])
      expect(said).toEqual([])
      gate.stop()
    }),
    { numRuns },
  )
})

test('whatever a cloud sends, the edge is in agreement with it after the next link', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fuzz('down'), { minLength: 1, maxLength: 25 }), async (frames) => {
      let isUp = true
      const { cloud, edge } = pair((bytes) => {
        if (isUp) cloud.receive(bytes)
      })
      cloud.link(true)
      edge.link(true)
      cloud.set('pods/default/a', pod('a'))
      await settle()
      for (const bytes of frames) {
        const decoded = decodeDown(bytes)
        // These two are not of the conversation.
        if (!decoded.ok || (decoded.frame.is !== 'answered' && decoded.frame.is !== 'tell')) edge.receive(bytes)
        await settle()
      }
      isUp = false
      edge.link(false)
      cloud.link(false)
      cloud.set('pods/default/b', pod('b'))
      isUp = true
      cloud.link(true)
      edge.link(true)
      for (let turn = 0; turn < 5; turn++) await settle()
      expect([...edge.holds].sort()).toEqual([...cloud.holds].sort())
    }),
    { numRuns },
  )
})

test('over MQTT all of it arrives, is counted, and ends no connection', async () => {
  const heard: string[] = []
  const link = await EmbeddedLink.open({
    ...{ host: '127.0.0.1', port: 0, clock: systemClock, log: silentLog },
    events: {
      ...{ onUp: () => {}, onDown: (node) => heard.push(`${node} down`), onMalformed: () => {} },
      onFrame: (node) => heard.push(node),
    },
    admission: { perSecond: 1e9, burst: 1e9 },
  })
  onTestFinished(() => link.stop())
  const client = await mqtt.connectAsync({ host: '127.0.0.1', port: link.port, clientId: 'bad', reconnectPeriod: 0 })
  onTestFinished(() => client.endAsync(true))
  const samples = fc.sample(fuzz('up'), 300)
  for (const bytes of samples) client.publish(linkTopic('bad', 'up'), bytes, { qos: 1 })
  const expected = countOf(samples, decodeUp)
  await eventually(() => {
    const frames = heard.filter((node) => node === 'bad').length
    return frames === expected.frames && link.traffic.malformed === expected.malformed
  })
  expect(client.connected).toBe(true)
  expect(heard).not.toContain('bad down')
})

test('over MQTT the edge takes all of it, counts it, and keeps its link', async () => {
  const broker = await openBroker({
    ...{ host: '127.0.0.1', port: 0, portFlag: '', maxPacketBytes: 1e6, hooks: {}, log: silentLog },
  })
  onTestFinished(() => broker.stop())
  let frames = 0
  let downs = 0
  const link = new CloudLink({
    ...{ url: `mqtt://127.0.0.1:${broker.port}`, node: 'edge-1', clock: systemClock, random: () => 0, log: silentLog },
    ...{ onUp: () => {}, onDown: () => downs++, onMalformed: () => {} },
    onFrame: () => {
      frames++
      if (frames % 10 === 0) throw new Error('not handled')
    },
  })
  link.start()
  onTestFinished(() => link.stop())
  await eventually(() => link.up)
  const samples = fc.sample(fuzz('down'), 300)
  for (const payload of samples) {
    const topic = linkTopic('edge-1', 'down')
    broker.aedes.publish({ cmd: 'publish', topic, payload, qos: 1, retain: false, dup: false }, () => {})
  }
  const expected = countOf(samples, decodeDown)
  await eventually(() => frames === expected.frames && link.traffic.malformed === expected.malformed)
  expect(frames).toBeGreaterThan(20)
  expect(link.send(applied(1))).toBe(true)
  expect(downs).toBe(0)
})
