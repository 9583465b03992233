import type { KeyObject } from 'node:crypto'
import { explain } from '@kedge/shared/errors'
import { contentOf, inside, oidText, onlyElement, tags } from '@kedge/shared/identity/der'
import { type Csr, keyHash, readCsr } from './csr.ts'
import { nodesGroup, nodeUser } from './subject.ts'

/**
 * What a node may ask a certificate for: itself, as a client, with a key that is strong enough. The certificate's content
 * is the issuer's; but an issuer of others reads the request too, so that nothing else may stand in it. Pure.
 */

/** `key`: hash of the public key, as the registry has it. */
export type CsrVerdict = { ok: true; key: string } | CsrFault
export interface CsrFault {
  ok: false
  /** Which part, what was found there, and what would be right. */
  reason: string
}

const ids = {
  commonName: '2.5.4.3',
  organization: '2.5.4.10',
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  clientAuth: '1.3.6.1.5.5.7.3.2',
} as const

/** Judges a request (PEM, PKCS#10) for a certificate of `node`. Never throws. */
export function judgeCsr(text: string, node: string): CsrVerdict {
  try {
    const csr = readCsr(text)
    const fault = subjectFault(csr, node) ?? keyFault(csr.key) ?? signatureFault(csr) ?? wishFault(csr)
    return fault ?? { ok: true, key: keyHash(csr.spki) }
  } catch (error) {
    return refused({ field: 'csr', found: explain(error), right: 'a certificate request (PKCS#10) in PEM' })
  }
}

interface Fault {
  field: string
  found: string
  right: string
}

/** What was found comes from outside: short, and without control characters. */
function refused({ field, found, right }: Fault): CsrFault {
  const shown = found.replaceAll(/[^\x20-\x7e]/g, '?')
  return {
    ok: false,
    reason: `${field}: found ${shown.length > 160 ? `${shown.slice(0, 160)}…` : shown}; give ${right}`,
  }
}

function subjectFault({ subject, plainSubject }: Csr, node: string): CsrFault | undefined {
  const wanted = [`${ids.commonName}=${nodeUser(node)}`, `${ids.organization}=${nodesGroup}`]
  const given = subject.map(({ oid, text }) => `${oid}=${text}`)
  const right = plainSubject && given.length === 2 && wanted.every((part) => given.includes(part))
  if (right) return undefined
  const found = subject.map(({ oid, text = 'no text' }) => `${nameOf(oid)}=${text}`).join(plainSubject ? ', ' : '+')
  return refused({
    field: 'subject',
    found: found || 'none',
    right: `CN=${nodeUser(node)}, O=${nodesGroup} and nothing else`,
  })
}

function nameOf(oid: string): string {
  return { [ids.commonName]: 'CN', [ids.organization]: 'O' }[oid] ?? oid
}

const strongCurves: readonly (string | undefined)[] = ['prime256v1', 'secp384r1']
/** Larger ones keep a processor busy for everyone who checks what they sign. */
const rsaBits = { least: 2048, most: 8192 }

function keyFault({ asymmetricKeyType: type, asymmetricKeyDetails: details = {} }: KeyObject): CsrFault | undefined {
  const right = `a key on P-256 or P-384, Ed25519, or RSA with ${rsaBits.least} to ${rsaBits.most} bits and an exponent of 65537 or more`
  if (type === 'ed25519') return undefined
  if (type === 'ec') {
    const { namedCurve } = details
    return strongCurves.includes(namedCurve)
      ? undefined
      : refused({ field: 'key', found: `curve ${namedCurve}`, right })
  }
  if (type !== 'rsa') return refused({ field: 'key', found: `${type}`, right })
  const { modulusLength = 0, publicExponent = 0n } = details
  if (modulusLength >= rsaBits.least && modulusLength <= rsaBits.most && publicExponent >= 65537n) return undefined
  return refused({ field: 'key', found: `RSA with ${modulusLength} bits, exponent ${publicExponent}`, right })
}

function signatureFault({ signed }: Csr): CsrFault | undefined {
  const right = 'a request signed with the key that it is for, by ECDSA or RSA with SHA-256 or better, or Ed25519'
  return signed ? undefined : refused({ field: 'signature', found: 'one that does not verify', right })
}

/** What the request wants to have in the certificate. */
function wishFault({ extensions, otherAttributes }: Csr): CsrFault | undefined {
  const [attribute] = otherAttributes
  if (attribute !== undefined) return refused({ field: 'attributes', found: attribute, right: 'none but extensions' })
  const twice = extensions.find(({ oid }, index) => extensions.findIndex((other) => other.oid === oid) !== index)
  if (twice !== undefined) return refused({ field: 'extensions', found: `${twice.oid} twice`, right: 'each once' })
  for (const { oid, value } of extensions) {
    const fault = (rules[oid] ?? unknown(oid))(value)
    if (fault !== undefined) return refused(fault)
  }
  return undefined
}

type Rule = (value: Buffer) => Fault | undefined

const rules: Record<string, Rule | undefined> = {
  [ids.subjectAltName]: () => ({
    field: 'subjectAltName',
    found: 'alternative names',
    right: 'none: the subject alone names a node',
  }),
  [ids.basicConstraints]: (value) => {
    const wishes = inside(onlyElement(value), tags.sequence)
    if (wishes.length === 0) return undefined
    const isAuthority = wishes.some(({ tag, content }) => tag === tags.boolean && content[0] !== 0)
    const found = isAuthority ? 'CA:TRUE' : 'a path length, or a default that is written out'
    return { field: 'basicConstraints', found, right: 'CA:FALSE, or leave it out' }
  },
  [ids.keyUsage]: (value) => {
    const { content } = onlyElement(value)
    const [unused = 0, bits = 0] = content
    const others = content.length !== 2 || unused > 7 || bits !== 0b1000_0000
    if (onlyElement(value).tag === tags.bitString && !others) return undefined
    return { field: 'keyUsage', found: 'other usages', right: 'digitalSignature alone, or leave it out' }
  },
  [ids.extendedKeyUsage]: (value) => {
    const found = inside(onlyElement(value), tags.sequence).map((use) => oidText(contentOf(use, tags.oid)))
    if (found.length === 1 && found[0] === ids.clientAuth) return undefined
    return { field: 'extendedKeyUsage', found: found.join(', ') || 'none', right: 'clientAuth alone, or leave it out' }
  },
}

function unknown(oid: string): Rule {
  return () => ({ field: 'extensions', found: oid, right: 'none but keyUsage and extendedKeyUsage' })
}
