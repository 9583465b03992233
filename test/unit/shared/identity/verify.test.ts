import { generateKeyPairSync } from 'node:crypto'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { readCertificate, readCertificates, trustName } from '@kedge/shared/identity/certificate'
import { element, tags } from '@kedge/shared/identity/der'
import { presentedBy } from '@kedge/shared/identity/presented'
import { pinOf } from '@kedge/shared/identity/token'
import { nodeOf, verifyChain, verifyPinned } from '@kedge/shared/identity/verify'
import { describe, expect, onTestFinished, test } from 'vitest'
import {
  authority,
  type CertificateWish,
  certificatePem,
  critical,
  day,
  type Holder,
  holder,
  keyPem,
  makeCertificate,
  noon,
  server,
} from '../../../support/certificates.ts'
import { clientAuth, commonName, extension, extensions, nodeName, organization, p256 } from '../../../support/csr.ts'
import { nodeUsage } from '../../../support/identities.ts'

const old = holder('old')
const next = holder('new')
const evil: Holder = { ...old, keys: p256() }
const node: Holder = { ...holder('edge-1'), subject: nodeName('edge-1') }
const cloud = holder('cloud')
const root = makeCertificate({ holder: old, from: noon - 900 * day, to: noon + 900 * day, extensions: authority() })
const late = { from: noon - 90 * day, to: noon - day }
const host = 'cloud.example'

function judge(presented: readonly Buffer[], { at = noon, roots = [root] }: { at?: number; roots?: Buffer[] } = {}) {
  return verifyChain({
    presented: presented.map(readCertificate),
    roots: roots.map(readCertificate),
    at,
    use: 'client',
  })
}

describe('a certificate that has expired', () => {
  test('is one of an expired node where the authority is trusted, and good at its own end', () => {
    const leaf = makeCertificate({ holder: node, issuer: old, ...late, extensions: nodeUsage })
    expect(judge([leaf])).toMatchObject({ ok: false, fault: 'expired', path: { length: 2 } })
    expect(judge([leaf], { at: late.to })).toMatchObject({ ok: true })
  })

  test('is one of nobody where the authority is a foreign one of the same name, at whatever time', () => {
    const evilRoot = makeCertificate({ holder: evil, extensions: authority() })
    const leaf = makeCertificate({ holder: node, issuer: evil, ...late, extensions: nodeUsage })
    for (const at of [noon, late.to, late.from]) {
      expect(judge([leaf, evilRoot], { at })).toMatchObject({ ok: false, fault: 'untrusted' })
      expect(judge([leaf, root], { at })).toMatchObject({ ok: false, fault: 'untrusted' })
    }
  })
})

describe('a chain', () => {
  const cross = makeCertificate({ holder: next, issuer: old, extensions: authority() })
  const newRoot = makeCertificate({ holder: next, extensions: authority() })
  const leaf = makeCertificate({ holder: node, issuer: next, extensions: nodeUsage })

  test('leads over a cross certificate to the root that is known, whichever that is', () => {
    expect(judge([leaf, newRoot, cross, root])).toMatchObject({ ok: true, path: { length: 3 } })
    expect(judge([leaf, newRoot, cross, root], { roots: [newRoot] })).toMatchObject({ ok: true, path: { length: 2 } })
    expect(judge([leaf, newRoot])).toMatchObject({ ok: false, fault: 'untrusted' })
    expect(judge([])).toMatchObject({ ok: false, fault: 'untrusted' })
  })

  test.each([
    ['made for a server', { extensions: server(host) }, 'wrong-use', 'is not made for a TLS client'],
    ['made for nothing', {}, 'wrong-use', 'is not made for a TLS client'],
    ['an authority', { extensions: [...nodeUsage.slice(1), ...authority()] }, 'wrong-use', 'key'],
    [
      'an authority that may sign',
      { extensions: [...nodeUsage, ...authority().slice(0, 1)] },
      'wrong-use',
      "authority's",
    ],
    ['not valid yet', { from: noon + 1000, extensions: nodeUsage }, 'not-yet-valid', 'begins at 2026-06-01T12:00:01Z'],
  ])('whose leaf is %s is refused', (_name, wish, fault, reason) => {
    const verdict = judge([makeCertificate({ holder: node, issuer: old, ...wish })])
    expect(verdict).toMatchObject({ ok: false, fault, reason: expect.stringContaining(reason) })
  })

  const [one, two] = [holder('one'), holder('two')]
  const byTwo = makeCertificate({ holder: node, issuer: two, extensions: nodeUsage })
  const below = (issuer: Holder, extensions?: Buffer[]) =>
    makeCertificate({ holder: two, issuer, ...(extensions && { extensions }) })
  test.each([
    ['is no authority, and says nothing of it', [below(old)], 'is no authority'],
    ['is no authority, whatever it may sign', [below(old, [extensions.keyUsage(0x04)])], 'is no authority'],
    [
      'stands below one that may have none below it',
      [below(one, authority()), makeCertificate({ holder: one, issuer: old, extensions: authority(0) })],
      'no more than 0 authorities below it',
    ],
  ])('is worth nothing where one in it %s', (_name, others, reason) => {
    const verdict = judge([byTwo, ...others, root])
    expect(verdict).toMatchObject({ ok: false, fault: 'untrusted', reason: expect.stringContaining(reason) })
  })

  test('is worth nothing where the issuer that is named is not the one that has signed', () => {
    const misnamed: Holder = { ...old, subject: holder('somebody').subject }
    const leaf = makeCertificate({ holder: node, issuer: misnamed, extensions: nodeUsage })
    expect(judge([leaf, root])).toMatchObject({ ok: false, fault: 'untrusted' })
  })

  test('of many certificates costs a bounded number of checks', () => {
    const many = Array.from({ length: 10 }, () => makeCertificate({ holder: evil, extensions: authority() }))
    const last = makeCertificate({ holder: node, issuer: evil, extensions: nodeUsage })
    const began = performance.now()
    expect(judge([last, ...many])).toMatchObject({ ok: false, fault: 'untrusted' })
    expect(performance.now() - began).toBeLessThan(5000)
  })
})

describe('a server', () => {
  const leaf = makeCertificate({ holder: cloud, issuer: old, extensions: server(host, '*.site.example') })
  const ask = (name: string) =>
    verifyChain({
      presented: [readCertificate(leaf)],
      roots: [readCertificate(root)],
      at: noon,
      use: 'server',
      host: name,
    })

  test.each([[host], ['CLOUD.example'], ['a.site.example']])('is right for %s', (name) => {
    expect(ask(name)).toMatchObject({ ok: true })
  })

  test.each([['other.example'], ['a.b.site.example'], ['cloud'], ['127.0.0.1'], ['[::1]']])(
    'is wrong for %s',
    (name) => {
      expect(ask(name)).toMatchObject({ ok: false, fault: 'wrong-host', reason: expect.stringContaining(host) })
    },
  )

  test('is taken by the pin of its authority, which it shows, and by no other', () => {
    const presented = [leaf, root].map(readCertificate)
    const pin = pinOf(readCertificate(root).x509)
    expect(verifyPinned({ presented, pin, at: noon, use: 'server', host })).toMatchObject({ ok: true })
    const evilRoot = readCertificate(makeCertificate({ holder: evil, extensions: authority() }))
    const evilLeaf = readCertificate(makeCertificate({ holder: cloud, issuer: evil, extensions: server(host) }))
    for (const shown of [[evilLeaf, evilRoot], [evilLeaf, readCertificate(root)], [evilLeaf], presented.slice(0, 1)]) {
      const verdict = verifyPinned({ presented: shown, pin, at: noon, use: 'server', host })
      expect(verdict).toMatchObject({ ok: false, fault: 'untrusted' })
    }
    const asRoot = verifyPinned({ presented: [readCertificate(root)], pin, at: noon, use: 'server', host })
    expect(asRoot).toMatchObject({ ok: false })
  })

  test('and a client are seen as they show themselves, in that order, by either side', async () => {
    const newRoot = makeCertificate({ holder: next, extensions: authority() })
    const own = makeCertificate({ holder: node, issuer: old, extensions: nodeUsage })
    const shown = [leaf, newRoot, root]
    const seen: Buffer[][] = []
    const listening = createServer(
      { key: keyPem(cloud), cert: shown.map(certificatePem).join(''), requestCert: true, rejectUnauthorized: false },
      (socket) => {
        seen.push(presentedBy(socket).map(({ der }) => der))
        socket.on('error', () => {})
        socket.end('hello')
      },
    )
    await new Promise<void>((resolve) => listening.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void listening.close())
    const { port } = listening.address() as { port: number }
    for (const maxVersion of ['TLSv1.2', 'TLSv1.3'] as const) {
      const mine = { key: keyPem(node), cert: certificatePem(own) + certificatePem(newRoot) }
      const socket = connect({ port, host: '127.0.0.1', rejectUnauthorized: false, maxVersion, ...mine })
      await new Promise((resolve) => socket.once('data', resolve))
      expect(presentedBy(socket as TLSSocket).map(({ der }) => der)).toEqual(shown)
      expect(seen.at(-1)).toEqual([own, newRoot])
      socket.destroy()
    }
  })
})

describe('the node of a certificate', () => {
  const of = (subject: Holder['subject']) =>
    nodeOf(readCertificate(makeCertificate({ holder: { ...node, subject }, issuer: old, extensions: nodeUsage })))

  test('is named by its subject, whatever the order', () => {
    expect(of(nodeName('edge-1.site'))).toBe('edge-1.site')
    expect(of(nodeName('edge-1').toReversed())).toBe('edge-1')
  })

  test.each([
    [[[commonName, 'system:node:edge-1']]],
    [[...nodeName('edge-1'), [organization, 'system:masters']]],
    [[...nodeName('edge-1'), ['2.5.4.11', 'a unit']]],
    [[...nodeName('edge-1'), [commonName, 'system:node:edge-2']]],
    [nodeName('Edge_1')],
    [nodeName('edge-1\nCN=system:node:edge-2')],
    [nodeName('')],
    [
      [
        [organization, 'system:masters'],
        [commonName, 'system:node:edge-1'],
      ],
    ],
    [
      [
        [organization, 'system:nodes'],
        [commonName, 'admin'],
      ],
    ],
  ] as [string, string][][][])('is nobody for %j', (subject) => {
    expect(of(subject)).toBeUndefined()
  })
})

describe('a certificate is unfit', () => {
  const curve = (namedCurve: string) => ({ holder: { ...node, keys: generateKeyPairSync('ec', { namedCurve }) } })
  const bits = (modulusLength: number) => ({ holder: { ...node, keys: generateKeyPairSync('rsa', { modulusLength }) } })
  const constraints = element(
    tags.sequence,
    element(0xa0, element(tags.sequence, element(0x82, Buffer.from('a.example')))),
  )
  test.each<[string, Partial<CertificateWish>, string]>([
    [
      'with a critical extension that nobody knows',
      { extensions: [critical('1.2.3.4', element(tags.null))] },
      '1.2.3.4',
    ],
    ['with name constraints', { extensions: [extension('2.5.29.30', constraints)] }, 'name constraints'],
    ['with an extension twice', { extensions: [extensions.uses(clientAuth)] }, 'twice'],
    ['with a short RSA key', bits(1024), 'RSA key below 2048'],
    ['with a curve of elsewhere', curve('secp256k1'), 'secp256k1'],
    ['signed over SHA-1', { sha1: true }, 'signed in a way'],
    ['of version 2', { version: 1 }, 'version 3'],
  ])('%s', (_name, { extensions: more = [], ...wish }, reason) => {
    const leaf = makeCertificate({ holder: node, issuer: old, ...wish, extensions: [...nodeUsage, ...more] })
    expect(readCertificate(leaf).unfit).toContain(reason)
    expect(judge([leaf])).toMatchObject({ ok: false })
  })

  test('in none of these ways where it is as cloudcore makes it, with any key that is strong enough', () => {
    for (const wish of [{ holder: node }, curve('P-384'), bits(2048)]) {
      const leaf = makeCertificate({ issuer: old, ...wish, extensions: nodeUsage })
      expect(judge([leaf])).toMatchObject({ ok: true })
    }
  })
})

test('roots have a name whatever their order', () => {
  const [one, two] = [root, makeCertificate({ holder: next, extensions: authority() })].map(certificatePem)
  expect(trustName(`${one}${two}`)).toBe(trustName(`${two}\n${one}${one}`))
  expect(trustName(`${one}`)).not.toBe(trustName(`${two}`))
  expect(trustName(`${one}`)).toMatch(/^[0-9a-f]{8}$/)
  expect(readCertificates(`${one}${two}`)).toHaveLength(2)
})
