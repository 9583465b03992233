import { certify, makeAuthority } from '@kedge/cloudcore/identity/certificates'
import { readCsr } from '@kedge/cloudcore/identity/csr'
import { judgeCsr } from '@kedge/cloudcore/identity/csr-policy'
import { nodeSubject } from '@kedge/cloudcore/identity/subject'
import { readCertificates } from '@kedge/shared/identity/certificate'
import { nodeOf } from '@kedge/shared/identity/verify'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  attribute,
  clientAuth,
  commonName,
  csrDer,
  extensions,
  makeCsr,
  nodeName,
  organization,
  p256,
  pemOf,
  serverAuth,
  utf8,
} from '../../support/csr.ts'

const keys = p256()
const other = p256()

/** Parts of which requests are made, each with whether a node may ask for it. */
const parts = {
  subject: fc.constantFrom<{ value: [string, string][]; right: boolean }>(
    { value: nodeName('edge-1'), right: true },
    { value: nodeName('edge-1').toReversed(), right: true },
    { value: nodeName('edge-2'), right: false },
    { value: nodeName('edge-1').slice(1), right: false },
    { value: [...nodeName('edge-1'), [commonName, 'system:node:edge-1']], right: false },
    { value: [[organization, 'system:masters'], ...nodeName('edge-1')], right: false },
  ),
  extensions: fc.subarray(
    [
      { value: extensions.noAuthority(), right: true },
      { value: extensions.keyUsage(0x80), right: true },
      { value: extensions.keyUsage(0xa0), right: false },
      { value: extensions.uses(clientAuth), right: true },
      { value: extensions.keyUsage(0x86), right: false },
      { value: extensions.authority(), right: false },
      { value: extensions.altName('edge-1'), right: false },
      { value: extensions.uses(serverAuth), right: false },
    ],
    { maxLength: 3 },
  ),
  attributes: fc.subarray([attribute('1.2.840.113549.1.9.7', utf8('secret'))]),
  signer: fc.constantFrom(keys, keys, keys, other),
}

describe('judging requests', () => {
  it('lets through what is right in all its parts, and nothing else', () => {
    fc.assert(
      fc.property(fc.record(parts), ({ subject, extensions: asked, attributes, signer }) => {
        const csr = makeCsr('', {
          keys,
          subject: subject.value,
          extensions: asked.map(({ value }) => value),
          attributes,
          signer: signer.privateKey,
        })
        const once = new Set(asked.map(({ value }) => value.subarray(2, 7).toString('hex'))).size === asked.length
        const right = subject.right && asked.every((one) => one.right) && once && attributes.length === 0
        expect(judgeCsr(csr, 'edge-1').ok).toBe(right && signer === keys)
      }),
      { numRuns: 500 },
    )
  })

  it('never takes a request in which a byte was changed for another than it was', async () => {
    const authority = await makeAuthority(Date.UTC(2030, 0, 1))
    const der = csrDer({ keys, subject: nodeName('edge-1'), extensions: [extensions.keyUsage(0x80)] })
    const spki = keys.publicKey.export({ type: 'spki', format: 'der' })
    await fc.assert(
      fc.asyncProperty(fc.nat(der.length - 1), fc.integer({ min: 1, max: 255 }), async (at, by) => {
        const mangled = Buffer.from(der)
        mangled[at] = (mangled[at] ?? 0) ^ by
        const verdict = judgeCsr(pemOf(mangled), 'edge-1')
        if (!verdict.ok) {
          expect(verdict.reason).toMatch(/^\S+: found .*; give /)
          return
        }
        // ECDSA signatures have more than one encoding of the same; what they are over has not.
        const wish = { subject: nodeSubject('edge-1'), days: 1, usage: 'client' as const }
        const publicKey = readCsr(pemOf(mangled)).spki
        const [leaf] = readCertificates(await certify(authority, Date.UTC(2030, 0, 1), { ...wish, publicKey }))
        expect(publicKey).toEqual(spki)
        expect(leaf && nodeOf(leaf)).toBe('edge-1')
      }),
      { numRuns: 500 },
    )
  })

  it('answers every text with a verdict', () => {
    const texts = fc.oneof(
      fc.string({ maxLength: 300 }),
      fc.uint8Array({ maxLength: 600 }).map((bytes) => pemOf(Buffer.from(bytes))),
      fc.nat(300).map((end) => makeCsr('edge-1', { keys }).slice(0, end)),
    )
    fc.assert(
      fc.property(texts, (text) => {
        expect(judgeCsr(text, 'edge-1')).toEqual({ ok: false, reason: expect.stringMatching(/^csr: found .*; give /) })
      }),
      { numRuns: 500 },
    )
  })
})
