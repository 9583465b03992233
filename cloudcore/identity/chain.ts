import { X509Certificate } from 'node:crypto'
import { bundle, certificatesIn } from './x509.ts'

/** Milliseconds since the epoch, of the first certificate in a PEM text. */
export function validityOf(pem: string): { from: number; to: number } {
  const { validFrom, validTo } = new X509Certificate(pem)
  return { from: Date.parse(validFrom), to: Date.parse(validTo) }
}

/** Whether a certificate is an authority's own: it signs itself. */
export function isRoot(pem: string): boolean {
  try {
    const certificate = new X509Certificate(pem)
    return certificate.ca && certificate.checkIssued(certificate) && certificate.verify(certificate.publicKey)
  } catch {
    return false
  }
}

/** Those of the certificates in a text that are roots, PEM; empty when none is. */
export function rootsIn(text: string): string {
  return bundle(...certificatesIn(text).filter(isRoot))
}

/**
 * Whoever vouches for the leaf of a chain, followed to a root; undefined when no root is reached. What the chain lacks is
 * sought among `others`.
 */
export function rootOf(chain: string, others = ''): string | undefined {
  const pool = certificatesIn(bundle(chain, others))
  const seen = new Set<string>()
  for (let at = pool[0]; at !== undefined && !seen.has(at); ) {
    if (isRoot(at)) return at
    seen.add(at)
    const below = new X509Certificate(at)
    at = pool.find((other) => !seen.has(other) && vouches(new X509Certificate(other), below))
  }
  return undefined
}

function vouches(issuer: X509Certificate, certificate: X509Certificate): boolean {
  try {
    return issuer.ca && certificate.checkIssued(issuer) && certificate.verify(issuer.publicKey)
  } catch {
    return false
  }
}
