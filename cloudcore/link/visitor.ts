import type { Certificate } from '@kedge/shared/identity/certificate'
import { nodeOf, verifyChain } from '@kedge/shared/identity/verify'

/** Who is at the other end of a TLS connection, as far as its certificate tells. */
export type Visitor =
  /** A node, with a certificate that is good now. */
  | {
      is: 'node'
      node: string
      serial: string /** PEM. */
      leaf: string /** Milliseconds since the epoch. */
      end: number
    }
  /** A node whose certificate has ended not long ago: it may renew it, and nothing else. */
  | { is: 'expired'; node: string; serial: string; reason: string }
  /** Somebody without a certificate, or with one that says nothing here; `late`: it has ended too long ago. */
  | { is: 'stranger'; reason: string; late: boolean }

export interface Look {
  /** As shown, the leaf first. */
  presented: readonly Certificate[]
  roots: readonly Certificate[]
  /** Milliseconds since the epoch. */
  now: number
  /** Milliseconds after its end in which a certificate is good for its renewal. */
  grace: number
}

/**
 * Judges what was shown. The chain is verified at the time that it is now, and where only that is wrong, at the end of
 * the certificate: an authority that is not ours is never made good by a certificate that has expired.
 */
export function visitorOf({ presented, roots, now, grace }: Look): Visitor {
  const [leaf] = presented
  if (leaf === undefined) return { is: 'stranger', reason: 'no certificate was shown', late: false }
  const verdict = verifyChain({ presented, roots, at: now, use: 'client' })
  const node = nodeOf(leaf)
  if (verdict.ok && node !== undefined) {
    const end = Math.min(...verdict.path.map(({ notAfter }) => notAfter))
    return { is: 'node', node, serial: leaf.serial, leaf: leaf.x509.toString(), end }
  }
  if (verdict.ok) return { is: 'stranger', reason: 'the certificate is not one of a node', late: false }
  const { fault, reason } = verdict
  const isOver = fault === 'expired' && leaf.notAfter < now
  const was = isOver && verifyChain({ presented, roots, at: leaf.notAfter, use: 'client' }).ok
  if (!was || node === undefined) return { is: 'stranger', reason, late: false }
  if (now - leaf.notAfter > grace) return { is: 'stranger', reason, late: true }
  return { is: 'expired', node, serial: leaf.serial, reason }
}
