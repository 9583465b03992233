import { BuiltInCa } from '@kedge/cloudcore/identity/built-in'
import { SecretCaStore } from '@kedge/cloudcore/identity/ca-store'
import { judgeCsr } from '@kedge/cloudcore/identity/csr-policy'
import { type Caller, Enroller, type EnrolResult } from '@kedge/cloudcore/identity/enrolment'
import { createAtHome, home, secretPath } from '@kedge/cloudcore/identity/home'
import type { Issuer } from '@kedge/cloudcore/identity/issuer'
import { hashOf, identityName, type TokenRecord, tokenSecret } from '@kedge/cloudcore/identity/records'
import { Registry } from '@kedge/cloudcore/identity/registry'
import type { Kube } from '@kedge/cloudcore/kube/api'
import { openKube } from '@kedge/cloudcore/kube/client'
import { csrFor, newKey } from '@kedge/edgecore/identity/csr'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { silentLog } from '@kedge/shared/log'
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { HandClock } from '../../../support/hand-clock.ts'
import { startTestServer, type TestServer } from '../../../support/kube.ts'

const secret = 'x'.repeat(22)
const id = 'abcdefghij'
const caller: Caller = { source: '192.0.2.1' }
const grace = 30 * 24 * 3_600_000

let server: TestServer
let real: Kube
beforeAll(async () => {
  server = await startTestServer()
  real = openKube({ kubeconfig: server.kubeconfig })
})
afterAll(async () => {
  real.close()
  await server.stop()
})

/** What happens to a write: it does not arrive, or its answer does not. */
type Fault = 'reset' | 'lose-answer'

/** An API without tokens and identities, whose writes `fault` may break, each told by its number from 1. */
async function rig(fault: (write: number) => Fault | undefined = () => undefined) {
  for (const { metadata } of (await real.list('/api/v1/namespaces/kedge/secrets')).items) {
    await real.delete(secretPath(metadata.name))
  }
  let writes = 0
  const broken = async <T>(write: () => Promise<T>): Promise<T> => {
    const how = fault(++writes)
    if (how === 'reset') throw new Error('connection reset')
    const answer = await write()
    if (how === 'lose-answer') throw new Error('connection reset')
    return answer
  }
  const kube: Kube = {
    ...bound(real),
    create: (path, object) => broken(() => real.create(path, object)),
    update: (path, object) => broken(() => real.update(path, object)),
  }
  const clock = new HandClock(Date.now())
  const registry = new Registry({ kube, clock, log: silentLog })
  onTestFinished(() => registry.stop())
  registry.start()
  await registry.ready
  const ca = await BuiltInCa.open({ store: new SecretCaStore(real), clock })
  let secrets = 0
  const newSecret = () => `${++secrets}`.padEnd(43, '_')
  const enroller = (issuer: Issuer = ca) =>
    new Enroller({ registry, issuer, judgeCsr, daysOf: () => 90, grace, newSecret, clock, log: silentLog })
  return { kube: real, clock, registry, ca, enroller }
}

function bound(kube: Kube): Kube {
  const methods = ['get', 'list', 'patch', 'patchStatus', 'delete', 'confirm', 'watch', 'close'] as const
  const entries = methods.map((name) => [name, kube[name].bind(kube)] as const)
  return { ...(Object.fromEntries(entries) as unknown as Kube), create: kube.create, update: kube.update }
}

async function makeToken(kube: Kube, given: Partial<TokenRecord> = {}): Promise<void> {
  const now = Date.now()
  const record = { id, hash: hashOf(secret), left: 1, made: now, expires: now + 3_600_000, used: [], ...given }
  await createAtHome(kube, 'secrets', tokenSecret(record, home))
}

const enrol = (key: string, node = 'edge-1') =>
  ({ is: 'enrol', token: `${id}.${secret}`, node, csr: csrFor(key, node) }) as const
const codeOf = (result: EnrolResult) => (result.is === 'refused' ? result.code : result.by)

/** The holder of what was given, as its next connection shows it. */
function holder(result: EnrolResult): { caller: Caller; secret: string } {
  if (result.is === 'refused') throw new Error(result.reason)
  const { node, chain, secret } = result.given
  const serial = readCertificates(chain)[0]?.serial ?? ''
  return { caller: { ...caller, node: { name: node, serial } }, secret }
}

describe('joining', () => {
  test('gives a certificate for the key, writes it down, and spends the token', async () => {
    const { registry, ca, enroller, kube } = await rig()
    await makeToken(kube)
    const result = await enroller().answer(caller, enrol(newKey()))
    if (result.is === 'refused') throw new Error(result.reason)
    expect(result.given).toMatchObject({ node: 'edge-1', roots: ca.roots() })
    const [leaf] = readCertificates(result.given.chain)
    expect(registry.node('edge-1')).toMatchObject({
      issued: [{ serial: leaf?.serial, end: leaf?.notAfter }],
      secrets: [hashOf(result.given.secret)],
    })
    const kept = await kube.get(secretPath(identityName('edge-1')))
    expect(JSON.stringify(kept)).not.toContain(result.given.secret)
    expect(codeOf(await enroller().answer(caller, enrol(newKey(), 'edge-2')))).toBe('token-spent')
  })

  test('succeeds again for the same key after anything that happens in between', async () => {
    for (const how of ['reset', 'lose-answer'] as const) {
      for (const step of [1, 2]) {
        const { enroller, kube } = await rig((write) => (write === step ? how : undefined))
        await makeToken(kube)
        const key = newKey()
        expect(codeOf(await enroller().answer(caller, enrol(key)))).toBe('busy')
        expect(codeOf(await enroller().answer(caller, enrol(key)))).toBe('token')
        expect(codeOf(await enroller().answer(caller, enrol(newKey())))).toBe('token-spent')
      }
    }
  })

  test('succeeds again after an issuer that failed, and is refused by one that says no', async () => {
    const { ca, enroller, kube } = await rig()
    await makeToken(kube)
    const key = newKey()
    const failing = { ...ca, name: 'failing', roots: () => ca.roots(), onChange: () => () => {} }
    const broken = { ...failing, renewalWindow: () => undefined, sign: () => Promise.reject(new Error('away')) }
    expect(codeOf(await enroller(broken).answer(caller, enrol(key)))).toBe('busy')
    expect(codeOf(await enroller().answer(caller, enrol(key)))).toBe('token')
  })

  test('of two boards with one token gives it to one', async () => {
    const { enroller, kube } = await rig()
    await makeToken(kube)
    const one = enroller()
    const results = await Promise.all(
      ['edge-1', 'edge-2', 'edge-3'].map((node) => one.answer(caller, enrol(newKey(), node))),
    )
    expect(results.map(codeOf).sort()).toEqual(['token', 'token-spent', 'token-spent'])
  })

  test('of two boards with one name gives it to one', async () => {
    const { enroller, kube } = await rig()
    await makeToken(kube, { left: 3 })
    const one = enroller()
    const results = await Promise.all([1, 2, 3].map(() => one.answer(caller, enrol(newKey()))))
    expect(results.map(codeOf).sort()).toEqual(['token', 'token-other-node', 'token-other-node'])
  })

  test('is refused with a request for another name, a token that is wrong, and a source that goes on guessing', async () => {
    const { clock, enroller, kube } = await rig()
    await makeToken(kube)
    const one = enroller()
    const foreign = { ...enrol(newKey()), csr: csrFor(newKey(), 'edge-9') }
    expect(await one.answer(caller, foreign)).toMatchObject({ code: 'csr-invalid', reason: /subject/ })
    const guess = { ...enrol(newKey()), token: `${id}.${'y'.repeat(22)}` }
    for (let count = 0; count < 10; count++) expect(codeOf(await one.answer(caller, guess))).toBe('token-unknown')
    expect(await one.answer(caller, guess)).toMatchObject({ code: 'too-many', retryAfter: expect.any(Number) })
    expect(codeOf(await one.answer(caller, enrol(newKey())))).toBe('too-many')
    expect(codeOf(await one.answer({ source: '192.0.2.2' }, enrol(newKey())))).toBe('token')
    expect(one.counts.get('token-unknown')).toBe(10)
    clock.tick(60_000)
    expect(codeOf(await one.answer(caller, guess))).toBe('token-unknown')
  })

  test('is possible with a token of which the watch has not told yet, and not said to be wrong while Kubernetes is away', async () => {
    const { clock, ca, kube } = await rig()
    let away = false
    const get = (path: string) => (away ? Promise.reject(new Error('connection refused')) : real.get(path))
    const writes = { create: real.create.bind(real), update: real.update.bind(real) }
    // A registry whose watch never begins.
    const registry = new Registry({ kube: { ...bound(kube), ...writes, get }, clock, log: silentLog })
    const common = { registry, issuer: ca, judgeCsr, daysOf: () => 90, grace, newSecret: () => 's'.repeat(43), clock }
    const one = new Enroller({ ...common, log: silentLog })
    await makeToken(kube)
    away = true
    for (let count = 0; count < 12; count++) expect(codeOf(await one.answer(caller, enrol(newKey())))).toBe('busy')
    away = false
    expect(codeOf(await one.answer(caller, enrol(newKey())))).toBe('token')
  })

  test('with two answers under way leaves the board good with either', async () => {
    const { enroller, registry, kube } = await rig()
    await makeToken(kube)
    const [one, key] = [enroller(), newKey()]
    const both = await Promise.all([1, 2].map(() => one.answer(caller, enrol(key))))
    const { secrets, issued } = registry.node('edge-1') ?? {}
    expect(secrets?.toSorted()).toEqual(both.map((answer) => hashOf(holder(answer).secret)).toSorted())
    expect(issued?.map(({ serial }) => serial)).toEqual(
      expect.arrayContaining(both.map((answer) => holder(answer).caller.node?.serial)),
    )
  })

  test('again after a lock unlocks the name, also for a key that it knows', async () => {
    const { enroller, registry, kube } = await rig()
    await makeToken(kube, { node: 'edge-1' })
    const [one, key] = [enroller(), newKey()]
    expect(codeOf(await one.answer(caller, enrol(key)))).toBe('token')
    await registry.changeNode('edge-1', (identity) => {
      if (identity === undefined) throw new Error('no identity')
      return { is: 'write', record: { ...identity, locked: `${new Date(Date.now() - 1000).toISOString()} two places` } }
    })
    await kube.delete(secretPath(`join-token-${id}`))
    await eventually(async () => codeOf(await one.answer(caller, enrol(key))) === 'token-unknown')
    await makeToken(kube, { node: 'edge-1', made: Date.now() })
    expect(codeOf(await one.answer({ source: '192.0.2.9' }, enrol(key)))).toBe('token')
    expect(registry.node('edge-1')).toMatchObject({
      locked: undefined,
      only: true,
      out: [{ serial: expect.any(String) }],
    })
  })

  test('again in the name of a node shuts out whoever had it', async () => {
    const { enroller, registry, kube } = await rig()
    await makeToken(kube)
    const one = enroller()
    const old = holder(await one.answer(caller, enrol(newKey())))
    await kube.delete(secretPath(`join-token-${id}`))
    await eventually(async () => codeOf(await one.answer(caller, enrol(newKey()))) === 'token-unknown')
    await makeToken(kube, { node: 'edge-1' })
    const anew = holder(await one.answer({ source: '192.0.2.9' }, enrol(newKey())))
    const csr = csrFor(newKey(), 'edge-1')
    const renew = (who: typeof old) => one.answer(who.caller, { is: 'renew', csr, secret: who.secret })
    expect(codeOf(await renew(old))).toBe('node-revoked')
    expect(codeOf(await renew(anew))).toBe('renewal')
    expect(registry.node('edge-1')?.only).toBe(true)
  })
})

describe('renewing', () => {
  test('takes the secret that was shown last and those given since: any of the answers may be the one that arrived', async () => {
    const { clock, enroller, kube, registry } = await rig()
    await makeToken(kube)
    const one = enroller()
    const first = holder(await one.answer(caller, enrol(newKey())))
    const csr = csrFor(newKey(), 'edge-1')
    const renew = (who: typeof first) => {
      clock.tick(60_000)
      return one.answer(who.caller, { is: 'renew', csr, secret: who.secret })
    }
    const late = holder(await renew(first))
    const second = holder(await renew(first))
    const third = holder(await renew(late))
    expect(codeOf(await renew(first))).toBe('token-unknown')
    expect(codeOf(await renew(second))).toBe('renewal')
    expect(codeOf(await renew(third))).toBe('renewal')
    expect(codeOf(await renew(second))).toBe('token-unknown')
    // However many answers are lost, what the node has stays good.
    const has = holder(await renew(third))
    await registry.changeNode('edge-1', (identity) => {
      if (identity === undefined) throw new Error('no identity')
      return { is: 'write', record: { ...identity, only: true } }
    })
    for (let count = 0; count < 20; count++) expect(codeOf(await renew(has))).toBe('renewal')
    expect(registry.node('edge-1')?.issued).toHaveLength(17)
    expect(registry.node('edge-1')?.secrets).toHaveLength(8)
  })

  test('succeeds again after anything that happens in between', async () => {
    for (const how of ['reset', 'lose-answer'] as const) {
      // The first two are those of joining.
      const { enroller, kube } = await rig((write) => (write === 3 ? how : undefined))
      await makeToken(kube)
      const one = enroller()
      const first = holder(await one.answer(caller, enrol(newKey())))
      const csr = csrFor(newKey(), 'edge-1')
      expect(codeOf(await one.answer(first.caller, { is: 'renew', csr, secret: first.secret }))).toBe('busy')
      expect(codeOf(await one.answer(first.caller, { is: 'renew', csr, secret: first.secret }))).toBe('renewal')
    }
  })

  test('is refused without the certificate, with the secret of another, and too often', async () => {
    const { enroller, kube } = await rig()
    await makeToken(kube, { left: 2 })
    const one = enroller()
    const [first, other] = [
      holder(await one.answer(caller, enrol(newKey()))),
      holder(await one.answer(caller, enrol(newKey(), 'edge-2'))),
    ]
    const ask = (by: Caller, secret: string) =>
      one.answer(by, { is: 'renew', csr: csrFor(newKey(), 'edge-1'), secret }).then(codeOf)
    expect(await ask(caller, first.secret)).toBe('csr-invalid')
    expect(await ask(first.caller, other.secret)).toBe('token-unknown')
    const unfit = { code: 'too-late' as const, reason: 'it ended in spring' }
    expect(await ask({ ...caller, unfit }, first.secret)).toBe('too-late')
    let shown = first.secret
    for (let count = 0; count < 4; count++) {
      const csr = csrFor(newKey(), 'edge-1')
      shown = holder(await one.answer(first.caller, { is: 'renew', csr, secret: shown })).secret
    }
    expect(await ask(first.caller, shown)).toBe('too-many')
  })
})

test('a record that somebody has spoilt lets nobody in', async () => {
  const { enroller, registry, kube } = await rig()
  await makeToken(kube)
  const one = enroller()
  const first = holder(await one.answer(caller, enrol(newKey())))
  await kube.patch(secretPath(identityName('edge-1')), { data: { record: 'AAAA' } })
  await eventually(() => registry.node('edge-1')?.locked?.includes('data.record'))
  const csr = csrFor(newKey(), 'edge-1')
  expect(codeOf(await one.answer(first.caller, { is: 'renew', csr, secret: first.secret }))).toBe('node-locked')
})

test('so many requests are worked on at once, of the rest each source has its turn, and beyond that there is no room', async () => {
  const { registry, clock } = await rig()
  const asked: string[] = []
  const going: (() => void)[] = []
  const changeToken = () => new Promise<never>((_, stop) => going.push(() => stop(new Error('enough'))))
  const judge = {
    registry: { ...registry, node: () => undefined, load: async () => {}, changeToken, changeNode: changeToken },
    judgeCsr,
  }
  const issuer = { name: 'none' } as Issuer
  const common = { daysOf: () => 90, grace, newSecret: () => '', clock, log: silentLog }
  const one = new Enroller({ ...judge, issuer, ...common, bounds: { atOnce: 2, waiting: 5 } })
  const ask = (source: string) =>
    one.answer({ source }, enrol(newKey())).then((result) => void asked.push(`${source} ${codeOf(result)}`))
  const all = ['a', 'a', 'a', 'a', 'a', 'b', 'c', 'd', 'e'].map(ask)
  await eventually(() => asked.length === 2)
  expect(asked).toEqual(['d busy', 'e busy'])
  expect([going.length, one.waiting]).toEqual([2, 5])
  while (asked.length < all.length) {
    for (const go of going.splice(0, 1)) go()
    await eventually(() => going.length > 0 || asked.length === all.length)
  }
  expect(asked.slice(2).map((each) => each[0])).toEqual(['a', 'a', 'a', 'b', 'c', 'a', 'a'])
})

test('whoever has left, or has waited for too long, gives its turn to others', async () => {
  const { registry, clock } = await rig()
  let asked = 0
  const going: (() => void)[] = []
  const changeToken = () => {
    asked++
    return new Promise<never>((_, stop) => going.push(() => stop(new Error('enough'))))
  }
  const load = async () => {}
  const judge = {
    registry: { ...registry, node: () => undefined, load, changeToken, changeNode: changeToken },
    judgeCsr,
  }
  const common = { daysOf: () => 90, grace, newSecret: () => '', clock, log: silentLog }
  const bounds = { atOnce: 1, waiting: 9 }
  const one = new Enroller({ ...judge, issuer: { name: 'none' } as Issuer, ...common, bounds })
  let left = false
  const first = one.answer({ source: 'a' }, enrol(newKey()))
  const others = [{ gone: () => left }, { patience: 1000 }, {}].map((more) =>
    one.answer({ source: 'b', ...more }, enrol(newKey())).then(codeOf),
  )
  await eventually(() => one.waiting === 3)
  left = true
  clock.tick(1001)
  for (const go of going.splice(0)) go()
  await first
  expect(await Promise.all(others.slice(0, 2))).toEqual(['busy', 'busy'])
  await eventually(() => going.length === 1)
  expect(asked).toBe(2)
  for (const go of going.splice(0)) go()
  expect(await others[2]).toBe('busy')
})
