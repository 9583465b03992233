import { createHash, generateKeyPairSync } from 'node:crypto'
import { emptyDigest } from '@kedge/shared/changes'
import { encodeFrame } from '@kedge/shared/frames'
import { parseToken, shownToken } from '@kedge/shared/identity/token'
import { must } from '@kedge/shared/must'
import { linkTopic } from '@kedge/shared/topics'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterThese } from '../../support/after-these.ts'
import { conditionOf } from '../../support/api.ts'
import { authority, certificatePem, day, holder, keyPem, makeCertificate } from '../../support/certificates.ts'
import { clientAuth, extensions, makeCsr, nodeName, p256 } from '../../support/csr.ts'
import { eventually } from '../../support/eventually.ts'
import { closed, connected, have, report, say, World } from './world.ts'

let world: World
const whenOver = afterThese()
beforeAll(async () => {
  world = await World.open(whenOver)
}, 180_000)

describe('a node with a good certificate and a patched client', () => {
  test('may not listen to what is not its own', async () => {
    const filters = [
      ...['kedge/v1/edge-2/down', 'kedge/v1/+/down', '+/v1/edge-2/#', 'kedge/#', '#', '$SYS/#', 'kedge/v1/edge-1/up'],
      ...['$share/g/kedge/v1/edge-2/down', 'kedge/enrol/v1/+/down'],
    ]
    const client = await world.attacker()
    const heard: string[] = []
    client.on('message', (topic) => heard.push(topic))
    for (const topic of filters) {
      await world.refuses('subscription', () => client.subscribeAsync(topic, { qos: 1 }).catch(() => {}))
      expect(await world.told('subscription refused', { topic })).toEqual([
        expect.objectContaining({ level: 'warn', node: 'edge-1' }),
      ])
    }
    await world.unharmed()
    expect(heard).toEqual([])
  })

  test('may not speak on what is not its own, with or without retain', async () => {
    const topics = [
      ...['kedge/v1/edge-2/up', 'kedge/v1/edge-2/alive', 'kedge/v1/edge-2/down', 'kedge/v1/edge-1/down', '$SYS/x'],
      ...['kedge/enrol/v1/enrol-0123456789abcdef/down', 'kedge/v1/EDGE-2/up', 'kedge/v1/edge-1/up/x'],
    ]
    for (const [index, topic] of topics.entries()) {
      const client = await world.attacker()
      await world.refuses('publication', () => client.publish(topic, '0', { qos: 1, retain: index % 2 === 0 }))
      await closed(client)
    }
    const told = await world.told('publication refused', { topic: 'kedge/v1/edge-2/up' })
    expect(told).toEqual([expect.objectContaining({ level: 'warn', node: 'edge-1' })])
    await world.unharmed()
  })

  test('has no last will on the topics of another node', async () => {
    for (const channel of ['alive', 'up', 'down'] as const) {
      const will = { topic: linkTopic('edge-2', channel), payload: Buffer.from('0'), qos: 1, retain: true } as const
      const client = await world.attacker({ will })
      await world.refuses('publication', () => client.stream.destroy())
    }
    await world.unharmed()
  })

  test('may not take the name of another node, nor leave a session behind', async () => {
    for (const clientId of ['edge-2', 'kedge-cloudcore', 'edge-1/up', '#']) {
      await expect(connected(world.client(clientId, { shown: world.hostile }))).rejects.toThrow(/refused/i)
      await world.told('connection refused', { client: clientId })
    }
    await expect(connected(world.client('edge-1', { shown: world.hostile, clean: false }))).rejects.toThrow(/refused/i)
    await world.unharmed()
  })

  test('leaves nothing on the broker: what it retains is kept for nobody', async () => {
    const client = await world.attacker()
    await client.publishAsync(linkTopic('edge-1', 'alive'), '1', { qos: 1, retain: true })
    say(client, {
      is: 'have',
      protocol: 1,
      talk: 'a.1',
      epoch: '',
      revision: 0,
      digest: emptyDigest,
      count: 0,
      why: 'connect',
      edgecore: 'x',
    })
    await client.endAsync(true)
    const again = await world.attacker()
    const retained: string[] = []
    again.on('message', (topic, _payload, packet) => packet.retain && retained.push(topic))
    await again.subscribeAsync(linkTopic('edge-1', 'down'), { qos: 1 })
    await world.unharmed()
    expect(retained).toEqual([])
  })

  test('speaks with QoS 2, or in packets that are too large, and is cut off', async () => {
    const client = await world.attacker()
    client.publish(linkTopic('edge-1', 'up'), 'x', { qos: 2 })
    await closed(client)
    const other = await world.attacker()
    other.publish(linkTopic('edge-1', 'up'), Buffer.alloc(9 * 1024 * 1024), { qos: 0 })
    await closed(other)
    await world.unharmed()
  })

  test('says what is not its own, in frames that are right, and is refused and counted', async () => {
    const { metadata } = await world.api.get('devices/default/kitchen')
    const regarding = {
      apiVersion: 'devices.kubeedge.io/v1beta1',
      kind: 'Device',
      namespace: 'default',
      name: 'kitchen',
    }
    const event = {
      is: 'event',
      id: 'hostile-0001',
      type: 'Warning',
      reason: 'Lie',
      message: 'm',
      at: 1,
      by: 'devices',
    }
    const before = await world.metric('kedge_cloud_reports_refused_total')
    const refused = [
      { is: 'device', namespace: 'default', name: 'kitchen', uid: metadata.uid, state: 'offline' },
      { ...event, regarding },
      { ...event, regarding: { apiVersion: 'v1', kind: 'Node', name: 'edge-2' } },
      { ...event, regarding: { apiVersion: 'v1', kind: 'Secret', namespace: 'kedge', name: 'kedge-ca' } },
      { ...event, regarding: { apiVersion: 'v1', kind: 'Node', name: 'edge-1' }, by: 'cloudcore' },
      { is: 'pod', namespace: 'kube-system/../default', name: 'x', uid: 'u', status: {} },
      { is: 'upload', id: 'hostile-0002', topic: 't', payload: '', at: 1 },
      { is: 'node', labels: 7, status: {} },
    ]
    const client = await world.attacker()
    say(client, report(...refused))
    const count = async () => (await world.metric('kedge_cloud_reports_refused_total')) - before
    await eventually(async () => (await count()) === refused.length)
    const lies = {
      labels: { 'node-restriction.kubernetes.io/tier': 'x', 'node-role.kubernetes.io/control-plane': '' },
      status: {
        conditions: [
          { type: 'IdentityLocked', status: 'False' },
          { type: 'Ready', status: 'True' },
        ],
        addresses: [{ type: 'InternalIP', address: '169.254.169.254' }],
        daemonEndpoints: { kubeletEndpoint: { Port: 1 } },
      },
    }
    say(client, report({ is: 'node', spec: { taints: [] }, ...lies }))
    await world.told('node speaks of what is not its own: left out', { node: 'edge-1' })
    const node = await eventually(() => world.api.find('nodes/edge-1'))
    expect(JSON.stringify([node.metadata.labels, node.status])).not.toMatch(/restriction|control-plane|169\.254|"Port"/)
    expect((await world.api.list('events')).filter(({ reason }) => reason === 'Lie')).toEqual([])
    expect((await world.api.get('devices/default/kitchen')).status?.state).not.toBe('offline')
    await world.unharmed()
  })

  test('floods with what is no frame', async () => {
    const client = await world.attacker()
    for (let index = 0; index < 500; index++) client.publish(linkTopic('edge-1', 'up'), `noise ${index}`, { qos: 0 })
    await world.unharmed()
    await eventually(async () => (await world.metric('kedge_cloud_link_malformed_total')) >= 500)
    expect((await world.told('malformed frame')).length).toBeLessThan(40)
  })
})

test('an identity in two places locks its node, loudly, and neither gets in until somebody has looked at it', async () => {
  const shown = await world.join('edge-7')
  const live = async (talk: string) => {
    const client = await connected(world.client('edge-7', { shown }))
    // Answered once it has been heard: what comes next must not overtake it.
    await client.publishAsync(linkTopic('edge-7', 'up'), encodeFrame(have(talk)), { qos: 1 }).catch(() => {})
    return client
  }
  const first = await live('aaaaaaaa.1')
  say(first, report({ is: 'node', labels: {}, status: {} }), 'edge-7')
  await eventually(() => world.api.find('nodes/edge-7'))
  await live('bbbbbbbb.1')
  await closed(first)
  const again = await live('aaaaaaaa.2')
  await closed(again)
  await expect(live('bbbbbbbb.2')).rejects.toThrow(/refused/i)
  const locked = async () => conditionOf(await world.api.get('nodes/edge-7'), 'IdentityLocked')
  await eventually(async () => (await locked())?.status === 'True')
  const { metadata } = await world.api.get('secrets/kedge/node-identity-edge-7')
  expect(metadata.annotations['kedge.io/locked']).toContain('in use in two places')
  const isTold = ({ type, involvedObject }: { type: string; involvedObject: { name: string } }) =>
    type === 'Warning' && involvedObject.name === 'edge-7'
  await eventually(async () => (await world.api.list('events')).some(isTold))
  await world.unharmed()
})

describe('someone without a good certificate', () => {
  const other = holder('Kedge CA')
  const edge2 = { subject: nodeName('edge-2'), keys: p256() }
  const inTime = { from: Date.now() - day, to: Date.now() + day }
  const clientUse = [extensions.keyUsage(0x80), extensions.uses(clientAuth)]
  const root = makeCertificate({ holder: other, ...inTime, extensions: authority() })
  const cases: [string, Buffer][] = [
    ['one that it has signed itself', makeCertificate({ holder: edge2, ...inTime, extensions: clientUse })],
    ['one of another authority', makeCertificate({ holder: edge2, issuer: other, ...inTime, extensions: clientUse })],
    // A verdict that names the expiry alone would hide that nobody vouches.
    [
      'an expired one of another authority',
      makeCertificate({
        holder: edge2,
        issuer: other,
        from: Date.now() - 9 * day,
        to: Date.now() - day,
        extensions: clientUse,
      }),
    ],
  ]

  test('cannot speak for a node', async () => {
    await expect(connected(world.client('edge-2'))).rejects.toThrow(/refused/i)
    await world.unharmed()
  })

  test.each(cases)('cannot speak for a node with %s, nor renew with it', async (_, der) => {
    const shown = { key: keyPem(edge2), chain: certificatePem(der) + certificatePem(root) }
    await expect(connected(world.client('edge-2', { shown }))).rejects.toThrow(/refused/i)
    const answer = await world.enrol({ is: 'renew', csr: makeCsr('edge-2'), secret: 'x'.repeat(43) }, shown)
    expect(answer).toMatchObject({ is: 'refused' })
    await world.unharmed()
  })

  test('can do nothing but enrol on a connection that enrols', async () => {
    const id = 'enrol-00112233445566aa'
    const own = `kedge/enrol/v1/${id}/up`
    for (const topic of [
      'kedge/v1/edge-2/up',
      'kedge/enrol/v1/enrol-ffffffffffffffff/up',
      'kedge/enrol/v1/enrol-ffffffffffffffff/down',
    ]) {
      const client = await connected(world.client(id))
      client.publish(topic, '{}', { qos: 1 })
      await closed(client)
    }
    const large = await connected(world.client(id))
    large.publish(own, Buffer.alloc(20 * 1024), { qos: 1 })
    await closed(large)
    const listener = await connected(world.client(id))
    const heard: string[] = []
    listener.on('message', (topic) => heard.push(topic))
    for (const filter of ['#', 'kedge/v1/edge-2/down', 'kedge/enrol/v1/+/down'])
      await listener.subscribeAsync(filter).catch(() => {})
    await world.unharmed()
    expect(heard).toEqual([])
  })

  test('gets no certificate for a wrong request, and does not spend the token with it', async () => {
    const token = must(parseToken(await world.token()), 'token')
    const ask = (csr: string, node = 'edge-3') => world.enrol({ is: 'enrol', token: shownToken(token), node, csr })
    const wrong: Record<string, string> = {
      'another name': makeCsr('edge-2'),
      'an alternative name': makeCsr('edge-3', { extensions: [extensions.altName('edge-2')] }),
      'an authority': makeCsr('edge-3', { extensions: [extensions.authority()] }),
      'a weak key': makeCsr('edge-3', { keys: generateKeyPairSync('rsa', { modulusLength: 1024 }) }),
      'a signature of another': makeCsr('edge-3', { signer: p256().privateKey }),
    }
    for (const csr of Object.values(wrong)) expect(await ask(csr)).toMatchObject({ is: 'refused', code: 'csr-invalid' })
    expect(await ask(makeCsr('edge-3'))).toMatchObject({ is: 'enrolled', node: 'edge-3' })
    // The same key again is a lost answer; another one is a replay.
    expect(await ask(makeCsr('edge-3'))).toMatchObject({ is: 'refused', code: 'token-spent' })
    await world.unharmed()
  })

  test('gets none for a name that is taken, or with a token that has ended, is another node’s or is revoked', async () => {
    const shown = async (wish = {}) => shownToken(must(parseToken(await world.token(wish)), 'token'))
    const ask = (token: string, node: string) => world.enrol({ is: 'enrol', token, node, csr: makeCsr(node) })
    expect(await ask(await shown(), 'edge-2')).toMatchObject({ is: 'refused' })
    expect(await ask(await shown({ expires: Date.now() - 1 }), 'edge-4')).toMatchObject({ code: 'token-expired' })
    expect(await ask(await shown({ node: 'edge-5' }), 'edge-4')).toMatchObject({ code: 'token-other-node' })
    const revoked = await shown()
    await world.api.remove(`secrets/kedge/join-token-${revoked.split('.')[0]}`)
    await eventually(async () => (await ask(revoked, 'edge-4')).is === 'refused')
    await world.unharmed()
  })

  test('opens connections without end and says nothing, or nothing that is TLS', async () => {
    const sockets = await Promise.all(Array.from({ length: 1100 }, () => world.raw()))
    await world.told('connection refused', { source: '127.0.0.1' })
    for (const socket of sockets.slice(0, 50)) socket.write(Buffer.alloc(70_000, 0x16))
    // Those that had shown who they are go on; who comes new from the same place has to wait.
    await world.unharmed()
    for (const socket of sockets) socket.destroy()
    const silent = Array.from({ length: 20 }, () => world.tls())
    await world.unharmed()
    for (const socket of silent) socket.destroy()
    expect(await world.metric('kedge_cloud_link_refused_total{reason="half-open"}')).toBeGreaterThan(0)
  })

  test('tries tokens until it is locked out, alone', async () => {
    const guess = (index: number) =>
      `abcdefghij.${createHash('sha256').update(String(index)).digest('base64url').slice(0, 22)}`
    let codes: unknown[] = []
    for (let index = 0; index < 30 && codes.at(-1) !== 'too-many'; index++) {
      const answer = await world.enrol({ is: 'enrol', token: guess(index), node: 'edge-6', csr: makeCsr('edge-6') })
      codes = [...codes, answer.is === 'refused' ? answer.code : answer.is]
    }
    expect(codes.at(-1)).toBe('too-many')
    expect((await world.told('wrong join token', { source: '127.0.0.1' })).length).toBeLessThan(10)
    await world.unharmed()
  })
})

test('a node that is revoked is cut off at once and does not come back', async () => {
  const client = await world.attacker()
  await world.api.patch('secrets/kedge/node-identity-edge-1', {
    metadata: { annotations: { 'kedge.io/revoked': new Date().toISOString() } },
  })
  await closed(client)
  await expect(world.attacker()).rejects.toThrow(/refused/i)
  await world.unharmed()
})
