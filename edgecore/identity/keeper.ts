import type { TLSSocket } from 'node:tls'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Frame, UpFrame } from '@kedge/shared/frames'
import { type Certificate, readCertificates, trustName } from '@kedge/shared/identity/certificate'
import type { Enrolled, Refused } from '@kedge/shared/identity/enrol'
import { type Verdict, verifyChain } from '@kedge/shared/identity/verify'
import type { Log } from '@kedge/shared/log'
import { NotNow } from '../link/link.ts'
import type { NodeCondition } from '../reports/node-conditions.ts'
import { ask } from './ask.ts'
import { certificateCondition, refusalAdvice } from './condition.ts'
import { csrFor } from './csr.ts'
import { dial, type Resumption } from './dial.ts'
import { diskFiles, type Files } from './files.ts'
import { checkIssued, type Identity, termOf } from './identity.ts'
import { judgeServer } from './judge.ts'
import { forgetRequest, keepIdentity, requestKey } from './keep.ts'
import { keepRefusal } from './last-refusal.ts'
import { asked, failed, nextStep, noTries, renewed, type Term, type Tries } from './renewal.ts'

export interface KeeperOptions {
  /** The data folder. */
  dir: string
  identity: Identity
  /** Where the link is: `mqtts://HOST:PORT`. */
  link: string
  /** Where certificates are asked for without the link. */
  enrolment: string
  /** Further authorities that vouch for the broker, PEM. */
  moreRoots?: string | undefined
  clock: Clock
  log: Log
  /** Hands a frame to the link; false when it is down. */
  send: (frame: UpFrame) => boolean
  /** The condition now says something else. */
  changed: () => void
  files?: Files
}

/** A certificate that has just been made and is refused all the same is not replaced again for so long, monotonic ms. */
const betweenAnew = 3_600_000

/**
 * Keeps the node's certificate: shows it on the link, has it renewed in time, and after its end or when it is refused asks
 * why, on a connection that may only enrol.
 *
 * Invariants:
 * - What is in force is on disk.
 * - The link is never cut for a new certificate: the next connection shows it.
 * - Roots that do not vouch for the server of the present link are not taken: they would cut this node off for good.
 */
export class IdentityKeeper {
  readonly #options: KeeperOptions
  readonly #files: Files
  #identity: Identity
  #term: Term
  #roots: Certificate[]
  #tries: Tries = noTries
  #refused = false
  #anewAt = Number.NEGATIVE_INFINITY
  /** The certificate was given without the link, and has not opened it yet. */
  #unproven = false
  /** Why cloudcore gives this node no certificate. */
  #held: Refused | undefined
  /** Whether that is written down; what an earlier run wrote may be there. */
  #holds = false
  /** What the server of the last connection has shown. */
  #server: readonly Certificate[] = []
  #resumption: Resumption = {}
  /** Whether the last connection went on with a session. */
  #resumed = false
  /** The window in which the certificate before this one was renewed: cloudcore names it until it sees the new one. */
  #done: Identity['renew']
  #told: string | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
    this.#files = options.files ?? diskFiles
    this.#identity = options.identity
    this.#term = termOf(options.identity)
    this.#roots = this.#allRoots(options.identity.roots)
  }

  get identity(): Identity {
    return this.#identity
  }

  /** Names whom this node trusts, for `have`. */
  get trust(): string {
    return trustName(this.#identity.roots)
  }

  /** When the certificate ends, milliseconds since the epoch. */
  get endsAt(): number {
    return this.#term.to
  }

  condition(): NodeCondition {
    return certificateCondition({ term: this.#term, now: this.#options.clock.now(), held: this.#held })
  }

  /** A connection for the link, on which both sides have shown who they are. */
  async open(signal: AbortSignal): Promise<TLSSocket> {
    const { clock, link } = this.#options
    const recently = clock.monotonic() - this.#anewAt < betweenAnew
    if (this.#refused && recently && this.#unproven) {
      // The next try is the link's again.
      this.#refused = false
      throw new NotNow('the broker refuses this node, whose certificate is new: see the log of cloudcore')
    }
    // A new one that has ended as well: the clock is ahead, not the certificate late.
    const expired = clock.now() > this.#term.to && !recently
    if (expired || this.#refused) await this.#anew(signal)
    const { key, chain } = this.#identity
    const judge = (shown: readonly Certificate[], host: string) => this.#judge(shown, host)
    const options = { url: link, identity: { key, chain }, judge, signal }
    const socket = await dial(this.#mayResume ? { ...options, resumption: this.#resumption } : options)
    this.#resumed = socket.isSessionReused()
    return socket
  }

  /** A session remembers this node's certificate at the broker, and not those that stand between it and a root. */
  get #mayResume(): boolean {
    return readCertificates(this.#identity.chain).length === 1
  }

  /** The broker did not let this node in. */
  refused(): void {
    // Of a session the broker may have forgotten too much: a whole handshake tells.
    this.#refused = !this.#resumed
    this.#resumption = {}
  }

  /** The link is up. */
  up(): void {
    this.#refused = false
    this.#unproven = false
    this.#hold(undefined)
    // What was asked for over the link before is not answered any more.
    this.#tries = { ...this.#tries, askedAt: undefined }
    this.#look()
  }

  /** Call about once a second. */
  tick(): void {
    const { clock, log, send } = this.#options
    const monotonic = clock.monotonic()
    this.#look()
    const step = nextStep(this.#term, { tries: this.#tries, now: clock.now(), monotonic })
    if (step.is === 'give-up-waiting') {
      log.warn({}, 'certificate not renewed: no answer')
      this.#tries = failed(this.#tries, monotonic)
    }
    if (step.is !== 'ask') return
    const { secret } = this.#identity
    if (send({ is: 'renew', csr: this.#request(), secret })) {
      this.#tries = asked(this.#tries, monotonic)
      log.info({ ends: dateOf(this.#term.to) }, 'certificate asked for')
    }
  }

  /** The answer to what `tick` has asked. */
  answered({ chain, roots, secret, refused, code, retryAfter }: Frame<'renewed'>): void {
    const { clock, log } = this.#options
    try {
      if (chain === undefined || roots === undefined || secret === undefined) {
        throw new Error(refused ?? 'cloudcore has sent no certificate')
      }
      this.#adopt({ chain, roots, secret })
    } catch (error) {
      log.warn({ code, reason: explain(error), retryAfter }, 'certificate not renewed')
      this.#tries = failed(this.#tries, clock.monotonic(), retryAfter)
    }
  }

  /** Whom to trust from now on, and when to renew. */
  told({ roots, renew: window }: Frame<'identity'>): void {
    const { log } = this.#options
    try {
      const renew = sameWindow(window, this.#done) ? undefined : window
      const next = { ...this.#identity, roots: roots ?? this.#identity.roots, renew: renew ?? this.#identity.renew }
      if (trustName(next.roots) === this.trust && sameWindow(next.renew, this.#identity.renew)) return
      if (!this.#vouchesForServer(next.roots)) {
        throw new Error('the new authorities do not vouch for the server of this link')
      }
      this.#keep({ ...next, generation: next.generation + 1 })
      log.info({ trust: this.trust, renew: renew && `${dateOf(renew.from)}/${dateOf(renew.to)}` }, 'trust renewed')
    } catch (error) {
      log.error({ reason: explain(error) }, 'authorities not taken over')
    }
  }

  /** Asks for a certificate without the link; throws `NotNow` when there is none for this node. */
  async #anew(signal: AbortSignal): Promise<void> {
    const { clock, enrolment } = this.#options
    const { key, chain, secret } = this.#identity
    const answer = await ask({
      url: enrolment,
      identity: { key, chain },
      judge: (shown, host) => this.#judge(shown, host),
      signal,
      question: { is: 'renew', csr: this.#request(), secret },
    })
    if (answer.is === 'enrolled') {
      this.#adopt(answer)
      this.#anewAt = clock.monotonic()
      this.#unproven = true
      this.#refused = false
      return
    }
    this.#hold(answer)
    this.#look()
    throw new NotNow(`cloudcore refuses this node: ${answer.reason}`, answer.retryAfter)
  }

  /** Remembers why there is no certificate, or that there is no such reason any more. */
  #hold(refusal: Refused | undefined): void {
    const { dir, clock, log } = this.#options
    const isKnown = refusal?.code === this.#held?.code && this.#holds
    this.#held = refusal
    if (isKnown) return
    this.#holds = true
    if (refusal !== undefined) log.error({ ...refusal, ...refusalAdvice(refusal.code) }, 'identity refused')
    try {
      const { code, reason } = refusal ?? {}
      keepRefusal(dir, code && reason ? { code, reason, at: clock.now() } : undefined, this.#files)
    } catch (error) {
      log.warn({ reason: explain(error) }, 'refusal not written down')
    }
  }

  #request(): string {
    return csrFor(requestKey(this.#options.dir, this.#files), this.#identity.node)
  }

  #adopt({ chain, roots, secret }: Pick<Enrolled, 'chain' | 'roots' | 'secret'>): void {
    const { clock, dir, log } = this.#options
    const { node, generation } = this.#identity
    const key = requestKey(dir, this.#files)
    checkIssued({ node, key, chain, roots })
    const isSafe = this.#vouchesForServer(roots)
    if (!isSafe) log.error({}, 'authorities not taken over: they do not vouch for the server of this link')
    const next = { ...this.#identity, key, chain, secret, roots: isSafe ? roots : this.#identity.roots }
    this.#done = this.#identity.renew ?? this.#done
    this.#keep({ ...next, generation: generation + 1, madeAt: clock.now(), renew: undefined })
    forgetRequest(dir, this.#files)
    this.#tries = renewed(this.#term, { now: clock.now(), monotonic: clock.monotonic() })
    log.info({ ends: dateOf(this.#term.to), serial: this.#term.serial }, 'certificate renewed')
    this.#look()
  }

  #keep(next: Identity): void {
    keepIdentity(this.#options.dir, next, this.#files)
    this.#identity = next
    // A session goes on with the certificate that it began with.
    this.#resumption = {}
    this.#term = termOf(next)
    this.#roots = this.#allRoots(next.roots)
  }

  #judge(presented: readonly Certificate[], host: string): Verdict {
    const { clock, log } = this.#options
    const verify = (at: number) => verifyChain({ presented, roots: this.#roots, at, use: 'server', host })
    const { verdict, behind } = judgeServer(verify, { clock, floor: this.#term.from })
    if (verdict.ok) this.#server = presented
    if (verdict.ok && behind > 0) log.warn({ seconds: Math.round(behind / 1000) }, 'clock behind certificates')
    return verdict
  }

  #vouchesForServer(roots: string): boolean {
    const presented = this.#server
    const at = this.#options.clock.now()
    const verdict = verifyChain({ presented, roots: this.#allRoots(roots), at, use: 'server' })
    return verdict.ok || presented.length === 0 || verdict.fault === 'expired' || verdict.fault === 'not-yet-valid'
  }

  #allRoots(roots: string): Certificate[] {
    const { moreRoots } = this.#options
    return [...readCertificates(roots), ...(moreRoots === undefined ? [] : readCertificates(moreRoots))]
  }

  /** Tells when the condition has changed, and logs it once. */
  #look(): void {
    const { log, changed } = this.#options
    const { status, reason, message } = this.condition()
    const now = `${reason} ${message}`
    if (now === this.#told) return
    this.#told = now
    log[status === 'True' ? 'info' : 'error']({ reason, message }, 'certificate')
    changed()
  }
}

function sameWindow(one: Identity['renew'], other: Identity['renew']): boolean {
  return one?.from === other?.from && one?.to === other?.to
}

function dateOf(ms: number): string {
  return new Date(ms).toISOString()
}
