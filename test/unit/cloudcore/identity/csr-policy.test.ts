import { generateKeyPairSync } from 'node:crypto'
import { judgeCsr } from '@kedge/cloudcore/identity/csr-policy'
import { element, tags } from '@kedge/shared/identity/der'
import { describe, expect, it } from 'vitest'
import {
  attribute,
  type CsrWish,
  clientAuth,
  commonName,
  csrDer,
  extension,
  extensions,
  makeCsr,
  nodeName,
  organization,
  p256,
  pemOf,
  serverAuth,
  utf8,
} from '../../../support/csr.ts'

const rsa = (modulusLength: number, publicExponent = 65537) =>
  generateKeyPairSync('rsa', { modulusLength, publicExponent })

describe('a request that may be signed', () => {
  const fine: [string, CsrWish][] = [
    ['P-256', {}],
    ['P-384', { keys: generateKeyPairSync('ec', { namedCurve: 'P-384' }) }],
    ['Ed25519', { keys: generateKeyPairSync('ed25519') }],
    ['RSA 2048', { keys: rsa(2048) }],
    ['the name in the other order', { subject: nodeName('edge-1').toReversed() }],
    [
      'what the certificate has anyway',
      { extensions: [extensions.noAuthority(), extensions.keyUsage(0x80), extensions.uses(clientAuth)] },
    ],
  ]
  it.each(fine)('%s', (_, wish) => {
    expect(judgeCsr(makeCsr('edge-1', wish), 'edge-1')).toEqual({
      ok: true,
      key: expect.stringMatching(/^[\w-]{43}$/),
    })
  })

  it('names the same key the same, whatever is around it', () => {
    const keys = p256()
    const verdicts = ['edge-1', 'edge-2'].map((node) => judgeCsr(makeCsr(node, { keys }), node))
    expect(verdicts[0]).toEqual(verdicts[1])
  })
})

const cn = (name: string): [string, string] => [commonName, name]
const other = generateKeyPairSync('ec', { namedCurve: 'P-256' })
const wrongs: [string, CsrWish, RegExp][] = [
  [
    'another node',
    { subject: nodeName('edge-2') },
    /^subject: found O=system:nodes, CN=system:node:edge-2; give CN=system:node:edge-1/,
  ],
  ['no name', { subject: [] }, /^subject: found none/],
  ['two names', { subject: [...nodeName('edge-1'), cn('admin')] }, /^subject: .*CN=admin/],
  ['the same name twice', { subject: [cn('system:node:edge-1'), cn('system:node:edge-1')] }, /^subject: /],
  ['no group', { subject: [cn('system:node:edge-1')] }, /^subject: /],
  ['the administrators', { subject: [[organization, 'system:masters'], cn('system:node:edge-1')] }, /^subject: /],
  ['a second group', { subject: [...nodeName('edge-1'), [organization, 'system:masters']] }, /^subject: /],
  ['the name in one part', { subject: nodeName('edge-1'), together: true }, /^subject: found .*\+/],
  ['a name with a line end', { subject: [...nodeName('edge-1'), ['2.5.4.11', 'a\nb']] }, /found .*2\.5\.4\.11=a\?b/],
  ['an alternative name', { extensions: [extensions.altName('cloud.example')] }, /^subjectAltName: /],
  ['an authority', { extensions: [extensions.authority()] }, /^basicConstraints: found CA:TRUE/],
  ['to sign certificates', { extensions: [extensions.keyUsage(0x84)] }, /^keyUsage: /],
  [
    'to be a server',
    { extensions: [extensions.uses(clientAuth, serverAuth)] },
    /^extendedKeyUsage: found .*3\.2, .*3\.1/,
  ],
  ['usages twice', { extensions: [extensions.keyUsage(0x80), extensions.keyUsage(0x80)] }, /^extensions: .*twice/],
  ['a policy', { extensions: [extension('2.5.29.32', element(tags.sequence))] }, /^extensions: found 2\.5\.29\.32/],
  ['a password', { attributes: [attribute('1.2.840.113549.1.9.7', utf8('x'))] }, /^attributes: found 1\.2\.840/],
  ['RSA 1024', { keys: rsa(1024) }, /^key: found RSA with 1024 bits/],
  ['RSA with a small exponent', { keys: rsa(2048, 3) }, /^key: found RSA with 2048 bits, exponent 3/],
  ['P-224', { keys: generateKeyPairSync('ec', { namedCurve: 'secp224r1' }) }, /^key: found curve secp224r1/],
  ['secp256k1', { keys: generateKeyPairSync('ec', { namedCurve: 'secp256k1' }) }, /^key: found curve secp256k1/],
  ['a key of somebody else', { signer: other.privateKey }, /^signature: found one that does not verify/],
  ['an explicit curve', { spki: explicitCurve() }, /^csr: found its public key is not in the usual form/],
  ['another version', { version: 1 }, /^csr: found its version/],
]

describe('a request that is refused', () => {
  it.each(wrongs)('for %s', (_, wish, reason) => {
    const verdict = judgeCsr(makeCsr('edge-1', wish), 'edge-1')
    expect(verdict).toEqual({ ok: false, reason: expect.stringMatching(reason) })
    expect(verdict.ok || verdict.reason).toMatch(/; give /)
  })

  const texts: [string, string, RegExp][] = [
    ['is empty', '', /not one PEM block/],
    ['is garbage', pemOf(Buffer.alloc(300, 7)), /DER/],
    ['is cut off', pemOf(csrDer({ subject: nodeName('edge-1') }).subarray(0, 120)), /DER: cut off/],
    [
      'has bytes behind it',
      pemOf(Buffer.concat([csrDer({ subject: nodeName('edge-1') }), Buffer.of(5, 0)])),
      /exactly one/,
    ],
    ['is too large', makeCsr('edge-1') + ' '.repeat(9000), /at most 8192 are read/],
    ['is a certificate', pemOf(csrDer(), 'CERTIFICATE'), /not one PEM block/],
    ['comes twice', makeCsr('edge-1') + makeCsr('edge-1'), /not one PEM block/],
    ['has text around it', `hello\n${makeCsr('edge-1')}`, /not one PEM block/],
  ]
  it.each(texts)('since it %s', (_, text, reason) => {
    expect(judgeCsr(text, 'edge-1')).toEqual({ ok: false, reason: expect.stringMatching(reason) })
  })
})

function explicitCurve(): Buffer {
  return generateKeyPairSync('ec', { namedCurve: 'P-256', paramEncoding: 'explicit' }).publicKey.export({
    type: 'spki',
    format: 'der',
  })
}
