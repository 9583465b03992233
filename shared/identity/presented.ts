import type { X509Certificate } from 'node:crypto'
import type { TLSSocket } from 'node:tls'
import { type Certificate, readCertificate } from './certificate.ts'

/** No more certificates of a chain are read. */
const most = 10

/**
 * What the other side of a connection has shown, its own certificate first and the others as it has sent them. Empty when
 * it has shown none. Throws when one cannot be read.
 */
export function presentedBy(socket: Pick<TLSSocket, 'getPeerX509Certificate'>): Certificate[] {
  const shown: Certificate[] = []
  // Here "the issuer" is the next one that was sent, whoever it is.
  let next: X509Certificate | undefined = socket.getPeerX509Certificate()
  for (; next !== undefined && shown.length < most; next = next.issuerCertificate) shown.push(readCertificate(next.raw))
  return shown
}
