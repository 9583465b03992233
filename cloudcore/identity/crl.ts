import { element, tags } from '@kedge/shared/identity/der'
import type { Pair } from './certificates.ts'
import { algorithm, importKey, loadX509, pemText } from './x509.ts'

export interface Revoked {
  /** Hexadecimal. */
  serial: string
  /** Milliseconds since the epoch. */
  at: number
}

const crlNumber = '2.5.29.20'

/** A positive INTEGER. */
function integer(value: number): Buffer {
  const hex = value.toString(16)
  // With a zero bit first: it is not negative.
  return element(tags.integer, Buffer.from(hex.padStart(hex.length + 2 - (hex.length % 2), '0'), 'hex'))
}

/** A revocation list (RFC 5280, 5), PEM; from `now` on, good for `days`. Both times in milliseconds since the epoch. */
export async function revocationList(
  authority: Pair,
  { revoked, now, days }: { revoked: readonly Revoked[]; now: number; days: number },
): Promise<string> {
  const x509 = await loadX509()
  const issuer = new x509.X509Certificate(authority.cert)
  const list = await x509.X509CrlGenerator.create({
    issuer: issuer.subject,
    thisUpdate: new Date(now - 3600 * 1000),
    nextUpdate: new Date(now + days * 24 * 3600 * 1000),
    signingAlgorithm: algorithm,
    signingKey: await importKey(authority.key),
    entries: revoked.map(({ serial, at }) => ({ serialNumber: serial, revocationDate: new Date(at) })),
    extensions: [
      await x509.AuthorityKeyIdentifierExtension.create(issuer),
      // Each list has a higher one than those before it (5.2.3): the time, in seconds.
      new x509.Extension(crlNumber, false, integer(Math.floor(now / 1000))),
    ],
  })
  // The label of RFC 7468, which the library does not write and OpenSSL wants.
  return pemText('X509 CRL', Buffer.from(list.rawData))
}
