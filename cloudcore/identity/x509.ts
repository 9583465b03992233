import type { webcrypto } from 'node:crypto'

/** Loaded only when there is something to sign or to judge. */
export async function loadX509() {
  return (await import('./x509-library.ts')).x509
}

/** What our own authorities sign with. */
export const algorithm = { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' }

export async function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(algorithm, true, ['sign', 'verify'])
}

/** PEM, PKCS#8. */
export async function keyPem({ privateKey }: webcrypto.CryptoKeyPair): Promise<string> {
  return pemText('PRIVATE KEY', Buffer.from(await crypto.subtle.exportKey('pkcs8', privateKey)))
}

export function pemText(label: string, der: Buffer): string {
  const lines = der.toString('base64').replaceAll(/.{64}/g, '$&\n').trimEnd()
  return `-----BEGIN ${label}-----\n${lines}\n-----END ${label}-----\n`
}

export function importKey(pem: string): Promise<webcrypto.CryptoKey> {
  const der = Buffer.from(pem.replaceAll(/-----[^-]+-----|\s/g, ''), 'base64')
  return crypto.subtle.importKey('pkcs8', der, algorithm, false, ['sign'])
}

/** Positive and 16 bytes long, as RFC 5280 wants it. */
export function newSerial(): string {
  const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(16)))
  bytes[0] = ((bytes[0] ?? 0) & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** A PEM text with the line end that it must have. */
export function ended(pem: string): string {
  return pem.endsWith('\n') ? pem : `${pem}\n`
}

const block = /-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g

/** The certificates in a text, PEM, in its order. */
export function certificatesIn(text: string): string[] {
  return (text.match(block) ?? []).map(ended)
}

/** Each certificate once, in the order of their first appearance. */
export function bundle(...texts: readonly string[]): string {
  return [...new Set(texts.flatMap((text) => certificatesIn(text.replaceAll('\r', ''))))].join('')
}
