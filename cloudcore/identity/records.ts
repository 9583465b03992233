import { createHash } from 'node:crypto'
import type { KubeObject } from '@kedge/shared/objects'
import * as z from 'zod'
import { isJson } from '../kube/merge-patch.ts'

/**
 * What cloudcore knows of tokens and of the identities of nodes, as Secrets of Kubernetes, and back. No secret of a token
 * or a node is in them, only hashes.
 */

/** On every Secret of this kind: `token`, `node` or `ca`. Such Secrets never travel to a node. */
export const identityLabel = 'kedge.io/identity'
/** On the Secret of a node, with the time: its certificates count no more. */
export const revokedAnnotation = 'kedge.io/revoked'
/** On the Secret of a node, with the reason: nobody may connect in its name until someone has looked at it. */
export const lockedAnnotation = 'kedge.io/locked'
/** On either, for people: the node that it is for. */
export const nodeAnnotation = 'kedge.io/node'

const Hash = z.string().regex(/^[\w-]{43}$/, 'not a SHA-256 in base64url')
const Time = z.int()

const Token = z.object({
  /** Of the secret part of the token. */
  hash: Hash,
  /** The only node that it is good for; any new one without it. */
  node: z.string().optional(),
  /** Nodes that may still join with it. */
  left: z.int().nonnegative(),
  /** Milliseconds since the epoch. */
  expires: Time,
  made: Time,
  /** Somebody has taken it back. */
  revoked: z.boolean().optional(),
  /** Public keys (SHA-256 of the SPKI) that have joined with it, each with the name that it got. */
  used: z.array(z.object({ key: Hash, node: z.string() })),
})
const Issued = z.object({
  /** Hexadecimal. */
  serial: z.string(),
  key: Hash,
  /** When it was issued, and when it ends; milliseconds since the epoch. */
  at: Time,
  end: Time,
})
const Identity = z.object({
  /** The certificates that may still be in use, oldest first. */
  issued: z.array(Issued),
  /** Hashes of its enrolment secrets, newest first: the last that it has shown, and those that it may have got since. */
  secrets: z.array(Hash),
  /** Certificates that are not in `issued` count no more: it has joined anew, or was revoked, since they were issued. */
  only: z.boolean(),
  /** Certificates that it had before it joined anew, until they end: for revocation lists. */
  out: z.array(Issued).optional(),
})

export type TokenRecord = z.infer<typeof Token> & { id: string }
export type IssuedRecord = z.infer<typeof Issued>
export type NodeIdentity = z.infer<typeof Identity> & {
  node: string
  /** Since when, RFC 3339. */
  revoked?: string | undefined
  /** Why. */
  locked?: string | undefined
}

/** SHA-256 in base64url, as it stands in the records. */
export function hashOf(data: string | Uint8Array): string {
  return createHash('sha256').update(data).digest('base64url')
}

export function tokenName(id: string): string {
  return `join-token-${id}`
}

export function identityName(node: string): string {
  return `node-identity-${node}`
}

export function tokenSecret({ id, ...record }: TokenRecord, namespace: string): KubeObject {
  return secretOf(tokenName(id), { namespace, is: 'token', record, annotations: { [nodeAnnotation]: record.node } })
}

export function identitySecret({ node, revoked, locked, ...record }: NodeIdentity, namespace: string): KubeObject {
  const annotations = { [nodeAnnotation]: node, [revokedAnnotation]: revoked, [lockedAnnotation]: locked }
  return secretOf(identityName(node), { namespace, is: 'node', record, annotations })
}

interface Parts {
  namespace: string
  is: 'token' | 'node'
  record: object
  annotations: Record<string, string | undefined>
}

function secretOf(name: string, { namespace, is, record, annotations }: Parts): KubeObject {
  const given = Object.entries(annotations).filter((entry): entry is [string, string] => entry[1] !== undefined)
  return {
    apiVersion: 'v1',
    kind: 'Secret',
    metadata: {
      name,
      namespace,
      labels: { [identityLabel]: is, 'app.kubernetes.io/part-of': 'kedge' },
      annotations: Object.fromEntries(given),
    },
    type: `kedge.io/${is}`,
    data: { record: Buffer.from(JSON.stringify(record)).toString('base64') },
  }
}

/** What a Secret says; `ok: false` where somebody has edited it so that it cannot be understood. */
export type Read<T> = { ok: true; value: T } | { ok: false; reason: string }

export function readToken(secret: KubeObject): Read<TokenRecord> {
  const parsed = recordIn(secret, Token)
  return parsed.ok
    ? { ok: true, value: { id: secret.metadata.name.slice(tokenName('').length), ...parsed.value } }
    : parsed
}

export function readIdentity(secret: KubeObject): Read<NodeIdentity> {
  const parsed = recordIn(secret, Identity)
  if (!parsed.ok) return parsed
  const { name, annotations = {} } = secret.metadata
  const [revoked, locked] = [annotations[revokedAnnotation], annotations[lockedAnnotation]]
  return { ok: true, value: { node: name.slice(identityName('').length), ...parsed.value, revoked, locked } }
}

function recordIn<T>({ data, metadata }: KubeObject, schema: z.ZodType<T>): Read<T> {
  const bad = (reason: string) => ({ ok: false as const, reason: `Secret ${metadata.name}: data.record: ${reason}` })
  const encoded = isJson(data) ? data.record : undefined
  if (typeof encoded !== 'string') return bad('missing')
  try {
    const parsed = schema.safeParse(JSON.parse(Buffer.from(encoded, 'base64').toString()))
    if (parsed.success) return { ok: true, value: parsed.data }
    // The paths and what is wrong, not what stands there.
    return bad(parsed.error.issues.map(({ path, message }) => `${path.join('.')}: ${message}`).join('; '))
  } catch {
    return bad('not JSON')
  }
}
