import { createHash, createPrivateKey } from 'node:crypto'
import { type Certificate, readCertificates } from '@kedge/shared/identity/certificate'
import { EnrolmentSecret } from '@kedge/shared/identity/enrol'
import { nodeOf, verifyChain } from '@kedge/shared/identity/verify'
import { isNodeName } from '@kedge/shared/topics'
import * as z from 'zod'
import type { Term } from './renewal.ts'

/** Who this node is, and whom it trusts. */
export interface Identity {
  node: string
  /** Where it joined: `mqtts://HOST:PORT`. */
  cloud: string
  /** Where the link is, when that is elsewhere. */
  broker?: string | undefined
  /** The enrolment secret that came with the certificate. */
  secret: string
  /** Counts what was written; the highest that holds together counts. */
  generation: number
  /** When the certificate was received, by this node's clock; milliseconds since the epoch. */
  madeAt: number
  /** When the cloud wants it renewed, milliseconds since the epoch. */
  renew?: { from: number; to: number } | undefined
  /** PEM (PKCS#8). */
  key: string
  /** PEM, the node's certificate first. */
  chain: string
  /** PEM, all who are trusted. */
  roots: string
}

const Head = z.object({
  kedge: z.literal(1),
  node: z.string().refine(isNodeName),
  cloud: z.string(),
  broker: z.string().optional(),
  secret: EnrolmentSecret,
  generation: z.int().positive(),
  madeAt: z.number(),
  renew: z.object({ from: z.number(), to: z.number() }).optional(),
  /** Characters of key and chain; the rest is roots. */
  key: z.int().positive(),
  chain: z.int().positive(),
  /** SHA-256 of what follows the head, hexadecimal. */
  sum: z.string(),
})

/**
 * The text of the file that holds an identity: one line of JSON, then key, chain and roots in PEM, so that tools that read
 * PEM find their blocks.
 */
export function identityText({ key, chain, roots, ...about }: Identity): string {
  const body = key + chain + roots
  const head = { kedge: 1, ...about, key: key.length, chain: chain.length, sum: sumOf(body) }
  return `${JSON.stringify(head)}\n${body}`
}

/** Reads such a text. Throws when it does not hold together: cut off, changed, or a key that is not its certificate's. */
export function readIdentity(text: string): Identity {
  const end = text.indexOf('\n')
  const parsed = Head.safeParse(jsonOf(text.slice(0, Math.max(0, end))))
  // What the schema found may quote the secret.
  if (!parsed.success) throw new Error('its first line is not that of an identity')
  const { kedge: _form, key, chain, sum, ...about } = parsed.data
  const body = text.slice(end + 1)
  if (sumOf(body) !== sum) throw new Error('it is cut off or was changed')
  const identity = {
    ...about,
    key: body.slice(0, key),
    chain: body.slice(key, key + chain),
    roots: body.slice(key + chain),
  }
  checkIdentity(identity)
  return identity
}

/** Throws, in words, when the parts of an identity do not belong together. */
export function checkIdentity({ node, key, chain, roots }: Pick<Identity, 'node' | 'key' | 'chain' | 'roots'>): void {
  const leaf = leafOf(chain)
  if (!isKeyOf(chain, key)) throw new Error('its certificate is not for its key')
  if (nodeOf(leaf) !== node) throw new Error(`its certificate is not for the node ${node}`)
  readCertificates(roots)
}

/** Throws, in words, when what cloudcore has sent would be of no use: not this node's, or not vouched for by its roots. */
export function checkIssued(issued: Pick<Identity, 'node' | 'key' | 'chain' | 'roots'>): void {
  checkIdentity(issued)
  const [presented, roots] = [readCertificates(issued.chain), readCertificates(issued.roots)]
  const verdict = verifyChain({ presented, roots, at: leafOf(issued.chain).notBefore, use: 'client' })
  // When the roots begin and end is another matter.
  if (verdict.ok || verdict.path !== undefined) return
  throw new Error(`the certificate that cloudcore has sent is not good: ${verdict.reason}`)
}

/** Whether a chain, PEM, is for this key, PEM. */
export function isKeyOf(chain: string, key: string): boolean {
  return leafOf(chain).x509.checkPrivateKey(createPrivateKey(key))
}

/** The node's own certificate. Throws when the chain cannot be read. */
export function leafOf(chain: string): Certificate {
  const [leaf] = readCertificates(chain)
  if (leaf === undefined) throw new Error('no certificate')
  return leaf
}

function sumOf(body: string): string {
  return createHash('sha256').update(body).digest('hex')
}

function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}

/** How long the certificate of an identity is good. */
export function termOf({ chain, renew }: Pick<Identity, 'chain' | 'renew'>): Term {
  const { notBefore, notAfter, serial } = leafOf(chain)
  return { from: notBefore, to: notAfter, serial, window: renew }
}
