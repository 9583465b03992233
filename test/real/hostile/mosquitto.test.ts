import { csrFor, newKey } from '@kedge/edgecore/identity/csr'
import { leafOf } from '@kedge/edgecore/identity/identity'
import { decodeDown, type Frame } from '@kedge/shared/frames'
import { nodeOf } from '@kedge/shared/identity/verify'
import { must } from '@kedge/shared/must'
import { linkTopic } from '@kedge/shared/topics'
import { beforeAll, describe, expect, test } from 'vitest'
import { afterThese } from '../../support/after-these.ts'
import { certificatePem, day, holder, keyPem, makeCertificate } from '../../support/certificates.ts'
import { clientAuth, extensions, nodeName, p256 } from '../../support/csr.ts'
import { eventually } from '../../support/eventually.ts'
import { hasMosquitto, startTlsBroker } from './tls-broker.ts'
import { connected, have, report, say, World } from './world.ts'

describe.skipIf(!hasMosquitto)('a node with a good certificate and a patched client, at mosquitto', () => {
  let world: World
  const whenOver = afterThese()
  beforeAll(async () => {
    world = await World.open(whenOver, await startTlsBroker(whenOver))
  }, 180_000)

  test('hears nothing that is not its own', async () => {
    const filters = [
      'kedge/v1/edge-2/down',
      'kedge/v1/+/down',
      '+/v1/edge-2/#',
      'kedge/#',
      '#',
      '$SYS/#',
      '$share/g/kedge/#',
    ]
    const client = await world.attacker({ username: 'cloudcore', password: 'x' })
    const heard: string[] = []
    client.on('message', (topic) => heard.push(topic))
    for (const filter of filters) await client.subscribeAsync(filter, { qos: 1 }).catch(() => {})
    await world.unharmed()
    // Its own it hears: what was to come has come by then.
    await client.subscribeAsync(linkTopic('edge-1', 'down'), { qos: 1 })
    await client.publishAsync(linkTopic('edge-1', 'alive'), '1', { qos: 1 })
    say(client, {
      is: 'have',
      protocol: 1,
      talk: 'a.1',
      epoch: '',
      revision: 0,
      digest: 'AAAAAAAAAAAAAAAAAAAAAA',
      count: 0,
      why: 'connect',
      edgecore: 'x',
    })
    await eventually(() => heard.length > 0)
    expect([...new Set(heard)]).toEqual([linkTopic('edge-1', 'down')])
  })

  test('is not heard on what is not its own, nor with its last will', async () => {
    const malformed = await world.metric('kedge_cloud_link_malformed_total')
    const topics = [...(['alive', 'up', 'down'] as const).map((channel) => linkTopic('edge-2', channel)), '$SYS/x']
    for (const [index, topic] of topics.entries()) {
      const will = { topic: topic.replace('$SYS/', ''), payload: Buffer.from('0'), qos: 1, retain: true } as const
      const client = await world.attacker({ will })
      client.publish(topic, '0', { qos: 1, retain: index % 2 === 0 })
      // The broker ends such a connection, or passes over what was said: then it answers what comes behind.
      const ended = new Promise<void>((resolve) => client.once('close', () => resolve()))
      await Promise.race([ended, client.publishAsync(linkTopic('edge-1', 'alive'), '1', { qos: 1 })])
      client.stream.destroy()
      await world.unharmed()
    }
    expect(await world.metric('kedge_cloud_link_malformed_total')).toBe(malformed)
  })

  test('takes the connection of nobody by its client id', async () => {
    const before = world.lines.length
    for (const clientId of ['edge-2', 'kedge-cloudcore', 'cloudcore', 'system:node:edge-2']) {
      const client = world.client(clientId, { shown: world.hostile })
      await connected(client).catch(() => {})
      await world.unharmed()
      await client.endAsync(true)
    }
    expect(world.lines.slice(before).filter(({ msg }) => msg === 'link broker down')).toEqual([])
  })

  test('is refused by cloudcore what it says of others on its own topic', async () => {
    const { metadata } = await world.api.get('devices/default/kitchen')
    const before = await world.metric('kedge_cloud_reports_refused_total')
    const client = await world.attacker()
    say(client, report({ is: 'device', namespace: 'default', name: 'kitchen', uid: metadata.uid, state: 'offline' }))
    await eventually(async () => (await world.metric('kedge_cloud_reports_refused_total')) > before)
    await world.told('report refused', { node: 'edge-1' })
    await world.unharmed()
  })

  test('comes in with no other certificate', async () => {
    const [own, stranger] = [{ subject: nodeName('edge-2'), keys: p256() }, holder('Nobody')]
    const times = { from: Date.now() - day, to: Date.now() + day }
    const use = [extensions.keyUsage(0x80), extensions.uses(clientAuth)]
    const forged = makeCertificate({ holder: own, issuer: stranger, ...times, extensions: use })
    await expect(connected(world.client('edge-2'))).rejects.toThrow()
    const shown = { key: keyPem(own), chain: certificatePem(forged) }
    await expect(connected(world.client('edge-2', { shown }))).rejects.toThrow()
    await world.unharmed()
  })

  test('gets another certificate for its own secret alone', async () => {
    const client = await world.attacker()
    await client.subscribeAsync(linkTopic('edge-1', 'down'), { qos: 1 })
    const answers: Frame<'renewed'>[] = []
    client.on('message', (_topic, payload) => {
      const decoded = decodeDown(payload)
      if (decoded.ok && decoded.frame.is === 'renewed') answers.push(decoded.frame)
    })
    const [key, { secret }] = [newKey(), world.neighbour]
    say(client, { is: 'renew', csr: csrFor(key, 'edge-1'), secret })
    await eventually(() => answers.length === 1)
    expect(answers[0]).toMatchObject({ code: 'token-unknown' })
    say(client, { is: 'renew', csr: csrFor(key, 'edge-2'), secret: world.hostile.secret })
    await eventually(() => answers.length === 2)
    expect(answers[1]).toMatchObject({ code: 'csr-invalid' })
    say(client, { is: 'renew', csr: csrFor(key, 'edge-1'), secret: world.hostile.secret })
    await eventually(() => answers.length === 3)
    expect(nodeOf(leafOf(must(answers[2]?.chain, 'chain')))).toBe('edge-1')
    await world.unharmed()
  })

  test('that lives in two places is locked, and neither is heard any more', async () => {
    const shown = await world.join('edge-7')
    const begin = async (talk: string) => {
      const client = await connected(world.client('edge-7', { shown }))
      say(client, have(talk), 'edge-7')
    }
    const asked = () => world.lines.filter(({ msg, node }) => msg === 'sync asked' && node === 'edge-7')
    for (const [index, talk] of ['a.1', 'b.1', 'a.2', 'b.2', 'a.3'].entries()) {
      await begin(talk)
      await eventually(() => asked().length === index + 1)
    }
    await world.told('node locked', { node: 'edge-7' })
    const { metadata } = await world.api.get('secrets/kedge/node-identity-edge-7')
    expect(metadata.annotations['kedge.io/locked']).toContain('in use in two places')
    await begin('b.3')
    await world.told('node refused', { node: 'edge-7' })
    await eventually(async () => (await world.api.list('events')).some(({ reason }) => reason === 'IdentityLocked'))
    await world.unharmed()
  })

  test('is no hindrance when the authority is rotated: its neighbour renews over the link that it has', async () => {
    const before = world.neighbour
    await world.ca('rotate', '--spread', '1s')
    await eventually(() => world.neighbour.chain !== before.chain)
    await eventually(() => world.neighbour.roots.match(/BEGIN/g)?.length === 2)
    expect(leafOf(world.neighbour.chain).x509.issuer).not.toBe(leafOf(before.chain).x509.issuer)
    await world.unharmed()
  })

  test('is neither heard nor told anything once it is revoked', async () => {
    const client = await world.attacker()
    await client.subscribeAsync(linkTopic('edge-1', 'down'), { qos: 1 })
    const annotations = { 'kedge.io/revoked': new Date().toISOString() }
    await world.api.patch('secrets/kedge/node-identity-edge-1', { metadata: { annotations } })
    await eventually(() =>
      world.lines.some(({ msg, node, up }) => msg === 'node link' && node === 'edge-1' && up === false),
    )
    const heard: string[] = []
    client.on('message', (topic) => heard.push(topic))
    say(client, report({ is: 'nonsense' }))
    await world.told('node refused', { node: 'edge-1' })
    await world.unharmed()
    expect(heard).toEqual([])
  })
})
