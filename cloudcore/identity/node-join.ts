import type { RefusalCode } from '@kedge/shared/identity/enrol'
import type { NodeIdentity, TokenRecord } from './records.ts'

/** Why a node may not join although its token is good. */
export interface JoinFault {
  code: RefusalCode
  reason: string
}

/**
 * Whether whoever holds the token may have the name of the node. A name that somebody has, nobody else gets, unless
 * the token was made for that very node: so says a person that the board has been replaced. After a revocation or a lock
 * the token must have been made since. `key`: SHA-256 of the public key that wants to join.
 */
export function joinFault(
  identity: NodeIdentity | undefined,
  token: TokenRecord,
  { node, key }: { node: string; key: string },
): JoinFault | undefined {
  if (identity === undefined) return undefined
  const { revoked, locked, issued } = identity
  const anew = `make a token for it: cloudcore token create --node ${node}`
  const since = (time: string) => token.node === node && token.made > Date.parse(time)
  if (revoked !== undefined && !since(revoked)) {
    return { code: 'node-revoked', reason: `node ${node} was revoked at ${revoked}; to have it back, ${anew}` }
  }
  if (locked !== undefined && !since(lockedAt(locked))) {
    return { code: 'node-locked', reason: `node ${node} is locked (${locked}); to have it back on this board, ${anew}` }
  }
  const isItself = issued.some((one) => one.key === key)
  if (token.node === node || isItself || issued.length === 0) return undefined
  return {
    code: 'token-other-node',
    reason: `a node ${node} has joined before; take another name, or if this board is that node, ${anew}`,
  }
}

/** A lock begins with its time; one that a person has written by hand may not. */
export function lockText(at: string, reason: string): string {
  return `${at} ${reason}`
}

function lockedAt(locked: string): string {
  return locked.split(' ')[0] ?? ''
}
