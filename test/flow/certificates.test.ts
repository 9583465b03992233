import { nodeCommand } from '@kedge/cloudcore/cli/node'
import { SecretCaStore } from '@kedge/cloudcore/identity/ca-store'
import { Registry } from '@kedge/cloudcore/identity/registry'
import { retireCa, rotateCa } from '@kedge/cloudcore/identity/rotate-ca'
import { openKube } from '@kedge/cloudcore/kube/client'
import { get } from '@kedge/edgecore/cli/get'
import { leafOf } from '@kedge/edgecore/identity/identity'
import { findIdentity } from '@kedge/edgecore/identity/keep'
import { rfc3339 } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from 'vitest'
import { conditionOf, statusTwins } from '../support/api.ts'
import { eventually as soon } from '../support/eventually.ts'
import { Board, JoinableCloud } from '../support/joined.ts'
import { room, roomModel } from '../support/manifests.ts'
import { TurnedClock } from '../support/turned-clock.ts'

const day = 24 * 3600 * 1000

/** Handshakes take a processor's time, of which there may be little. */
const eventually = <T>(look: () => T | Promise<T>) => soon(look, { within: 100_000 })

/** One cloudcore for all of them, whose time only goes on. */
const clock = new TurnedClock()
let cloud: JoinableCloud

vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 })

beforeAll(async () => {
  cloud = await JoinableCloud.start(clock, afterAll)
})

const identityOf = (board: Board) => must(findIdentity(board.data).identity, 'identity')
const serialOf = (board: Board) => leafOf(identityOf(board).chain).serial
const certificateOf = async (node: string) => conditionOf(await cloud.api.get(`nodes/${node}`), 'CertificateValid')

const twin = '$hw/events/device/default/kitchen/twin'
const reported = (value: number) => ({ twin: { temperature: { actual: { value: `${value}` } } } })

const pod = (name: string, nodeName: string) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name, namespace: 'default' },
  spec: { nodeName, containers: [{ name: 'main', image: 'app:1' }] },
})

async function joined(name: string): Promise<Board> {
  const board = new Board(name, clock)
  await board.join(await cloud.token())
  await board.start(cloud.port)
  await eventually(() => board.inSync)
  return board
}

describe('a board that has joined', () => {
  test('renews its certificate over the standing link, under load both ways, and nothing is lost', async () => {
    const board = await joined('busy')
    const before = serialOf(board)
    await cloud.api.create(roomModel(), room('kitchen', 'busy'))
    await eventually(async () => (await certificateOf('busy'))?.reason === 'Valid')
    const device = await board.device()
    await device.subscribe(`${twin}/update/result`)
    // From before the renewal until after it; each is answered when edgecore has it on its disk.
    const reports: Promise<void>[] = []
    const report = () => reports.push(device.publish(`${twin}/update`, reported(reports.length + 1)))
    while (reports.length < 20) report()
    clock.turn(65 * day)
    const names = Array.from({ length: 12 }, (_one, index) => `load-${index}`)
    for (const name of names) await cloud.api.create(pod(name, 'busy'))
    await eventually(() => {
      report()
      return serialOf(board) !== before
    })
    while (reports.length < 60) report()
    await Promise.all(reports)
    await eventually(() => device.on(`${twin}/update/result`).length === reports.length)
    await eventually(async () => {
      const { temperature } = statusTwins(await cloud.api.get('devices/default/kitchen'))
      return temperature?.reported === String(reports.length)
    })
    await eventually(async () => {
      const pods = await Promise.all(names.map((name) => cloud.api.get(`pods/default/${name}`)))
      return pods.every(({ status }) => status?.phase === 'Running')
    })
    expect(board.inSync).toBe(true)
    expect(board.said('link up')).toHaveLength(1)
    expect(identityOf(board).generation).toBe(2)
    for (const name of names) await cloud.api.remove(`pods/default/${name}`)
    // The new one is good for the next connection.
    await board.stop()
    await board.start(cloud.port)
    await eventually(() => board.inSync)
    expect(board.said('link up')).toHaveLength(2)
  })

  test('renews it by itself when it comes back 20 days after its end', async () => {
    const board = await joined('late')
    const before = serialOf(board)
    await board.stop()
    clock.turn(110 * day)
    await board.start(cloud.port)
    await eventually(() => board.inSync)
    expect(serialOf(board)).not.toBe(before)
    expect(board.said('certificate renewed')).toHaveLength(1)
    await eventually(async () => (await certificateOf('late'))?.status === 'True')
  })

  test('needs a new token after 400 days, says so, and is then the node that it was', async () => {
    const board = await joined('lost')
    await board.stop()
    await cloud.stop()
    clock.turn(400 * day)
    await cloud.start()
    await board.start(cloud.port)
    const [refusal] = await eventually(
      () => board.said('identity refused').length > 0 && board.said('identity refused'),
    )
    expect(refusal).toMatchObject({ code: 'too-late', todo: expect.stringContaining('cloudcore token create') })
    // It goes on trying, and says it once.
    await eventually(() => cloud.log.filter(({ msg }) => msg === 'enrolment refused').length > 0)
    expect(board.said('identity refused')).toHaveLength(1)
    expect(board.said('certificate').at(-1)).toMatchObject({ reason: 'ExpiredTooLong' })
    const asks = ['identity', '--data', board.data]
    const { out, note } = await get([...asks, '-o', 'wide'], { env: {}, now: clock.now() })
    expect(out).toMatch(/^NODE .*\nlost .*ExpiredTooLong /)
    expect(note).toContain('edgecore join --force')
    const { out: json } = await get([...asks, '-o', 'json'], { env: {}, now: clock.now() })
    expect(JSON.parse(json)).toMatchObject({ node: 'lost', generation: 1, valid: { status: 'False' } })
    expect(json).not.toMatch(/PRIVATE|secret/i)
    await board.stop()
    expect(await board.join(await cloud.token('--node', 'lost'))).toContain('this board is the node lost now')
    await board.start(cloud.port)
    await eventually(() => board.inSync)
  })

  test('that is locked is cut off, says why, and is back once it is unlocked; that is revoked stays away', async () => {
    const board = await joined('stolen')
    const kube = openKube({ kubeconfig: cloud.kubeconfig })
    onTestFinished(() => kube.close())
    const registry = new Registry({ kube, clock, log: silentLog })
    await registry.load('node', 'stolen')
    await registry.changeNode('stolen', (identity) => {
      const record = { ...must(identity, 'identity'), locked: `${rfc3339(clock.now())} in two places` }
      return { is: 'write', record }
    })
    const refusals = () => board.said('identity refused')
    await eventually(() => refusals().length === 1)
    expect(refusals()[0]).toMatchObject({ code: 'node-locked', todo: expect.stringContaining('cloudcore node unlock') })
    expect(board.inSync).toBe(false)
    const serial = serialOf(board)
    const around = { env: {}, now: clock.now(), note: () => {} }
    await nodeCommand(['unlock', 'stolen', '--kubeconfig', cloud.kubeconfig], around)
    await eventually(() => board.inSync)
    expect(board.said('certificate').at(-1)).toMatchObject({ reason: 'Valid' })
    expect(await get(['identity', '--data', board.data], around)).toMatchObject({ note: '' })
    // With another certificate: of the old one there was a copy.
    expect(serialOf(board)).not.toBe(serial)
    await nodeCommand(['revoke', 'stolen', '--kubeconfig', cloud.kubeconfig], around)
    await eventually(() => refusals().length === 2)
    expect(refusals()[1]).toMatchObject({ code: 'node-revoked' })
    expect(board.inSync).toBe(false)
  })
})

describe('the authority of the fleet', () => {
  const trustOf = (board: Board) => identityOf(board).roots
  const issuerOf = (board: Board) => leafOf(identityOf(board).chain).x509.issuer

  test('is rotated while nodes are away: those that are there renew over their links, the others when they are back', async () => {
    const [near, far, never] = [await joined('near'), await joined('far'), await joined('never')]
    const earlier = issuerOf(near)
    const token = await cloud.token()
    await far.stop()
    await never.stop()
    const kube = openKube({ kubeconfig: cloud.kubeconfig })
    onTestFinished(() => kube.close())
    const store = new SecretCaStore(kube, undefined)
    await rotateCa(store, { clock, spread: 500 })
    await eventually(() => issuerOf(near) !== earlier)
    expect(near.said('link up')).toHaveLength(1)

    // Both roots are known by those who were there; who was not knows the old one alone, and comes in over it.
    await cloud.stop()
    await cloud.start()
    await far.start(cloud.port)
    await eventually(() => far.inSync && issuerOf(far) !== earlier)
    expect(trustOf(far)).toBe(trustOf(near))
    expect(far.said('link up')).toHaveLength(2)
    const late = new Board('late-token', clock)
    await late.join(token)

    await retireCa(store)
    await eventually(() => trustOf(near) === trustOf(far) && trustOf(near).match(/BEGIN/g)?.length === 1)
    await cloud.stop()
    await cloud.start()
    await eventually(() => near.inSync && far.inSync)
    await never.start(cloud.port)
    const told = await eventually(() =>
      never.said('link down').find(({ reason }) => /untrusted|vouches/.test(String(reason))),
    )
    expect(told.reason).toContain('join it again')
  })
})
