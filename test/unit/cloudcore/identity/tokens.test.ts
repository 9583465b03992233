import { joinFault, lockText } from '@kedge/cloudcore/identity/node-join'
import {
  hashOf,
  identitySecret,
  type NodeIdentity,
  readIdentity,
  readToken,
  type TokenRecord,
  tokenSecret,
} from '@kedge/cloudcore/identity/records'
import { judgeToken } from '@kedge/cloudcore/identity/tokens'
import { WrongTokens } from '@kedge/cloudcore/identity/wrong-tokens'
import { describe, expect, test } from 'vitest'

const key = hashOf('key')
const token: TokenRecord = { id: 'abcdefghij', hash: hashOf('secret'), left: 1, made: 1000, expires: 2000, used: [] }
const use = { secret: 'secret', node: 'edge-1', key, now: 1500 }

describe('a token', () => {
  test('is good once, and again for the key that has used it', () => {
    const first = judgeToken(token, use)
    expect(first).toMatchObject({ is: 'good', again: false, record: { left: 0, used: [{ key, node: 'edge-1' }] } })
    const spent = first.is === 'good' ? first.record : token
    expect(judgeToken(spent, use)).toMatchObject({ is: 'good', again: true })
    expect(judgeToken(spent, { ...use, key: hashOf('other') })).toMatchObject({ is: 'bad', code: 'token-spent' })
    expect(judgeToken(spent, { ...use, node: 'edge-2' })).toMatchObject({ is: 'bad', code: 'token-other-node' })
  })

  test.each([
    ['nobody knows it', undefined, use, 'token-unknown'],
    ['its secret is wrong', token, { ...use, secret: 'guess' }, 'token-unknown'],
    ['its secret is wrong and it is over', token, { ...use, secret: 'guess', now: 9000 }, 'token-unknown'],
    ['it is over', token, { ...use, now: 2000 }, 'token-expired'],
    ['it was revoked', { ...token, revoked: true }, use, 'token-revoked'],
    ['it is for another node', { ...token, node: 'edge-2' }, use, 'token-other-node'],
    ['it is over for the key that has used it', { ...token, used: [use] }, { ...use, now: 2000 }, 'token-expired'],
  ])('is not good when %s', (_why, record, shown, code) => {
    expect(judgeToken(record, shown)).toMatchObject({ is: 'bad', code })
  })
})

describe('the name of a node', () => {
  const issued = { serial: '01', key: hashOf('old'), at: 0, end: 5000 }
  const known: NodeIdentity = { node: 'edge-1', issued: [issued], secrets: [], only: false }
  const bound = { ...token, node: 'edge-1', made: Date.UTC(2026, 0, 2) }
  const wish = { node: 'edge-1', key }
  const [before, after] = ['2026-01-01T00:00:00Z', '2026-01-03T00:00:00Z']

  test.each([
    ['anybody while nobody has it', undefined, token, undefined],
    ['nobody with a token for any node once somebody has it', known, token, 'token-other-node'],
    ['a board with a token for that node', known, bound, undefined],
    ['nobody after a revocation', { ...known, revoked: before }, token, 'node-revoked'],
    ['nobody with a token of before a revocation', { ...known, revoked: after }, bound, 'node-revoked'],
    ['a board with a token of after the revocation', { ...known, revoked: before }, bound, undefined],
    ['nobody while it is locked', { ...known, locked: lockText(before, 'two places') }, token, 'node-locked'],
    ['nobody with a token of before the lock', { ...known, locked: lockText(after, 'two') }, bound, 'node-locked'],
    ['a board with a token of after the lock', { ...known, locked: lockText(before, 'two') }, bound, undefined],
    ['nobody while a person has locked it', { ...known, locked: 'by hand' }, bound, 'node-locked'],
  ])('is for %s', (_who, identity, by, code) => {
    expect(joinFault(identity, by, wish)?.code).toBe(code)
  })

  test('is for the same key again, whatever the token', () => {
    expect(joinFault(known, token, { node: 'edge-1', key: issued.key })).toBeUndefined()
  })
})

describe('records', () => {
  const identity: NodeIdentity = {
    ...{ node: 'edge-1', issued: [{ serial: '0A', key, at: 1, end: 2 }], secrets: [hashOf('s')], only: true },
    ...{ revoked: '2026-01-01T00:00:00Z', locked: undefined },
  }

  test('are Secrets, and the same again', () => {
    expect(readToken(tokenSecret({ ...token, node: 'edge-1' }, 'kedge'))).toEqual({
      ok: true,
      value: { ...token, node: 'edge-1' },
    })
    expect(readIdentity(identitySecret(identity, 'kedge'))).toEqual({ ok: true, value: identity })
  })

  test('are revoked and locked by an annotation', () => {
    const secret = identitySecret({ ...identity, revoked: undefined }, 'kedge')
    const annotations = { ...secret.metadata.annotations, 'kedge.io/locked': 'by hand' }
    const edited = { ...secret, metadata: { ...secret.metadata, annotations } }
    expect(readIdentity(edited)).toMatchObject({ ok: true, value: { locked: 'by hand', revoked: undefined } })
  })

  test.each([
    ['nothing', undefined],
    ['no record', {}],
    ['no JSON', { record: Buffer.from('{').toString('base64') }],
    ['another form', { record: Buffer.from('{"hash":"topsecret"}').toString('base64') }],
  ])('that hold %s are not read, and nothing of them is told', (_what, data) => {
    const read = readToken({ metadata: { name: 'join-token-abcdefghij' }, data })
    expect(read).toMatchObject({ ok: false, reason: expect.stringContaining('join-token-abcdefghij') })
    expect(JSON.stringify(read)).not.toContain('topsecret')
  })
})

describe('wrong tokens', () => {
  test('stop a source after ten, let it try again with time, and no other source feels it', () => {
    const wrong = new WrongTokens()
    for (let count = 1; count <= 10; count++) expect(wrong.count('a', 0)).toBe(count)
    expect(wrong.wait('a', 0)).toBe(6000)
    expect(wrong.wait('b', 0)).toBe(0)
    expect(wrong.wait('a', 5999)).toBeGreaterThan(0)
    expect(wrong.wait('a', 6001)).toBe(0)
  })

  test('are remembered of so many sources and no more', () => {
    const wrong = new WrongTokens()
    for (let count = 0; count < 20; count++) wrong.count('first', 0)
    for (let source = 0; source < 10_000; source++) wrong.count(`source ${source}`, 1)
    expect(wrong.wait('first', 1)).toBe(0)
    expect(wrong.count('source 9999', 1)).toBe(2)
  })
})
