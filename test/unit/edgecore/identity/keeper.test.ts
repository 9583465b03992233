import { createPrivateKey, createPublicKey } from 'node:crypto'
import { csrFor } from '@kedge/edgecore/identity/csr'
import { diskFiles, type Files } from '@kedge/edgecore/identity/files'
import { type Identity, leafOf } from '@kedge/edgecore/identity/identity'
import { findIdentity, keepIdentity, requestKey } from '@kedge/edgecore/identity/keep'
import { IdentityKeeper } from '@kedge/edgecore/identity/keeper'
import type { Frame, UpFrame } from '@kedge/shared/frames'
import { trustName } from '@kedge/shared/identity/certificate'
import { silentLog } from '@kedge/shared/log'
import { describe, expect, test } from 'vitest'
import { day, type Holder, holder, noon } from '../../../support/certificates.ts'
import { nodeName } from '../../../support/csr.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import {
  nodeCertificate,
  secretOf,
  type TestAuthority,
  testAuthority,
  testIdentity,
} from '../../../support/identities.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const ca = testAuthority()
const minute = 60_000

interface Rig {
  keeper: IdentityKeeper
  clock: HandClock
  dir: string
  sent: UpFrame[]
  link: { up: boolean }
  kept: () => Identity | undefined
}

function rig(about: Parameters<typeof testIdentity>[1] = {}, files: Files = diskFiles): Rig {
  const dir = tempDir()
  const identity = testIdentity(ca, about)
  keepIdentity(dir, identity)
  const clock = new HandClock(noon)
  const sent: UpFrame[] = []
  const link = { up: true }
  const send = (frame: UpFrame) => {
    if (link.up) sent.push(frame)
    return link.up
  }
  const url = 'mqtts://cloud.example:8883'
  const options = { dir, identity, link: url, enrolment: url, clock, log: silentLog, send, changed: () => {}, files }
  const keeper = new IdentityKeeper(options)
  return { keeper, clock, dir, sent, link, kept: () => findIdentity(dir).identity }
}

/** What cloudcore answers with: a certificate for the key that was asked for. */
function answer(dir: string, authority: TestAuthority = ca): Frame<'renewed'> {
  const privateKey = createPrivateKey(requestKey(dir))
  const keys = { privateKey, publicKey: createPublicKey(privateKey) }
  const node: Holder = { ...holder('edge-1', keys), subject: nodeName('edge-1') }
  const chain = nodeCertificate(authority, node, { from: noon + 59 * day, to: noon + 150 * day })
  return { is: 'renewed', chain, roots: authority.root, secret: secretOf('next') }
}

const asks = (sent: readonly UpFrame[]) => sent.filter(({ is }) => is === 'renew')

describe('the renewal over the link', () => {
  test('asks when it is due and the link is up, with the secret, and keeps what comes', () => {
    const { keeper, clock, dir, sent, link, kept } = rig()
    keeper.tick()
    expect(sent).toEqual([])
    clock.jump(70 * day)
    link.up = false
    keeper.tick()
    link.up = true
    keeper.tick()
    keeper.tick()
    expect(sent).toMatchObject([{ is: 'renew', secret: secretOf('edge-1') }])
    expect(keeper.condition()).toMatchObject({ status: 'True', reason: 'Renewing' })
    keeper.answered(answer(dir))
    expect(kept()).toMatchObject({ generation: 2, secret: secretOf('next'), madeAt: noon + 70 * day })
    expect(leafOf(kept()?.chain ?? '').notAfter).toBe(keeper.endsAt)
    expect(keeper.condition()).toMatchObject({ status: 'True', reason: 'Valid' })
    keeper.tick()
    expect(sent).toHaveLength(1)
  })

  test('asks with the same key until it is answered, ever more rarely, and with another one afterwards', () => {
    const { keeper, clock, dir, sent } = rig()
    clock.jump(70 * day)
    const key = () => createPublicKey(createPrivateKey(requestKey(dir))).export({ type: 'spki', format: 'pem' })
    const first = key()
    for (let at = 0; at < 30; at++) {
      keeper.tick()
      clock.tick(minute)
    }
    expect(asks(sent).length).toBeGreaterThan(3)
    expect(asks(sent).length).toBeLessThan(10)
    expect(key()).toBe(first)
    keeper.answered(answer(dir))
    expect(key()).not.toBe(first)
    expect(csrFor(requestKey(dir), 'edge-1')).toContain('CERTIFICATE REQUEST')
  })

  test.each([
    ['a refusal', (): Frame<'renewed'> => ({ is: 'renewed', refused: 'busy', code: 'busy', retryAfter: 3 * minute })],
    ['nothing', (): Frame<'renewed'> => ({ is: 'renewed' })],
    ['a certificate for another key', () => ({ ...answer(tempDir()) })],
    [
      'a certificate for another node',
      (dir: string) => ({ ...answer(dir), chain: testIdentity(ca, { node: 'edge-2' }).chain }),
    ],
    ['roots that do not vouch for it', (dir: string) => ({ ...answer(dir), roots: testAuthority('other').root })],
    ['roots that cannot be read', (dir: string) => ({ ...answer(dir), roots: '-----BEGIN CERTIFICATE-----\nMIIB\n' })],
  ])('leaves the identity alone when the answer is %s, and asks again later', (_name, make) => {
    const { keeper, clock, dir, sent, kept } = rig()
    clock.jump(70 * day)
    keeper.tick()
    keeper.answered(make(dir))
    expect(kept()).toMatchObject({ generation: 1 })
    keeper.tick()
    expect(asks(sent)).toHaveLength(1)
    clock.tick(4 * minute)
    keeper.tick()
    expect(asks(sent)).toHaveLength(2)
  })
})

test('two answers to what was asked twice are both taken, in their order', () => {
  const { keeper, clock, dir, sent, kept } = rig()
  clock.jump(70 * day)
  keeper.tick()
  clock.tick(3 * minute)
  keeper.tick()
  clock.tick(2 * minute)
  keeper.tick()
  expect(asks(sent)).toHaveLength(2)
  const [first, second] = [answer(dir), { ...answer(dir), secret: secretOf('second') }]
  keeper.answered(first)
  const key = kept()?.key
  keeper.answered(second)
  expect(kept()).toMatchObject({ generation: 3, secret: secretOf('second'), key })
  expect(keeper.condition()).toMatchObject({ reason: 'Valid' })
})

test('a disk on which nothing can be written any more does not end edgecore, and is tried again', () => {
  let full = true
  const write = (path: string, text: string) => {
    if (full) throw new Error('ENOSPC: no space left on device')
    diskFiles.write(path, text)
  }
  const { keeper, clock, dir, sent, kept } = rig({}, { ...diskFiles, write })
  clock.jump(70 * day)
  keeper.tick()
  expect(sent).toEqual([])
  full = false
  clock.tick(2 * minute)
  keeper.tick()
  const given = answer(dir)
  full = true
  keeper.answered(given)
  expect(kept()).toMatchObject({ generation: 1 })
  full = false
  clock.tick(5 * minute)
  keeper.tick()
  expect(asks(sent)).toHaveLength(2)
  keeper.answered(answer(dir))
  expect(kept()).toMatchObject({ generation: 2 })
})

test('a board whose clock is far ahead does not renew again and again', () => {
  const { keeper, clock, dir, sent } = rig()
  clock.jump(400 * day)
  keeper.tick()
  keeper.answered(answer(dir))
  for (let at = 0; at < 60; at++) {
    clock.tick(minute)
    keeper.tick()
    keeper.up()
  }
  expect(asks(sent)).toHaveLength(1)
  clock.tick(day)
  keeper.tick()
  expect(asks(sent)).toHaveLength(2)
})

describe('what cloudcore says of the identity', () => {
  test('changes whom this node trusts, on disk before it counts', () => {
    const { keeper, kept } = rig()
    const roots = ca.root + testAuthority('next').root
    const before = keeper.trust
    keeper.told({ is: 'identity', roots })
    expect(keeper.trust).toBe(trustName(roots))
    expect(keeper.trust).not.toBe(before)
    expect(kept()).toMatchObject({ generation: 2, roots })
    keeper.told({ is: 'identity', roots })
    expect(kept()).toMatchObject({ generation: 2 })
  })

  test('is not taken where it cannot be read', () => {
    const { keeper, kept } = rig()
    keeper.told({ is: 'identity', roots: '-----BEGIN CERTIFICATE-----\nbroken\n-----END CERTIFICATE-----\n' })
    expect(kept()).toMatchObject({ generation: 1, roots: ca.root })
  })

  test('names a window, in which it renews once, however often it is named', () => {
    const { keeper, clock, dir, sent, kept } = rig()
    const renew = { from: noon + day, to: noon + 2 * day }
    keeper.told({ is: 'identity', renew })
    expect(kept()).toMatchObject({ renew })
    keeper.tick()
    expect(sent).toEqual([])
    clock.jump(2 * day)
    keeper.tick()
    expect(asks(sent)).toHaveLength(1)
    keeper.answered(answer(dir))
    keeper.told({ is: 'identity', renew })
    keeper.tick()
    expect(asks(sent)).toHaveLength(1)
    expect(kept()?.renew).toBeUndefined()
  })
})

test('the end of a certificate shows in the condition of the node', () => {
  const { keeper, clock } = rig()
  expect(keeper.condition()).toMatchObject({ type: 'CertificateValid', status: 'True', reason: 'Valid' })
  expect(keeper.condition().message).toContain('2026-08-29T12:00:00Z')
  clock.jump(85 * day)
  expect(keeper.condition()).toMatchObject({ status: 'True', reason: 'RenewalOverdue' })
  clock.jump(5 * day)
  expect(keeper.condition()).toMatchObject({ status: 'False', reason: 'Expired' })
})
