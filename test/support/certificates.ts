import { sign } from 'node:crypto'
import { element, oid, tags } from '@kedge/shared/identity/der'
import { commonName, extensions, type KeyPair, p256, pemOf, serverAuth, utf8 } from './csr.ts'

/** Makes certificates of every sort, right ones and wrong ones; fast, since its keys are ready. */

export interface Holder {
  /** Object identifier and text of each attribute. */
  subject: readonly (readonly [string, string])[]
  keys: KeyPair
}

export interface CertificateWish {
  holder: Holder
  /** Itself unless given. */
  issuer?: Holder
  /** Milliseconds since the epoch. */
  from?: number
  to?: number
  extensions?: readonly Buffer[]
  /** Signs with another key than the issuer's. */
  forged?: boolean
  /** As it stands in the certificate: 2, which means version 3, unless given. */
  version?: number
  /** Signs with SHA-1. */
  sha1?: boolean
}

export const day = 24 * 3600 * 1000
/** The time about which certificates are made unless told otherwise. */
export const noon = Date.UTC(2026, 5, 1, 12)

const spareKeys = p256()
let serials = 0x1000

export function holder(name: string, keys: KeyPair = p256()): Holder {
  return { subject: [[commonName, name]], keys }
}

/** The certificate, DER. */
export function makeCertificate({
  holder,
  issuer = holder,
  from = noon - day,
  to = noon + day,
  ...rest
}: CertificateWish) {
  const algorithm = element(tags.sequence, oid(rest.sha1 ? '1.2.840.10045.4.1' : '1.2.840.10045.4.3.2'))
  const tbs = element(
    tags.sequence,
    element(0xa0, element(tags.integer, Buffer.of(rest.version ?? 2))),
    element(tags.integer, Buffer.from((serials++).toString(16), 'hex')),
    algorithm,
    nameOf(issuer),
    element(tags.sequence, timeElement(from), timeElement(to)),
    nameOf(holder),
    holder.keys.publicKey.export({ type: 'spki', format: 'der' }),
    ...(rest.extensions === undefined ? [] : [element(0xa3, element(tags.sequence, ...rest.extensions))]),
  )
  const { privateKey } = rest.forged ? spareKeys : issuer.keys
  const signature = sign(rest.sha1 ? 'sha1' : 'sha256', tbs, privateKey)
  return element(tags.sequence, tbs, algorithm, element(tags.bitString, Buffer.of(0), signature))
}

export function certificatePem(der: Buffer): string {
  return pemOf(der, 'CERTIFICATE')
}

/** What an authority's certificate has; `below`: how many others may stand below it. */
export function authority(below?: number): Buffer[] {
  const length = below === undefined ? [] : [element(tags.integer, Buffer.of(below))]
  const constraints = element(tags.sequence, element(tags.boolean, Buffer.of(0xff)), ...length)
  return [critical('2.5.29.19', constraints), extensions.keyUsage(0x06)]
}

/** What a server's certificate has: its host names. */
export function server(...names: readonly string[]): Buffer[] {
  const alternatives = names.map((name) => element(0x82, Buffer.from(name)))
  const altNames = element(
    tags.sequence,
    oid('2.5.29.17'),
    element(tags.octetString, element(tags.sequence, ...alternatives)),
  )
  return [extensions.keyUsage(0x80), extensions.uses(serverAuth), altNames]
}

/** A critical extension with its value, DER. */
export function critical(id: string, value: Buffer): Buffer {
  return element(tags.sequence, oid(id), element(tags.boolean, Buffer.of(0xff)), element(tags.octetString, value))
}

export function keyPem({ keys }: Holder): string {
  return keys.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
}

function nameOf({ subject }: Holder): Buffer {
  const attributes = subject.map(([id, text]) => element(tags.set, element(tags.sequence, oid(id), utf8(text))))
  return element(tags.sequence, ...attributes)
}

function timeElement(ms: number): Buffer {
  const text = `${new Date(ms).toISOString().replaceAll(/[-:T]/g, '').slice(2, 14)}Z`
  return element(tags.utcTime, Buffer.from(text))
}
