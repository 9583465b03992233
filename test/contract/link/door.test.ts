import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { connect as connectTcp } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { identitySecret, readIdentity } from '@kedge/cloudcore/identity/records'
import { EmbeddedLink, type EmbeddedLinkOptions } from '@kedge/cloudcore/link/embedded'
import type { RefusalKind } from '@kedge/cloudcore/link/turned-away'
import { csrFor, newKey } from '@kedge/edgecore/identity/csr'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { enrolClientId, enrolTopic, parseEnrolDown } from '@kedge/shared/identity/enrol'
import { openLog } from '@kedge/shared/log'
import { linkTopic } from '@kedge/shared/topics'
import mqtt, { type IClientOptions, type MqttClient } from 'mqtt'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { LinkAuthority, type Papers } from '../../support/link-authority.ts'
import { TurnedClock } from '../../support/turned-clock.ts'

const day = 24 * 3_600_000

/** cloudcore's broker with TLS, whose clock can be turned, and clients that try things. */
async function open(given: Partial<EmbeddedLinkOptions> = {}) {
  const clock = new TurnedClock()
  const authority = await LinkAuthority.open(clock)
  const up: string[] = []
  const events = {
    onUp: (node: string) => void up.push(node),
    onDown: () => {},
    onFrame: () => {},
    onMalformed: () => {},
  }
  const said: Record<string, unknown>[] = []
  const to = { write: (line: string) => void said.push(JSON.parse(line)) }
  const log = openLog({ level: 'info', program: 'test', version: '0', to })
  const { door } = authority
  const link = await EmbeddedLink.open({ host: '127.0.0.1', port: 0, door, events, clock, log, sweep: 20, ...given })
  onTestFinished(() => link.stop())
  const client = (clientId: string, papers: Papers | undefined, options: IClientOptions = {}): MqttClient => {
    const tls = papers === undefined ? { ca: authority.ca.roots() } : authority.tls(papers)
    const made = mqtt.connect(`mqtts://127.0.0.1:${link.port}`, { ...tls, clientId, reconnectPeriod: 0, ...options })
    made.on('error', () => {})
    onTestFinished(() => made.endAsync(true))
    return made
  }
  const refused = (kind: RefusalKind) => link.turnedAway.counts.get(kind) ?? 0
  return { clock, authority, link, client, refused, said, up }
}

type World = Awaited<ReturnType<typeof open>>

async function connected(client: MqttClient): Promise<MqttClient> {
  await new Promise<void>((resolve, reject) => {
    client.once('connect', () => resolve())
    client.once('error', reject)
    client.once('close', () => reject(new Error('closed')))
  })
  return client
}

const closed = (client: MqttClient) => eventually(() => !client.connected)
const enrolId = () => enrolClientId(randomBytes(8).toString('hex'))

/** What an enrolling connection is answered. */
async function ask({ client }: World, papers: Papers | undefined, question: unknown) {
  const id = enrolId()
  const enrolling = await connected(client(id, papers))
  const answer = new Promise<Buffer>((resolve) => enrolling.once('message', (_topic, payload) => resolve(payload)))
  await enrolling.subscribeAsync(enrolTopic(id, 'down'), { qos: 1 })
  await enrolling.publishAsync(enrolTopic(id, 'up'), JSON.stringify(question), { qos: 1 })
  const parsed = parseEnrolDown(await answer)
  if (!parsed.ok) throw new Error(parsed.reason)
  return parsed.message
}

const renewal = (node: string) => ({ is: 'renew', csr: csrFor(newKey(), node), secret: 'x'.repeat(43) })

test('a node comes in with its own certificate and name, and with nothing else', async () => {
  const world = await open()
  const { authority, client, refused, up } = world
  const papers = await authority.papers('edge-1')
  await connected(client('edge-1', papers))
  await expect(connected(client('edge-2', papers))).rejects.toThrow(/Not authorized/)
  await expect(connected(client('edge-1', undefined))).rejects.toThrow(/Not authorized/)
  expect(refused('certificate')).toBe(2)
  const others = await LinkAuthority.open(world.clock)
  await expect(connected(client('edge-1', await others.newPapers('edge-1')))).rejects.toThrow(/Not authorized/)
  const server = { key: authority.door.tls().key, chain: authority.door.tls().cert }
  await expect(connected(client('edge-1', server))).rejects.toThrow(/Not authorized/)
  expect([refused('certificate'), up]).toEqual([4, []])
})

test('a certificate that has ended renews, and one of a foreign authority that has ended does not', async () => {
  const world = await open()
  const { authority, client, clock } = world
  const [papers, others] = [await authority.newPapers('edge-1', 1), await LinkAuthority.open(clock)]
  const foreign = await others.newPapers('edge-1', 1)
  clock.turn(10 * day)
  await expect(connected(client('edge-1', papers))).rejects.toThrow(/Not authorized/)
  await expect(connected(client('edge-1', foreign))).rejects.toThrow(/Not authorized/)
  await ask(world, papers, renewal('edge-1'))
  const serial = readCertificates(papers.chain)[0]?.serial
  expect(authority.asked.at(-1)?.caller).toMatchObject({ node: { name: 'edge-1', serial } })
  await ask(world, foreign, renewal('edge-1'))
  expect(authority.asked.at(-1)?.caller).toMatchObject({ unfit: { code: 'csr-invalid' } })
  expect(authority.asked.at(-1)?.caller.node).toBeUndefined()
  clock.turn(30 * day)
  await ask(world, papers, renewal('edge-1'))
  expect(authority.asked.at(-1)?.caller).toMatchObject({ unfit: { code: 'too-late' } })
})

test('a connection ends with its certificate, unless the node has another one by then', async () => {
  const { authority, client, clock, link, refused } = await open()
  const short = await connected(client('edge-1', await authority.newPapers('edge-1', 1)))
  const renewed = await connected(client('edge-2', await authority.newPapers('edge-2', 1)))
  link.prolong('edge-2', clock.now() + 90 * day)
  clock.turn(2 * day)
  await closed(short)
  expect([renewed.connected, refused('certificate')]).toEqual([true, 1])
})

test('a node that is revoked or locked is cut off at once, stays out, and hears why when it asks', async () => {
  const world = await open()
  const { authority, client, refused, said } = world
  for (const [node, kind] of [
    ['edge-1', 'revoked'],
    ['edge-2', 'locked'],
  ] as const) {
    const papers = await authority.papers(node)
    const neighbour = await connected(client('edge-3', await authority.papers('edge-3')))
    const standing = await connected(client(node, papers))
    const read = readIdentity(identitySecret({ node, issued: [], secrets: [], only: false, [kind]: 'now' }, 'kedge'))
    if (!read.ok) throw new Error(read.reason)
    authority.know(read.value)
    await closed(standing)
    await expect(connected(client(node, papers))).rejects.toThrow(/Not authorized/)
    expect(refused(kind)).toBe(2)
    expect(await ask(world, papers, renewal(node))).toMatchObject({ is: 'refused' })
    expect(authority.asked.at(-1)?.caller.node?.name).toBe(node)
    expect(said.some((line) => line.msg === 'node cut off' && line.node === node)).toBe(true)
    expect(neighbour.connected).toBe(true)
  }
})

test('a connection that enrols does nothing but that', async () => {
  const world = await open()
  const { client, refused } = world
  const other = enrolTopic(enrolId(), 'down')
  for (const filter of ['#', '+/+/+/+/+', '$SYS/#', '$share/all/#', linkTopic('edge-1', 'down'), other]) {
    const listening = await connected(client(enrolId(), undefined))
    const [granted] = await listening.subscribeAsync(filter, { qos: 1 }).catch(() => [{ qos: 128 }])
    expect(granted?.qos).toBe(128)
  }
  expect(refused('subscription')).toBe(6)
  for (const topic of [linkTopic('edge-1', 'up'), linkTopic('edge-1', 'alive'), other, '$SYS/x', 'anything']) {
    const speaking = await connected(client(enrolId(), undefined))
    speaking.publish(topic, '0', { qos: 1 })
    await closed(speaking)
  }
  const id = enrolId()
  const keeping = await connected(client(id, undefined))
  keeping.publish(enrolTopic(id, 'up'), '{}', { qos: 1, retain: true })
  await closed(keeping)
  expect(refused('enrolment')).toBe(6)
  const will = { topic: linkTopic('edge-1', 'alive'), payload: Buffer.from('1'), qos: 1 as const, retain: true }
  const dying = await connected(client(enrolId(), undefined, { will }))
  dying.stream.destroy()
  await eventually(() => refused('publication') + refused('enrolment') === 7)
  // Nor is it a node of the name that it has for this.
  for (const channel of ['alive', 'up'] as const) {
    const own = enrolId()
    const testament = { topic: linkTopic(own, channel), payload: Buffer.from('1'), qos: 1 as const, retain: false }
    const speaking = await connected(client(own, undefined, { will: testament }))
    await speaking.subscribeAsync(enrolTopic(own, 'down'), { qos: 1 })
    speaking.stream.destroy()
  }
  await eventually(() => refused('publication') + refused('enrolment') === 9)
  expect(world.up).toEqual([])
})

test('an enrolling connection that talks nonsense is answered, and one that says too much is cut', async () => {
  const world = await open()
  expect(await ask(world, undefined, { is: 'enrol', token: 'secret-token', csr: 'x' })).toMatchObject({
    code: 'csr-invalid',
  })
  expect(JSON.stringify(world.said)).not.toContain('secret-token')
  const id = enrolId()
  const loud = await connected(world.client(id, undefined))
  loud.publish(enrolTopic(id, 'up'), 'x'.repeat(64 * 1024), { qos: 1 })
  await closed(loud)
})

test('connections that do not say who they are are few, and nodes still come in', async () => {
  const { authority, client, link, refused } = await open({ halfOpen: { total: 8, perSource: 5 } })
  const silent = Array.from({ length: 20 }, () => connectTcp({ host: '127.0.0.1', port: link.port ?? 0 }))
  for (const socket of silent) socket.on('error', () => {})
  onTestFinished(() => silent.forEach((socket) => void socket.destroy()))
  await eventually(() => refused('half-open') >= 15)
  await eventually(() => silent.filter(({ destroyed }) => !destroyed).length <= 5)
  for (const socket of silent) socket.destroy()
  const papers = await authority.papers('edge-1')
  await eventually(() => connected(client('edge-1', papers)))
  const garbage = connectTcp({ host: '127.0.0.1', port: link.port ?? 0 })
  garbage.on('error', () => {})
  garbage.end('GET / HTTP/1.1\r\n\r\n')
  await eventually(() => refused('handshake') > 0)
})

test('another certificate of cloudcore is shown from the next connection on, and nobody is cut', async () => {
  const { authority, client, link } = await open()
  const standing = await connected(client('edge-1', await authority.papers('edge-1')))
  const shown = async () => {
    const socket = connectTls({ host: '127.0.0.1', port: link.port ?? 0, ca: authority.ca.roots() })
    await once(socket, 'secureConnect')
    const { serialNumber } = socket.getPeerCertificate()
    socket.destroy()
    return serialNumber
  }
  const before = await shown()
  expect(await shown()).toBe(before)
  await authority.renewServer()
  expect(await shown()).not.toBe(before)
  expect(standing.connected).toBe(true)
})
