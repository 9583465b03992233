import { type webcrypto, X509Certificate } from 'node:crypto'
import { join } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { keepFile, readKept } from './keep-file.ts'

/** A certificate with its private key, in PEM. */
export interface Pair {
  cert: string
  key: string
}

export interface ClientName {
  /** The user, for instance `system:node:edge-1`. */
  user: string
  groups: readonly string[]
  /** For how long it is good, in days. */
  days: number
}

export interface ServerNames {
  dns: readonly string[]
  ips: readonly string[]
}

const day = 24 * 3600 * 1000
const authorityDays = 3650
const serverDays = 365
/** A clock that is a little behind must not refuse a new certificate. */
const skew = 3600 * 1000

/**
 * The certificate authority of one folder: made once, kept in `ca.pem` (certificate and key in one file, so that they
 * always belong together).
 */
export class Authority {
  readonly #pair: Pair
  readonly #dir: string
  readonly #clock: Clock

  private constructor(dir: string, clock: Clock, pair: Pair) {
    this.#dir = dir
    this.#clock = clock
    this.#pair = pair
  }

  static async open(dir: string, clock: Clock): Promise<Authority> {
    const path = join(dir, 'ca.pem')
    const kept = readKept(path)
    if (kept !== undefined) return new Authority(dir, clock, split(kept, path))
    const pair = await makeAuthority(clock.now())
    keepFile(path, pair.cert + pair.key)
    return new Authority(dir, clock, pair)
  }

  /** PEM. */
  get cert(): string {
    return this.#pair.cert
  }

  /**
   * The certificate of a server with these names, kept in `server.pem` and made anew when less than a third of its life
   * is left or its names have changed.
   */
  async serverPair(names: ServerNames): Promise<{ pair: Pair; renewed: boolean }> {
    const path = join(this.#dir, 'server.pem')
    const kept = readKept(path)
    if (kept !== undefined) {
      const pair = split(kept, path)
      if (isGood(pair, { names, now: this.#clock.now(), authority: this.cert })) return { pair, renewed: false }
    }
    const pair = await makeServer(this.#pair, names, this.#clock.now())
    keepFile(path, pair.cert + pair.key)
    return { pair, renewed: true }
  }

  /** A new certificate for a client, and its key. */
  clientPair({ user, groups, days }: ClientName): Promise<Pair> {
    return issue(this.#pair, this.#clock.now(), {
      subject: [{ CN: [user] }, ...groups.map((group) => ({ O: [group] }))],
      days,
      usage: 'client',
    })
  }
}

function split(text: string, path: string): Pair {
  const cert = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----\n?/.exec(text)?.[0]
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/.exec(text)?.[0]
  if (cert === undefined || key === undefined) {
    throw new Error(`${path} does not hold a certificate and its key: restore it, or remove it to have a new one made`)
  }
  return { cert: ended(cert), key: ended(key) }
}

function ended(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`
}

function isGood(
  { cert }: Pair,
  { names, now, authority }: { names: ServerNames; now: number; authority: string },
): boolean {
  const parsed = new X509Certificate(cert)
  const [from, to] = [Date.parse(parsed.validFrom), Date.parse(parsed.validTo)]
  const fresh = now >= from && to - now > (to - from) / 3
  const issued = parsed.checkIssued(new X509Certificate(authority))
  const named = names.dns.every((name) => parsed.checkHost(name)) && names.ips.every((ip) => parsed.checkIP(ip))
  return fresh && issued && named
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

async function makeAuthority(now: number): Promise<Pair> {
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

function makeServer(authority: Pair, names: ServerNames, now: number): Promise<Pair> {
  return issue(authority, now, { subject: [{ CN: ['kube-apiserver'] }], days: serverDays, usage: 'server', names })
}

interface Wish {
  subject: { [field: string]: string[] }[]
  days: number
  usage: 'server' | 'client'
  names?: ServerNames
}

/** Makes a key and signs a certificate for it, which ends no later than the authority's own. */
async function issue(authority: Pair, now: number, { subject, days, usage, names }: Wish): Promise<Pair> {
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
