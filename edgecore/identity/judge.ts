import type { Clock } from '@kedge/shared/clock'
import type { Certificate } from '@kedge/shared/identity/certificate'
import type { Verdict } from '@kedge/shared/identity/verify'

/** A verdict at the time that counts, and by how much this node's clock is behind it; milliseconds. */
export interface Judged {
  verdict: Verdict
  behind: number
}

/**
 * Judges what a server shows at this node's time, which may be behind: a board without a battery for its clock starts
 * long ago. It is never earlier than `floor`, the beginning of the node's own certificate. And since whom we trust has
 * signed that the time is later, a certificate of theirs that is not valid yet moves the time forward, never back: what
 * has ended stays refused.
 */
export function judgeServer(
  verify: (at: number) => Verdict,
  { clock, floor }: { clock: Clock; floor: number },
): Judged {
  const now = clock.now()
  let at = Math.max(now, floor)
  let verdict = verify(at)
  for (let tries = 0; tries < 10; tries++) {
    const next = laterBeginning(verdict)
    if (next === undefined || next <= at) break
    at = next
    verdict = verify(at)
  }
  return { verdict, behind: at - now }
}

function laterBeginning(verdict: Verdict): number | undefined {
  const certificate: Certificate | undefined = verdict.ok ? undefined : verdict.certificate
  return !verdict.ok && verdict.fault === 'not-yet-valid' ? certificate?.notBefore : undefined
}
