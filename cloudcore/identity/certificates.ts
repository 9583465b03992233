import { algorithm, ended, importKey, keyPem, loadX509, newKeys, newSerial } from './x509.ts'

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

/** A new authority, good for ten years; `backdated` by so many milliseconds. */
export async function makeAuthority(now: number, backdated = skew): Promise<Pair> {
  const x509 = await loadX509()
  const keys = await newKeys()
  const cert = await x509.X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: `CN=kedge-ca-${newSerial().slice(0, 8)}`,
    notBefore: new Date(now - backdated),
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
  /** Milliseconds; an hour unless given. */
  backdated?: number
}

/** Makes a key and signs a certificate for it, which ends no later than the authority's own. */
export async function issue(authority: Pair, now: number, wish: Wish): Promise<Pair> {
  const keys = await newKeys()
  const der = Buffer.from(await crypto.subtle.exportKey('spki', keys.publicKey))
  return { cert: await certify(authority, now, { ...wish, publicKey: der }), key: await keyPem(keys) }
}

/** PEM of a certificate for a public key (DER, SPKI); begins and ends within the time of the authority's own. */
export async function certify(
  authority: Pair,
  now: number,
  { subject, days, usage, names, backdated = skew, publicKey }: Wish & { publicKey: Buffer },
): Promise<string> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.cert)
  const key = new x509.PublicKey(publicKey)
  const { serverAuth, clientAuth } = x509.ExtendedKeyUsage
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: issuer.subject,
    notBefore: new Date(Math.max(now - backdated, issuer.notBefore.getTime())),
    notAfter: new Date(Math.min(now + days * day, issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: key,
    signingKey: await importKey(authority.key),
    extensions: [
      new x509.BasicConstraintsExtension(false, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.digitalSignature, true),
      new x509.ExtendedKeyUsageExtension([usage === 'server' ? serverAuth : clientAuth]),
      ...(names === undefined ? [] : [new x509.SubjectAlternativeNameExtension(alternatives(names))]),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(key),
    ],
  })
  return ended(cert.toString('pem'))
}

function alternatives({ dns, ips }: ServerNames) {
  return [
    ...dns.map((value) => ({ type: 'dns' as const, value })),
    ...ips.map((value) => ({ type: 'ip' as const, value })),
  ]
}

/**
 * The authority `made` once more, vouched for by `by`: who knows only `by` trusts what `made` signs. Ends with the
 * sooner of the two.
 */
export async function crossSign(by: Pair, made: Pair, now: number): Promise<string> {
  const x509 = await loadX509()
  const [issuer, subject] = [new x509.X509Certificate(by.cert), new x509.X509Certificate(made.cert)]
  const cert = await x509.X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject: subject.subject,
    issuer: issuer.subject,
    notBefore: new Date(Math.max(subject.notBefore.getTime(), issuer.notBefore.getTime(), now - 2 * day)),
    notAfter: new Date(Math.min(subject.notAfter.getTime(), issuer.notAfter.getTime())),
    signingAlgorithm: algorithm,
    publicKey: subject.publicKey,
    signingKey: await importKey(by.key),
    extensions: [
      new x509.BasicConstraintsExtension(true, undefined, true),
      new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign | x509.KeyUsageFlags.cRLSign, true),
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      await x509.SubjectKeyIdentifierExtension.create(subject.publicKey),
    ],
  })
  return ended(cert.toString('pem'))
}
