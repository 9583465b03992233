import type { webcrypto } from 'node:crypto'

/** A certificate with its private key, in PEM. */
export interface Pair {
  cert: string
  key: string
}

export interface ServerNames {
  dns: readonly string[]
  ips: readonly string[]
}

const day = 24 * 3600 * 1000
const authorityDays = 3650
/** A clock that is a little behind must not refuse a new certificate. */
const skew = 3600 * 1000

/** A PEM text with the line end that it must have. */
export function ended(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`
}

/** Loaded only when there is something to sign. */
async function load() {
  await import('reflect-metadata')
  return import('@peculiar/x509')
}

const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

async function keyPem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  const der = Buffer.from(await crypto.subtle.exportKey('pkcs8', privateKey))
  const lines = der.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN PRIVATE KEY-----\n${lines}\n-----END PRIVATE KEY-----\n`
}

function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  return crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
}

/** Positive and 16 bytes long, as RFC 5280 wants it. */
function serial(): string {
  const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** A new authority, good for ten years. */
export async function makeAuthority(now: number): Promise<Pair> {
  const x509 = await load()
  const keys = await newKeys()
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: serial(),
    name: `CN=kedge-ca-${serial().slice(0, 8)}`,
    notBefore: new Date(now - skew),
    notAfter: new Date(now + authorityDays * day),
    signingAlgorithm: algorithm,
    keys,
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: ended(cert.toString('pem')), key: await keyPem(keys) }
}

/** Whom a certificate is for. */
export interface Wish {
  subject: { [field: string]: string[] }[]
  days: number
  usage: 'server' | 'client'
  names?: ServerNames
}

/** Makes a key and signs a certificate for it, which ends no later than the authority's own. */
export async function issue(authority: Pair, now: number, { subject, days, usage, names }: Wish): Promise<Pair> {
  const x509 = await load()
  const keys = await newKeys()
  const issuer = new x509.X509Certificate(authority.cert)
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: serial(),
    subject,
    issuer: issuer.subject,
    notBefore: new Date(now - skew),
    notAfter: new Date(Math.min(now + days * day, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: keys.publicKey,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage === 'server' ? serverAuth : clientAuth]),
      ...(names === undefined ? [] : [new x509.SubjectAlternativeNameExtension(alternatives(names))]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { cert: ended(cert.toString('pem')), key: await keyPem(keys) }
}

function alternatives({ dns, ips }: ServerNames) {
  return [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ]
}
