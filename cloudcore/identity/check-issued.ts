import { readCertificates } from '@kedge/shared/identity/certificate'
import { nodeOf, verifyChain } from '@kedge/shared/identity/verify'
import { readCsr } from './csr.ts'
import type { SignRequest } from './issuer.ts'

const day = 24 * 3600 * 1000

interface Issued {
  request: SignRequest
  /** PEM, as the signer gave it. */
  chain: string
  /** PEM. */
  roots: string
  now: number
}

/**
 * What is wrong with a certificate that another party has signed, or undefined: it must be for this node, this key, no
 * longer than was asked, and one of the roots must vouch for it. Who signs is trusted to sign, not to sign anything.
 */
export function issuedFault({ request, chain, roots, now }: Issued): string | undefined {
  const presented = readCertificates(chain)
  const [leaf] = presented
  if (leaf === undefined) return 'there is no certificate in it'
  const anchors = roots === '' ? [] : readCertificates(roots)
  // Its clock may be a little ahead of ours.
  const at = Math.max(now, Math.min(leaf.notBefore, now + day))
  const verdict = verifyChain({ presented, roots: anchors, at, use: 'client' })
  if (!verdict.ok && verdict.fault === 'untrusted') {
    return `${verdict.reason}: give the root certificate of its authority with --issuer-roots FILE`
  }
  if (!verdict.ok) return verdict.reason
  const node = nodeOf(leaf)
  if (node !== request.node) return `its subject is ${node ?? leaf.x509.subject.replaceAll('\n', ', ')}, not the node's`
  const key = leaf.x509.publicKey.export({ type: 'spki', format: 'der' })
  if (!key.equals(readCsr(request.csr).spki)) return 'it is for another key'
  if (leaf.x509.subjectAltName !== undefined) return 'it has alternative names, which nobody asked for'
  if (leaf.notAfter > at + (request.days + 1) * day) return `it is good for longer than ${request.days} days`
  return undefined
}
