import { createHash, X509Certificate } from 'node:crypto'
import { contentOf, type Element, elements, inside, oidText, onlyElement, tags, timeOf } from './der.ts'

/** What is read of a certificate beyond what Node.js tells of one. */
export interface Certificate {
  x509: X509Certificate
  der: Buffer
  /** Hexadecimal, upper case, as Node.js writes it. */
  serial: string
  /** Milliseconds since the epoch. */
  notBefore: number
  notAfter: number
  /** Attributes of the subject in order: object identifier and text; undefined where it is no text. */
  subject: readonly (readonly [oid: string, text: string | undefined])[]
  signatureAlgorithm: string
  /** Whether BasicConstraints say that it is an authority, and how many others may stand below it. */
  authority: boolean
  pathLength: number | undefined
  /** Whether KeyUsage, where there is one, allows it. */
  maySign: boolean
  maySignCertificates: boolean
  /** Object identifiers of the extended usages; undefined when it does not restrict them. */
  uses: readonly string[] | undefined
  /** What makes it unfit for any use, or undefined. */
  unfit: string | undefined
}

const ids = {
  basicConstraints: '2.5.29.19',
  keyUsage: '2.5.29.15',
  extendedKeyUsage: '2.5.29.37',
  subjectAltName: '2.5.29.17',
  authorityKeyId: '2.5.29.35',
  subjectKeyId: '2.5.29.14',
  nameConstraints: '2.5.29.30',
  netscapeType: '2.16.840.1.113730.1.1',
} as const

/** Extensions that may be critical, since they are heeded. */
const heeded: ReadonlySet<string> = new Set([
  ids.basicConstraints,
  ids.keyUsage,
  ids.extendedKeyUsage,
  ids.subjectAltName,
])
/** Extensions that restrict a certificate in ways that are not heeded here. */
const unheeded: ReadonlyMap<string, string> = new Map([
  [ids.nameConstraints, 'name constraints'],
  [ids.netscapeType, 'a Netscape certificate type'],
])

/** Most bytes of a certificate that are read. */
const longest = 16 * 1024

/** Reads a certificate, DER. Throws when it is none. */
export function readCertificate(der: Buffer): Certificate {
  if (der.length > longest) throw new Error(`a certificate of ${der.length} bytes; at most ${longest} are read`)
  const x509 = new X509Certificate(der)
  const [tbs, algorithm] = inside(onlyElement(der), tags.sequence)
  const [version, serial, , , validity, subject, , ...rest] = inside(tbs, tags.sequence)
  const [notBefore, notAfter] = inside(validity, tags.sequence).map(timeOf)
  if (notBefore === undefined || notAfter === undefined) throw new Error('a certificate without its times')
  const is3 = version?.tag === 0xa0 && onlyElement(version.content).content.equals(Buffer.of(2))
  const wrapped = rest.find(({ tag }) => tag === 0xa3)
  const extensions = wrapped === undefined ? [] : elements(contentOf(onlyElement(wrapped.content), tags.sequence))
  const signatureAlgorithm = oidText(contentOf(inside(algorithm, tags.sequence)[0], tags.oid))
  const read = readExtensions(extensions)
  return {
    x509,
    der,
    serial: contentOf(serial, tags.integer).toString('hex').toUpperCase(),
    notBefore,
    notAfter,
    subject: attributes(subject),
    signatureAlgorithm,
    ...read,
    unfit: (is3 ? undefined : 'is not of version 3') ?? read.unfit ?? weakness(x509, signatureAlgorithm),
  }
}

/** The certificates of a PEM text, in order. Throws when one cannot be read, or when there is none. */
export function readCertificates(pem: string): Certificate[] {
  const blocks = pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? []
  if (blocks.length === 0) throw new Error('no certificates in PEM')
  return blocks.map((block) => readCertificate(derOf(block)))
}

/** The bytes of one PEM block. */
export function derOf(block: string): Buffer {
  return Buffer.from(block.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
}

/**
 * Names a set of roots, whatever their order: the first 8 hexadecimal digits of SHA-256 over the sorted SHA-256 of each.
 */
export function trustName(roots: string): string {
  const sums = readCertificates(roots).map(({ der }) => createHash('sha256').update(der).digest('hex'))
  return createHash('sha256')
    .update([...new Set(sums)].sort().join(''))
    .digest('hex')
    .slice(0, 8)
}

function attributes(name: Element | undefined): [string, string | undefined][] {
  return inside(name, tags.sequence).flatMap((set) =>
    inside(set, tags.set).map((attribute): [string, string | undefined] => {
      const [type, value] = inside(attribute, tags.sequence)
      const isText = value?.tag === tags.utf8 || value?.tag === tags.printable
      return [oidText(contentOf(type, tags.oid)), isText ? value.content.toString('utf8') : undefined]
    }),
  )
}

type Extensions = Pick<Certificate, 'authority' | 'pathLength' | 'maySign' | 'maySignCertificates' | 'uses' | 'unfit'>

function readExtensions(found: readonly Element[]): Extensions {
  const all = found.map((extension) => {
    const [id, ...rest] = inside(extension, tags.sequence)
    const critical = rest[0]?.tag === tags.boolean && rest[0].content[0] !== 0
    return { id: oidText(contentOf(id, tags.oid)), critical, value: contentOf(rest.at(-1), tags.octetString) }
  })
  const of = (id: string) => all.find((extension) => extension.id === id)?.value
  const [constraints, usage, uses] = [of(ids.basicConstraints), of(ids.keyUsage), of(ids.extendedKeyUsage)]
  const { authority, pathLength } = readConstraints(constraints)
  const strange = all.find(({ id, critical }) => critical && !heeded.has(id))
  const restricting = all.map(({ id }) => unheeded.get(id)).find((name) => name !== undefined)
  const repeated = all.find(({ id }, index) => all.findIndex((other) => other.id === id) !== index)
  return {
    authority,
    pathLength,
    maySign: bit(usage, 0),
    maySignCertificates: bit(usage, 5),
    uses: uses && inside(onlyElement(uses), tags.sequence).map((use) => oidText(contentOf(use, tags.oid))),
    unfit:
      (restricting && `has ${restricting}, which are not supported`) ??
      (strange && `has a critical extension that is not known (${strange.id})`) ??
      (repeated && `has the extension ${repeated.id} twice`) ??
      (!authority && pathLength !== undefined ? 'has a path length and is no authority' : undefined),
  }
}

function readConstraints(value: Buffer | undefined): { authority: boolean; pathLength: number | undefined } {
  if (value === undefined) return { authority: false, pathLength: undefined }
  const [first, ...rest] = inside(onlyElement(value), tags.sequence)
  const says = first?.tag === tags.boolean
  const length = says ? rest[0] : first
  const pathLength = length && contentOf(length, tags.integer).readIntBE(0, Math.min(4, length.content.length))
  return { authority: says && first.content[0] !== 0, pathLength }
}

/** Whether KeyUsage allows bit `index`; without the extension everything is allowed (RFC 5280, 4.2.1.3). */
function bit(usage: Buffer | undefined, index: number): boolean {
  if (usage === undefined) return true
  const bits = contentOf(onlyElement(usage), tags.bitString)
  return ((bits[1] ?? 0) & (0x80 >> index)) !== 0
}

/** ECDSA and RSA with SHA-256 and up; Ed25519. */
const strongSignatures: ReadonlySet<string> = new Set([
  '1.2.840.10045.4.3.2',
  '1.2.840.10045.4.3.3',
  '1.2.840.10045.4.3.4',
  '1.2.840.113549.1.1.11',
  '1.2.840.113549.1.1.12',
  '1.2.840.113549.1.1.13',
  '1.3.101.112',
])
const strongCurves: ReadonlySet<string | undefined> = new Set(['prime256v1', 'secp384r1', 'secp521r1'])

function weakness({ publicKey }: X509Certificate, signature: string): string | undefined {
  const { asymmetricKeyType: type, asymmetricKeyDetails: details = {} } = publicKey
  if (!strongSignatures.has(signature)) return `is signed in a way that is not supported (${signature})`
  if (type === 'ed25519') return undefined
  if (type === 'rsa') return (details.modulusLength ?? 0) >= 2048 ? undefined : 'has an RSA key below 2048 bits'
  if (type === 'ec' && strongCurves.has(details.namedCurve)) return undefined
  return `has a key of a kind that is not supported (${details.namedCurve ?? type ?? 'unknown'})`
}
