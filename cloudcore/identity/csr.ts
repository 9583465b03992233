import { createHash, createPublicKey, type KeyObject, verify } from 'node:crypto'
import { contentOf, type Element, elements, inside, oidText, onlyElement, tags } from '@kedge/shared/identity/der'
import { maxCsrLength } from '@kedge/shared/identity/enrol'

/** A certificate request (PKCS#10, RFC 2986), read strictly and not judged yet. */
export interface Csr {
  /** Attributes of the subject in order, each with the text where it is one. */
  subject: { oid: string; text: string | undefined }[]
  /** Whether each part of the subject's name is a single attribute. */
  plainSubject: boolean
  /** DER, SPKI. */
  spki: Buffer
  key: KeyObject
  extensions: { oid: string; value: Buffer }[]
  /** Object identifiers of attributes that ask for anything but extensions. */
  otherAttributes: string[]
  /** Whether whoever made it has the key. */
  signed: boolean
}

const extensionRequest = '1.2.840.113549.1.9.14'
const pem = /^-----BEGIN CERTIFICATE REQUEST-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END CERTIFICATE REQUEST-----$/

/** By object identifier: the digest that is signed; null where the key says it. */
const signatures: ReadonlyMap<string, string | null> = new Map([
  ['1.2.840.10045.4.3.2', 'sha256'],
  ['1.2.840.10045.4.3.3', 'sha384'],
  ['1.2.840.10045.4.3.4', 'sha512'],
  ['1.2.840.113549.1.1.11', 'sha256'],
  ['1.2.840.113549.1.1.12', 'sha384'],
  ['1.2.840.113549.1.1.13', 'sha512'],
  ['1.3.101.112', null],
])

/** Reads one request in PEM and nothing beside it. Throws an error that says what is wrong with its form. */
export function readCsr(text: string): Csr {
  const [info, algorithm, signature] = inside(onlyElement(derIn(text)), tags.sequence)
  const [version, subject, spki, attributes, ...more] = inside(info, tags.sequence)
  if (!contentOf(version, tags.integer).equals(Buffer.of(0))) throw new Error('its version is not 1')
  if (info === undefined || more.length > 0) throw new Error('it has parts that do not belong there')
  const key = keyOf(spki)
  const asked = attributes === undefined ? [] : inside(attributes, 0xa0).map(attributeOf)
  return {
    ...subjectOf(subject),
    spki: key.export({ type: 'spki', format: 'der' }),
    key,
    extensions: asked
      .filter(({ oid }) => oid === extensionRequest)
      .flatMap(({ values }) => values.flatMap(extensionsOf)),
    otherAttributes: asked.map(({ oid }) => oid).filter((oid) => oid !== extensionRequest),
    signed: isSigned(info, { algorithm, signature, key }),
  }
}

/** SHA-256 of a public key (DER, SPKI), base64url: how the registry names a key. */
export function keyHash(spki: Buffer): string {
  return createHash('sha256').update(spki).digest('base64url')
}

function derIn(text: string): Buffer {
  if (text.length > maxCsrLength) throw new Error(`it has ${text.length} characters; at most ${maxCsrLength} are read`)
  const body = pem.exec(text.trim())?.[1]?.replaceAll(/\s/g, '')
  if (body === undefined) throw new Error('it is not one PEM block CERTIFICATE REQUEST and nothing beside it')
  const der = Buffer.from(body, 'base64')
  if (der.toString('base64') !== body) throw new Error('its base64 is not well formed')
  return der
}

function subjectOf(name: Element | undefined): Pick<Csr, 'subject' | 'plainSubject'> {
  const parts = inside(name, tags.sequence).map((set) => inside(set, tags.set))
  const subject = parts.flat().map((attribute) => {
    const [type, value] = inside(attribute, tags.sequence)
    const isText = value?.tag === tags.utf8 || value?.tag === tags.printable
    return { oid: oidText(contentOf(type, tags.oid)), text: isText ? value.content.toString('utf8') : undefined }
  })
  return { subject, plainSubject: parts.every(({ length }) => length === 1) }
}

/** Refuses what is not in its one usual form: others, who read it again, must read the same. */
function keyOf(spki: Element | undefined): KeyObject {
  const der = spki?.whole ?? Buffer.alloc(0)
  const key = createPublicKey({ key: der, format: 'der', type: 'spki' })
  if (key.export({ type: 'spki', format: 'der' }).equals(der) && isUsual(spki, key)) return key
  throw new Error('its public key is not in the usual form (a named curve, an uncompressed point)')
}

function isUsual(spki: Element | undefined, { asymmetricKeyType }: KeyObject): boolean {
  if (asymmetricKeyType !== 'ec') return true
  const [algorithm, point] = inside(spki, tags.sequence)
  const [, curve] = inside(algorithm, tags.sequence)
  // No unused bits, and RFC 5480's mark of an uncompressed point.
  return curve?.tag === tags.oid && contentOf(point, tags.bitString).subarray(0, 2).equals(Buffer.of(0, 4))
}

function attributeOf(attribute: Element): { oid: string; values: Element[] } {
  const [type, values] = inside(attribute, tags.sequence)
  return { oid: oidText(contentOf(type, tags.oid)), values: inside(values, tags.set) }
}

function extensionsOf(list: Element): { oid: string; value: Buffer }[] {
  return elements(contentOf(list, tags.sequence)).map((extension) => {
    const [id, ...rest] = inside(extension, tags.sequence)
    return { oid: oidText(contentOf(id, tags.oid)), value: contentOf(rest.at(-1), tags.octetString) }
  })
}

interface Signature {
  algorithm: Element | undefined
  signature: Element | undefined
  key: KeyObject
}

function isSigned({ whole }: Element, { algorithm, signature, key }: Signature): boolean {
  const [type] = inside(algorithm, tags.sequence)
  const digest = signatures.get(oidText(contentOf(type, tags.oid)))
  const bits = contentOf(signature, tags.bitString)
  if (digest === undefined || bits[0] !== 0) return false
  try {
    return verify(digest, whole, key, bits.subarray(1))
  } catch {
    return false
  }
}
