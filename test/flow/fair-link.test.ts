import { randomBytes } from 'node:crypto'
import { EmbeddedLink } from '@kedge/cloudcore/link/embedded'
import { CloudLink } from '@kedge/edgecore/link/link'
import { emptyDigest } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { type DownFrame, encodeFrame } from '@kedge/shared/frames'
import { openLog, silentLog } from '@kedge/shared/log'
import { linkTopic } from '@kedge/shared/topics'
import mqtt from 'mqtt'
import { generate } from 'mqtt-packet'
import { expect, onTestFinished, test } from 'vitest'
import { applied, same } from '../contract/link/cloud.ts'
import { CutLink } from '../support/cut-link.ts'
import { eventually } from '../support/eventually.ts'

/** cloudcore's end of the link, and who said what there. */
async function cloud() {
  const heard: string[] = []
  const lines: { msg: string; node: string }[] = []
  const to = { write: (line: string) => void lines.push(JSON.parse(line)) }
  const link = await EmbeddedLink.open({
    ...{ host: '127.0.0.1', port: 0, clock: systemClock },
    log: openLog({ level: 'warn', program: 'test', version: '0', to }),
    events: {
      onUp: (node) => heard.push(`${node} up`),
      onDown: (node) => heard.push(`${node} down`),
      onFrame: (node) => heard.push(node),
      onMalformed: () => {},
    },
  })
  onTestFinished(() => link.stop())
  return { link, heard, lines }
}

/** An edge node behind a network that can be stalled. */
async function node(name: string, port: number | undefined) {
  const network = await CutLink.open()
  network.target = port
  const received: DownFrame[] = []
  const link = new CloudLink({
    ...{ url: network.url, node: name, clock: systemClock, random: () => 0, log: silentLog },
    ...{ onUp: () => {}, onDown: () => {}, onMalformed: () => {}, onFrame: (frame) => received.push(frame) },
  })
  link.start()
  onTestFinished(() => network.stop())
  onTestFinished(() => link.stop())
  await eventually(() => link.up)
  return { network, link, received }
}

const content = (data: string) => ({ metadata: { name: 'c', namespace: 'default' }, data: { data } })

/** A change of some 48 KB that does not become smaller on the way. */
function change(to: number): DownFrame {
  const object = content(randomBytes(48 * 1024).toString('base64'))
  return {
    ...{ is: 'changes', talk: 'a.1', epoch: 'e', from: to - 1, to, base: emptyDigest, digest: emptyDigest },
    ...{ put: [['configmaps/default/c', object]], drop: [], complete: true },
  }
}

test('a node that does not read costs bounded memory and nobody else a thing, and comes back', async () => {
  const { link, heard, lines } = await cloud()
  const [stuck, other] = [await node('stuck', link.port), await node('other', link.port)]
  await eventually(() => heard.includes('stuck up') && heard.includes('other up'))
  stuck.network.stall()
  const revisions = () => other.received.map((frame) => ('revision' in frame ? frame.revision : 0))
  let largest = 0
  for (let round = 1; link.traffic.cut === 0; round++) {
    for (let index = 0; index < 20; index++) link.send('stuck', change(round * 20 + index))
    link.send('other', same(round))
    await eventually(() => revisions().length === round)
    largest = Math.max(largest, link.backlog)
  }
  expect(largest).toBeGreaterThan(1024 * 1024)
  expect(largest).toBeLessThan(17 * 1024 * 1024)
  expect(revisions()).toEqual(revisions().map((_, index) => index + 1))
  expect(lines.filter(({ msg, node }) => msg === 'node cut off' && node === 'stuck')).toHaveLength(1)
  expect(heard).not.toContain('other down')
  await eventually(() => heard.includes('stuck down'))
  expect(link.backlog).toBe(0)

  stuck.network.cut()
  stuck.network.heal()
  await eventually(() => heard.filter((each) => each === 'stuck up').length === 2)
  await eventually(() => {
    link.send('stuck', same(1))
    return stuck.received.some((frame) => frame.is === 'same')
  })
})

test('a node that sends without end delays nobody else', async () => {
  const { link, heard } = await cloud()
  const flood = mqtt.connect({ host: '127.0.0.1', port: link.port, clientId: 'flood', reconnectPeriod: 0 })
  onTestFinished(() => flood.endAsync(true))
  await new Promise<void>((resolve) => flood.once('connect', () => resolve()))
  const { link: quiet } = await node('quiet', link.port)
  await eventually(() => heard.includes('quiet up'))
  const payload = encodeFrame(applied(1))
  const packet = generate({
    cmd: 'publish',
    topic: linkTopic('flood', 'up'),
    payload,
    qos: 0,
    retain: false,
    dup: false,
  })
  flood.stream.write(Buffer.concat(Array.from({ length: 10_000 }, () => packet)))
  await eventually(() => heard.includes('flood'), { every: 1 })
  quiet.send(applied(1))
  await eventually(() => heard.filter((each) => each === 'flood').length === 10_000)
  const before = heard.slice(0, heard.indexOf('quiet')).filter((each) => each === 'flood').length
  expect(heard).toContain('quiet')
  expect(before).toBeLessThan(9000)
})
