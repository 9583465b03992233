import { createHash } from 'node:crypto'
import type { Identity } from '@kedge/edgecore/identity/identity'
import { authority, certificatePem, day, type Holder, holder, keyPem, makeCertificate, noon } from './certificates.ts'
import { clientAuth, extensions, nodeName } from './csr.ts'

/** An authority for tests, and what it signs. */
export interface TestAuthority {
  holder: Holder
  root: string
}

export function testAuthority(name = 'test-ca', term: { from?: number; to?: number } = {}): TestAuthority {
  const own = holder(name)
  const wish = { holder: own, from: noon - 365 * day, to: noon + 3650 * day, ...term, extensions: authority() }
  return { holder: own, root: certificatePem(makeCertificate(wish)) }
}

export const nodeUsage = [extensions.keyUsage(0x80), extensions.uses(clientAuth)]

/** The certificate of a node, PEM. */
export function nodeCertificate(ca: TestAuthority, node: Holder, term: { from?: number; to?: number } = {}): string {
  return certificatePem(makeCertificate({ holder: node, issuer: ca.holder, ...term, extensions: nodeUsage }))
}

export function testIdentity(
  ca: TestAuthority,
  about: Partial<Identity> & { from?: number; to?: number } = {},
): Identity {
  const { from = noon - day, to = noon + 89 * day, ...rest } = about
  const node = rest.node ?? 'edge-1'
  const own: Holder = { ...holder(node), subject: nodeName(node) }
  return {
    ...{ node, cloud: 'mqtts://cloud.example:8883', secret: secretOf(node), generation: 1, madeAt: from },
    ...{ key: keyPem(own), chain: nodeCertificate(ca, own, { from, to }), roots: ca.root },
    ...rest,
  }
}

export function secretOf(text: string): string {
  return createHash('sha256').update(text).digest('base64url')
}
