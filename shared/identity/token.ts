import { createHash, type X509Certificate } from 'node:crypto'

/** A join token: what a board shows to get its first certificate, and whom it may trust for that. */
export interface JoinToken {
  /** Names the token; no secret. 10 of a–z and 0–9. */
  id: string
  /** What only its holder knows: 128 bits, 22 characters of base64url. */
  secret: string
  /** SHA-256 of the authority's public key (`pinOf`), 43 characters of base64url. */
  pin: string
}

const pattern = /^kedge1\.([a-z0-9]{10})\.([\w-]{22})\.([\w-]{43})$/

/** `kedge1.<id>.<secret>.<pin>` */
export function formatToken({ id, secret, pin }: JoinToken): string {
  return `kedge1.${id}.${secret}.${pin}`
}

/** Reads a token as a person gives it; undefined when it is none. Never puts it into an error: it is a secret. */
export function parseToken(text: string): JoinToken | undefined {
  const [, id, secret, pin] = pattern.exec(text.trim()) ?? []
  return id === undefined || secret === undefined || pin === undefined ? undefined : { id, secret, pin }
}

/** What an enrol request shows of a token: `<id>.<secret>`. */
export function shownToken({ id, secret }: Pick<JoinToken, 'id' | 'secret'>): string {
  return `${id}.${secret}`
}

/** The pin of an authority: SHA-256 of its public key (DER, SubjectPublicKeyInfo), base64url. */
export function pinOf(certificate: X509Certificate): string {
  const spki = certificate.publicKey.export({ type: 'spki', format: 'der' })
  return createHash('sha256').update(spki).digest('base64url')
}
