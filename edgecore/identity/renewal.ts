import { createHash } from 'node:crypto'

/**
 * When a certificate is renewed. No I/O, no clock, no randomness. All times are milliseconds since the epoch, by the
 * node's clock.
 */

export interface Term {
  /** Beginning and end of the certificate. */
  from: number
  to: number
  /** Names the certificate: its draw of the moment is always the same, so that a restart draws no other. */
  serial: string
  /** When the cloud wants it renewed. */
  window?: { from: number; to: number } | undefined
}

/** `renewing`: asked for. `urgent`: nine tenths of its life are over and there is no other yet. */
export type CertificateState = 'valid' | 'renewing' | 'urgent' | 'expired'

const dueAt = 2 / 3
const jitter = 0.05
const urgentAt = 0.9

/** When a certificate is to be renewed: after two thirds of its life ±5 %, or at some moment of the window that the cloud names. */
export function renewAt({ from, to, serial, window }: Term): number {
  const draw = drawOf(serial)
  const due = from + (to - from) * (dueAt + (2 * draw - 1) * jitter)
  if (window === undefined) return due
  return Math.min(due, window.from + Math.max(0, window.to - window.from) * draw)
}

export function stateOf(term: Term, now: number): CertificateState {
  if (now > term.to) return 'expired'
  if (now > term.from + (term.to - term.from) * urgentAt) return 'urgent'
  return now >= renewAt(term) ? 'renewing' : 'valid'
}

/** What is known of the tries to renew; monotonic milliseconds. */
export interface Tries {
  /** When the certificate was asked for last. */
  askedAt: number | undefined
  /** No further try before this. */
  notBefore: number
  /** Tries in a row that failed or had no answer. */
  failed: number
}

export const noTries: Tries = { askedAt: undefined, notBefore: 0, failed: 0 }

/** An answer over the link that takes longer is not waited for. */
const answerTime = 120_000
const firstPause = 60_000
const longestPause = 3_600_000
const day = 24 * 3_600_000

export type Step = { is: 'wait' } | { is: 'ask' } | { is: 'give-up-waiting' }

/** What to do about the certificate while the link stands; `monotonic` is the time that `tries` count in. */
export function nextStep(
  term: Term,
  { tries, now, monotonic }: { tries: Tries; now: number; monotonic: number },
): Step {
  if (tries.askedAt !== undefined) {
    return monotonic - tries.askedAt > answerTime ? { is: 'give-up-waiting' } : { is: 'wait' }
  }
  return now >= renewAt(term) && monotonic >= tries.notBefore ? { is: 'ask' } : { is: 'wait' }
}

export function asked(tries: Tries, monotonic: number): Tries {
  return { ...tries, askedAt: monotonic }
}

/** A try had no certificate for its answer: the next waits a minute, then twice as long each time, up to an hour. */
export function failed({ failed }: Tries, monotonic: number, retryAfter = 0): Tries {
  const pause = Math.min(longestPause, firstPause * 2 ** Math.min(failed, 10))
  return { askedAt: undefined, notBefore: monotonic + Math.max(pause, Math.min(day, retryAfter)), failed: failed + 1 }
}

/** A certificate has come. When it is due at once, this node's clock is ahead: it is not asked for again for a day. */
export function renewed(term: Term, { now, monotonic }: { now: number; monotonic: number }): Tries {
  return now >= renewAt(term) ? { ...noTries, notBefore: monotonic + day } : noTries
}

/** A number from [0, 1) that belongs to a certificate. */
function drawOf(serial: string): number {
  return createHash('sha256').update(serial).digest().readUInt32BE(0) / 2 ** 32
}
