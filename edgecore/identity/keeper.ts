import type { TLSSocket } from 'node:tls'
import { type Clock, isoTime } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Frame, UpFrame } from '@kedge/shared/frames'
import { type Certificate, readCertificates, trustName } from '@kedge/shared/identity/certificate'
import type { Log } from '@kedge/shared/log'
import { NotNow } from '../link/link.ts'
import type { NodeCondition } from '../reports/node-conditions.ts'
import { ask } from './ask.ts'
import { certificateCondition } from './condition.ts'
import { dial, type Resumption } from './dial.ts'
import { diskFiles, type Files } from './files.ts'
import { Held } from './held.ts'
import type { Identity } from './identity.ts'
import { type Issued, Papers } from './papers.ts'
import { asked, failed, nextStep, noTries, renewed, type Tries } from './renewal.ts'
import { Trust } from './trust.ts'

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
 * - The link is never cut for a new certificate: the next connection shows it.
 * - Roots that do not vouch for the server of the present link are not taken: they would cut this node off for good.
 */
export class IdentityKeeper {
  readonly #options: KeeperOptions
  readonly #papers: Papers
  readonly #trust: Trust
  readonly #held: Held
  #tries: Tries = noTries
  #refused = false
  #anewAt = Number.NEGATIVE_INFINITY
  /** The certificate was given without the link, and has not opened it yet. */
  #unproven = false
  #resumption: Resumption = {}
  /** Whether the last connection went on with a session. */
  #resumed = false
  #told: string | undefined
  /** Authorities that were not taken over, of which that was told. */
  #strange: string | undefined

  constructor(options: KeeperOptions) {
    this.#options = options
    const { identity, dir, clock, log, moreRoots, files = diskFiles } = options
    this.#papers = new Papers(identity, { dir, clock, files })
    this.#trust = new Trust({ roots: identity.roots, moreRoots, clock, log })
    this.#held = new Held({ dir, clock, log, files })
  }

  get identity(): Identity {
    return this.#papers.identity
  }

  /** Names whom this node trusts, for `have`. */
  get trust(): string {
    return this.#papers.trust
  }

  /** When the certificate ends, milliseconds since the epoch. */
  get endsAt(): number {
    return this.#papers.term.to
  }

  condition(): NodeCondition {
    return certificateCondition({ term: this.#papers.term, now: this.#options.clock.now(), held: this.#held.refusal })
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
    const expired = clock.now() > this.#papers.term.to && !recently
    if (expired || this.#refused) await this.#anew(signal)
    const { key, chain } = this.identity
    const options = { url: link, identity: { key, chain }, judge: this.#judge, signal }
    const socket = await dial(this.#mayResume ? { ...options, resumption: this.#resumption } : options)
    this.#resumed = socket.isSessionReused()
    return socket
  }

  /** A session remembers this node's certificate at the broker, and not those that stand between it and a root. */
  get #mayResume(): boolean {
    return readCertificates(this.identity.chain).length === 1
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
    this.#held.set(undefined)
    // What was asked for over the link before is not answered any more.
    this.#tries = { ...this.#tries, askedAt: undefined }
    this.#look()
  }

  /** Call about once a second. */
  tick(): void {
    const { clock, log, send } = this.#options
    const monotonic = clock.monotonic()
    this.#look()
    const step = nextStep(this.#papers.term, { tries: this.#tries, now: clock.now(), monotonic })
    if (step.is === 'give-up-waiting') {
      log.warn({}, 'certificate not renewed: no answer')
      this.#tries = failed(this.#tries, monotonic)
    }
    if (step.is !== 'ask') return
    try {
      if (!send({ is: 'renew', csr: this.#papers.request(), secret: this.identity.secret })) return
      this.#tries = asked(this.#tries, monotonic)
      log.info({ ends: dateOf(this.endsAt) }, 'certificate asked for')
    } catch (error) {
      // A disk that is full must not end edgecore.
      log.error({ reason: explain(error) }, 'certificate not asked for')
      this.#tries = failed(this.#tries, monotonic)
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
  told({ roots, renew }: Frame<'identity'>): void {
    const { log } = this.#options
    try {
      const isGood = roots === undefined || roots === this.identity.roots || this.#wouldVouch(roots)
      if (!this.#papers.take({ roots: isGood ? roots : undefined, renew })) return
      this.#taken()
      log.info({ trust: this.trust, renew: renew && `${dateOf(renew.from)}/${dateOf(renew.to)}` }, 'trust renewed')
    } catch (error) {
      log.error({ reason: explain(error) }, 'authorities not taken over')
    }
  }

  /** Asks for a certificate without the link; throws `NotNow` when there is none for this node. */
  async #anew(signal: AbortSignal): Promise<void> {
    const { clock, enrolment } = this.#options
    const { key, chain, secret } = this.identity
    const answer = await ask({
      url: enrolment,
      identity: { key, chain },
      judge: this.#judge,
      signal,
      question: { is: 'renew', csr: this.#papers.request(), secret },
    })
    if (answer.is === 'enrolled') {
      this.#adopt(answer)
      this.#anewAt = clock.monotonic()
      this.#unproven = true
      this.#refused = false
      return
    }
    this.#held.set(answer)
    this.#look()
    throw new NotNow(`cloudcore refuses this node: ${answer.reason}`, answer.retryAfter)
  }

  #adopt(issued: Issued): void {
    const { clock, log } = this.#options
    this.#papers.adopt(issued, this.#wouldVouch(issued.roots) ? issued.roots : undefined)
    this.#taken()
    this.#tries = renewed(this.#papers.term, { now: clock.now(), monotonic: clock.monotonic() })
    log.info({ ends: dateOf(this.endsAt), serial: this.#papers.term.serial }, 'certificate renewed')
    this.#look()
  }

  #taken(): void {
    // A session goes on with the certificate that it began with.
    this.#resumption = {}
    this.#trust.take(this.identity.roots)
  }

  readonly #judge = (presented: readonly Certificate[], host: string) =>
    this.#trust.judge(presented, host, this.#papers.term.from)

  /**
   * Whether roots vouch for the server of this link. Those that do not would cut this node off for good, or the link is
   * from before another authority: then they are told again at the next connection.
   */
  #wouldVouch(roots: string): boolean {
    if (this.#trust.wouldVouch(roots)) return true
    const name = trustName(roots)
    if (name !== this.#strange) {
      const reason = 'they do not vouch for what the server of this link has shown; they may for the next one'
      this.#options.log.warn({ trust: name, reason }, 'authorities not taken over')
    }
    this.#strange = name
    return false
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

function dateOf(ms: number): string {
  return isoTime(ms)
}
