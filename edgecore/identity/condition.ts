import { rfc3339 } from '@kedge/shared/clock'
import type { Refused } from '@kedge/shared/identity/enrol'
import type { NodeCondition } from '../reports/node-conditions.ts'
import { stateOf, type Term } from './renewal.ts'

interface Refusal {
  /** One word in Kubernetes' style. */
  word: string
  todo: string
}

const rejoin = 'make a token (cloudcore token create --node NAME) and join this board again (edgecore join --force)'

const refusals: Readonly<Record<string, Refusal>> = {
  'node-locked': {
    word: 'Locked',
    todo: 'its certificate is in use in two places: if this is the right one, make a token (cloudcore token create --node NAME) and join it again (edgecore join --force), which shuts the other out; if there was no other, cloudcore node unlock NAME',
  },
  'node-revoked': { word: 'Revoked', todo: rejoin },
  'too-late': { word: 'ExpiredTooLong', todo: rejoin },
  // Of its certificate or its secret cloudcore knows nothing: it was put back to an earlier state.
  'token-unknown': { word: 'Unknown', todo: rejoin },
}

/** What a person can do about a refusal. */
export function refusalAdvice(code: string): { todo: string } | Record<string, never> {
  const refusal = refusals[code]
  return refusal === undefined ? {} : { todo: refusal.todo }
}

export interface CertificateStanding {
  term: Term
  /** Milliseconds since the epoch. */
  now: number
  /** Why cloudcore gives this node no certificate. */
  held: Pick<Refused, 'code' | 'reason'> | undefined
}

/** The node's condition `CertificateValid`. Pure. */
export function certificateCondition({ term, now, held }: CertificateStanding): NodeCondition {
  const type = 'CertificateValid'
  const ends = `the certificate ends at ${rfc3339(term.to)}`
  if (held !== undefined) {
    const { word = 'Refused', todo = 'see the log of cloudcore' } = refusals[held.code] ?? {}
    return { type, status: 'False', reason: word, message: `${held.reason.slice(0, 512)}; ${todo}` }
  }
  switch (stateOf(term, now)) {
    case 'valid':
      return { type, status: 'True', reason: 'Valid', message: ends }
    case 'renewing':
      return { type, status: 'True', reason: 'Renewing', message: `${ends}, a new one is asked for` }
    case 'urgent':
      return { type, status: 'True', reason: 'RenewalOverdue', message: `${ends}, and there is no other yet` }
    case 'expired':
      return {
        type,
        status: 'False',
        reason: 'Expired',
        message: `the certificate ended at ${rfc3339(term.to)}; within the grace period of cloudcore it is renewed when the cloud is reached`,
      }
  }
}
