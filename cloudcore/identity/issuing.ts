import type { IssuedRecord, NodeIdentity } from './records.ts'

/** What is written of a certificate before its node gets it. */
export interface Issue {
  node: string
  issued: IssuedRecord
  /** Hash of the enrolment secret that goes with it. */
  secret: string
  /** Milliseconds since the epoch. */
  now: number
}

/** Certificates of a node that are remembered: as many as were issued since the last that it has shown, and more. */
const mostIssued = 16

/**
 * A node has joined, for the first time or anew. Joining again puts everything of before out of force: who has had the
 * node until now is somebody else, or the same board after its disk was lost. The same key again is a board that has not
 * got its answer, and keeps what it has.
 */
export function joined(identity: NodeIdentity | undefined, { node, issued, secret }: Issue): NodeIdentity {
  const isSame = identity?.issued.some(({ key }) => key === issued.key) === true && identity.revoked === undefined
  if (identity === undefined) return { node, issued: [issued], secrets: [secret], only: false }
  if (!isSame) return { node, issued: [issued], secrets: [secret], only: true }
  return { ...identity, issued: [...identity.issued, issued].slice(-mostIssued), secrets: [secret] }
}

/**
 * A node has renewed its certificate. The secret that it has shown stays good beside the new one: the answer may not
 * arrive. `grace` milliseconds after their end certificates are forgotten.
 */
export function renewed(
  identity: NodeIdentity,
  { issued, secret, now, shown, grace }: Issue & { shown: string; grace: number },
): NodeIdentity {
  const alive = identity.issued.filter(({ end }) => end + grace > now)
  return { ...identity, issued: [...alive, issued].slice(-mostIssued), secrets: [secret, shown] }
}

/** Why a certificate does not count although it is valid; undefined when it counts. */
export type Barred = { code: 'node-revoked' | 'node-locked'; reason: string }

/** Whether a valid certificate counts. What cloudcore has no record of counts: records may have been lost. */
export function barred(identity: NodeIdentity | undefined, serial: string): Barred | undefined {
  if (identity === undefined) return undefined
  const { node, revoked, locked, only, issued } = identity
  if (revoked !== undefined) {
    const reason = `node ${node} was revoked at ${revoked}: to have it back, make a token for it with cloudcore token create --node ${node}`
    return { code: 'node-revoked', reason }
  }
  if (locked !== undefined) {
    const reason = `node ${node} is locked: ${locked}; once that is settled, cloudcore node unlock ${node}`
    return { code: 'node-locked', reason }
  }
  if (only && !issued.some((one) => one.serial === serial)) {
    return { code: 'node-revoked', reason: `node ${node} has joined anew since this certificate was issued` }
  }
  return undefined
}
