import type { Clock } from '@kedge/shared/clock'
import { type Certificate, readCertificates } from '@kedge/shared/identity/certificate'
import { type Verdict, verifyChain } from '@kedge/shared/identity/verify'
import type { Log } from '@kedge/shared/log'
import { judgeServer } from './judge.ts'

export interface TrustOptions {
  /** Whom the identity says to trust, PEM. */
  roots: string
  /** Further authorities that vouch for the broker, PEM. */
  moreRoots?: string | undefined
  clock: Clock
  log: Log
}

/** Whom this node trusts, and what the server of its last connection has shown. */
export class Trust {
  readonly #options: TrustOptions
  #roots: Certificate[]
  #server: readonly Certificate[] = []

  constructor(options: TrustOptions) {
    this.#options = options
    this.#roots = this.#all(options.roots)
  }

  /** These count from now on, PEM. */
  take(roots: string): void {
    this.#roots = this.#all(roots)
  }

  /** Judges what a server shows; `floor`: it is never earlier than this, milliseconds since the epoch. */
  judge(presented: readonly Certificate[], host: string, floor: number): Verdict {
    const { clock, log } = this.#options
    const verify = (at: number) => verifyChain({ presented, roots: this.#roots, at, use: 'server', host })
    const { verdict, behind } = judgeServer(verify, { clock, floor })
    if (verdict.ok) this.#server = presented
    if (verdict.ok && behind > 0) log.warn({ seconds: Math.round(behind / 1000) }, 'clock behind certificates')
    return verdict
  }

  /** Whether others, PEM, would have let the last connection come about, whatever the time. */
  wouldVouch(roots: string): boolean {
    const presented = this.#server
    const verdict = verifyChain({ presented, roots: this.#all(roots), at: this.#options.clock.now(), use: 'server' })
    return verdict.ok || presented.length === 0 || verdict.fault === 'expired' || verdict.fault === 'not-yet-valid'
  }

  #all(roots: string): Certificate[] {
    const { moreRoots } = this.#options
    return [...readCertificates(roots), ...(moreRoots === undefined ? [] : readCertificates(moreRoots))]
  }
}
