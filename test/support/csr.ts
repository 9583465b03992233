import { generateKeyPairSync, type KeyObject, sign } from 'node:crypto'
import { element, oid, tags } from '@kedge/shared/identity/der'

/** Makes certificate requests (PKCS#10) of every sort, right ones and wrong ones. */

export interface KeyPair {
  privateKey: KeyObject
  publicKey: KeyObject
}

export interface CsrWish {
  keys?: KeyPair
  /** Object identifier and text; one attribute in each part of the name, in this order. */
  subject?: readonly (readonly [string, string])[]
  /** All attributes of the subject in one part. */
  together?: boolean
  extensions?: readonly Buffer[]
  /** Whole attributes beside the one with the extensions. */
  attributes?: readonly Buffer[]
  /** Signs instead of the key. */
  signer?: KeyObject
  /** The DER of the public key, where it is not that of the keys. */
  spki?: Buffer
  version?: number
}

export const commonName = '2.5.4.3'
export const organization = '2.5.4.10'

export function p256(): KeyPair {
  return generateKeyPairSync('ec', { namedCurve: 'P-256' })
}

export function nodeName(node: string): [string, string][] {
  return [
    [organization, 'system:nodes'],
    [commonName, `system:node:${node}`],
  ]
}

export function utf8(text: string): Buffer {
  return element(tags.utf8, Buffer.from(text))
}

/** An extension with its value, DER. */
export function extension(id: string, value: Buffer): Buffer {
  return element(tags.sequence, oid(id), element(tags.octetString, value))
}

/** An attribute with one value, DER. */
export function attribute(id: string, value: Buffer): Buffer {
  return element(tags.sequence, oid(id), element(tags.set, value))
}

export const extensions = {
  altName: (name: string) => extension('2.5.29.17', element(tags.sequence, element(0x82, Buffer.from(name)))),
  authority: () => extension('2.5.29.19', element(tags.sequence, element(tags.boolean, Buffer.of(0xff)))),
  noAuthority: () => extension('2.5.29.19', element(tags.sequence)),
  keyUsage: (bits: number) => extension('2.5.29.15', element(tags.bitString, Buffer.of(0, bits))),
  uses: (...ids: string[]) => extension('2.5.29.37', element(tags.sequence, ...ids.map(oid))),
}

export const clientAuth = '1.3.6.1.5.5.7.3.2'
export const serverAuth = '1.3.6.1.5.5.7.3.1'

/** The request, DER. */
export function csrDer(wish: CsrWish = {}): Buffer {
  const keys = wish.keys ?? p256()
  const info = element(
    tags.sequence,
    element(tags.integer, Buffer.of(wish.version ?? 0)),
    nameOf(wish),
    wish.spki ?? keys.publicKey.export({ type: 'spki', format: 'der' }),
    element(0xa0, ...(wish.attributes ?? []), ...requested(wish.extensions)),
  )
  const { id, digest } = signatureOf(keys.publicKey)
  const signature = sign(digest, info, wish.signer ?? keys.privateKey)
  return element(tags.sequence, info, id, element(tags.bitString, Buffer.of(0), signature))
}

export function pemOf(der: Buffer, label = 'CERTIFICATE REQUEST'): string {
  const lines = der.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

export function makeCsr(node: string, wish: CsrWish = {}): string {
  return pemOf(csrDer({ subject: nodeName(node), ...wish }))
}

function nameOf({ subject = [], together = false }: CsrWish): Buffer {
  const parts = subject.map(([id, text]) => element(tags.sequence, oid(id), utf8(text)))
  const sets = together ? [element(tags.set, ...parts)] : parts.map((part) => element(tags.set, part))
  return element(tags.sequence, ...sets)
}

function requested(wanted: readonly Buffer[] = []): Buffer[] {
  return wanted.length === 0 ? [] : [attribute('1.2.840.113549.1.9.14', element(tags.sequence, ...wanted))]
}

function signatureOf({ asymmetricKeyType: type }: KeyObject): { id: Buffer; digest: string | null } {
  if (type === 'ed25519') return { id: element(tags.sequence, oid('1.3.101.112')), digest: null }
  if (type === 'rsa') {
    return { id: element(tags.sequence, oid('1.2.840.113549.1.1.11'), element(tags.null)), digest: 'sha256' }
  }
  return { id: element(tags.sequence, oid('1.2.840.10045.4.3.2')), digest: 'sha256' }
}
