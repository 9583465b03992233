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

/** Certificates of a node that are remembered, beside the one that it shows: of tries whose answers were lost. */
const mostIssued = 16
/** Secrets that it may have got since the one that it has shown. */
const mostSecrets = 8
/** Certificates of before it joined anew that revocation lists name. */
const mostOut = 256

/**
 * A node has joined, for the first time or anew. Joining again puts everything of before out of force: who has had the
 * node until now is somebody else, or the same board after its disk was lost. The same key again is a board that has not
 * got its answer, and keeps what it has: of two answers that are under way at once either may be the one that it gets.
 */
export function joined(identity: NodeIdentity | undefined, { node, issued, secret, now }: Issue): NodeIdentity {
  if (identity === undefined) return { node, issued: [issued], secrets: [secret], only: false }
  const { revoked, locked, out = [] } = identity
  const isSame = identity.issued.some(({ key }) => key === issued.key) && revoked === undefined && locked === undefined
  if (!isSame) {
    const before = [...out, ...identity.issued].filter(({ end }) => end > now).slice(-mostOut)
    return { node, issued: [issued], secrets: [secret], only: true, out: before }
  }
  const secrets = [secret, ...identity.secrets].slice(0, mostSecrets)
  return { ...identity, issued: [...identity.issued, issued].slice(-mostIssued), secrets }
}

/**
 * A node has renewed its certificate. The secret that it has shown stays good beside the new one, and so do those that it
 * was given since: any of these answers may not have arrived, or may arrive late. So does the certificate `using` that it
 * shows. `grace` milliseconds after their end certificates are forgotten.
 */
export function renewed(
  identity: NodeIdentity,
  { issued, secret, now, shown, using, grace }: Issue & { shown: string; using: string; grace: number },
): NodeIdentity {
  const alive = [...identity.issued.filter(({ end }) => end + grace > now), issued]
  const kept = alive.filter(({ serial }, index) => serial === using || index >= alive.length - mostIssued)
  const since = identity.secrets.slice(0, Math.max(0, identity.secrets.indexOf(shown)))
  const out = identity.out?.filter(({ end }) => end > now)
  return { ...identity, issued: kept, secrets: [secret, ...since].slice(0, mostSecrets - 1).concat(shown), out }
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
