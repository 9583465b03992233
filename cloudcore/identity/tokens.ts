import { timingSafeEqual } from 'node:crypto'
import { hashOf, type TokenRecord } from './records.ts'

/** Why a token is not good for this. */
export type TokenFault = 'token-unknown' | 'token-revoked' | 'token-expired' | 'token-spent' | 'token-other-node'

export const unknownToken = 'there is no such token: it was mistyped, revoked, or made by another cloudcore'

export interface TokenUse {
  /** The secret part, as it was shown. */
  secret: string
  /** The node that wants to join. */
  node: string
  /** SHA-256 of its public key. */
  key: string
  /** Milliseconds since the epoch. */
  now: number
}

export type TokenVerdict =
  | { is: 'good'; record: TokenRecord; again: boolean }
  | { is: 'bad'; code: TokenFault; reason: string }

/**
 * Judges a token that is shown. The same key with the same token again is a board that has not got its answer: it gets
 * one again, until the token has expired. `record` is how the token looks after this use.
 */
export function judgeToken(record: TokenRecord | undefined, use: TokenUse): TokenVerdict {
  // Whoever does not know the secret learns nothing of the token.
  if (record === undefined || !isSame(record.hash, hashOf(use.secret))) {
    return bad('token-unknown', unknownToken)
  }
  if (record.revoked) return bad('token-revoked', 'the token was revoked: make another one')
  if (use.now >= record.expires) return bad('token-expired', 'the token has expired: make another one')
  if (record.node !== undefined && record.node !== use.node) {
    return bad('token-other-node', `the token is for node ${record.node}, not for ${use.node}`)
  }
  const earlier = record.used.find(({ key }) => key === use.key)
  if (earlier !== undefined && earlier.node !== use.node) {
    return bad('token-other-node', `this key has joined as ${earlier.node} with this token`)
  }
  if (earlier !== undefined) return { is: 'good', record, again: true }
  if (record.left === 0) return bad('token-spent', 'the token has been used as often as it may be: make another one')
  const used = [...record.used, { key: use.key, node: use.node }]
  return { is: 'good', record: { ...record, left: record.left - 1, used }, again: false }
}

/** Compares two hashes in a time that does not depend on where they differ. */
export function isSame(a: string, b: string): boolean {
  return a.length === b.length && timingSafeEqual(Buffer.from(a), Buffer.from(b))
}

function bad(code: TokenFault, reason: string): TokenVerdict {
  return { is: 'bad', code, reason }
}
