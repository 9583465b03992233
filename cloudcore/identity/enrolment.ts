import { type Clock, rfc3339 } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { readCertificates } from '@kedge/shared/identity/certificate'
import type { Enrolled, EnrolUp, RefusalCode, Refused } from '@kedge/shared/identity/enrol'
import type { Log } from '@kedge/shared/log'
import type { CsrVerdict } from './csr-policy.ts'
import { FairWork } from './fair-work.ts'
import { type Issuer, IssuerRefusal } from './issuer.ts'
import { barred, joined, renewed } from './issuing.ts'
import { joinFault } from './node-join.ts'
import { hashOf, type IssuedRecord, type NodeIdentity, type TokenRecord } from './records.ts'
import type { Registry } from './registry.ts'
import { isSame, judgeToken, unknownToken } from './tokens.ts'
import { WrongTokens } from './wrong-tokens.ts'

/** Judges a certificate request for a node, and tells its key. */
export type JudgeCsr = (csr: string, node: string) => CsrVerdict | Promise<CsrVerdict>

export interface EnrolmentOptions {
  registry: Pick<Registry, 'node' | 'load' | 'changeToken' | 'changeNode'>
  issuer: Issuer
  judgeCsr: JudgeCsr
  /** Days that a certificate of this node is good for. */
  daysOf: (node: string) => number
  /** Milliseconds after its end in which a certificate may still be renewed. */
  grace: number
  /** Makes an enrolment secret: 256 bits, base64url. */
  newSecret: () => string
  /** Where the link is, if not where enrolling connections come. */
  broker?: string | undefined
  clock: Clock
  log: Log
  /** Requests that are worked on at once, and that may wait. */
  bounds?: { atOnce: number; waiting: number }
}

/** Who asks, as the connection shows. */
export interface Caller {
  /** Address that it comes from. */
  source: string
  /** The certificate that it has proved to hold; none joins. */
  node?: { name: string; serial: string } | undefined
  /** Why the certificate that it has shown is not good for a renewal. */
  unfit?: { code: RefusalCode; reason: string } | undefined
  /** Whether nobody is there any more who could be answered. */
  gone?: () => boolean
  /** Milliseconds that it waits for its turn; for ever unless given. */
  patience?: number
}

export type Enrolment = Omit<Enrolled, 'is' | 'broker'>
export type EnrolResult = { is: 'enrolled'; by: 'token' | 'renewal'; given: Enrolment } | Refused

const defaultBounds = { atOnce: 32, waiting: 2048 }
/** Milliseconds after which someone who found no room should try again. */
const busyFor = 3000
/** A node renews once in months: so many in so many milliseconds are more than lost answers can need. */
const renewalsAtOnce = 5
const renewalPeriod = 60_000
/** Longer names do not fit into the name of a Secret. */
const longestNode = 230

/**
 * Gives certificates to boards that show a token, and to nodes that show the one they have.
 *
 * Invariants:
 * - A token is spent before a certificate is signed, and a certificate is written down before it goes out. After a crash
 *   between any two steps the same request with the same key succeeds.
 * - So many requests are worked on at once, and so many wait; each source has its turn.
 */
export class Enroller {
  /** What became of requests: `enrolled`, `renewed`, `failed`, or the code of a refusal. */
  readonly counts = new Map<string, number>()
  readonly #options: EnrolmentOptions
  readonly #work: FairWork
  readonly #wrong = new WrongTokens()

  constructor(options: EnrolmentOptions) {
    this.#options = options
    this.#work = new FairWork(options.bounds ?? defaultBounds)
  }

  /** Requests that wait for their turn. */
  get waiting(): number {
    return this.#work.waiting
  }

  /** Answers a request. Never throws. */
  async answer(caller: Caller, request: EnrolUp): Promise<EnrolResult> {
    const result = await this.#answer(caller, request)
    const name = result.is === 'refused' ? result.code : result.by === 'token' ? 'enrolled' : 'renewed'
    this.counts.set(name, (this.counts.get(name) ?? 0) + 1)
    return result
  }

  async #answer(caller: Caller, request: EnrolUp): Promise<EnrolResult> {
    const { clock, log } = this.#options
    const { source, gone, patience = Number.POSITIVE_INFINITY } = caller
    const until = clock.monotonic() + patience
    const work = async () => {
      // Whoever has left comes again: its turn is for somebody who is there.
      if (gone?.() || clock.monotonic() > until) return undefined
      return request.is === 'enrol' ? this.#join(caller, request) : this.#renew(caller, request)
    }
    try {
      const done = await this.#work.run(source, work)
      return done ?? refused('busy', 'too many boards join at the moment', busyFor)
    } catch (error) {
      if (error instanceof IssuerRefusal) return refused('csr-invalid', `the issuer refuses: ${explain(error)}`)
      log.error({ source: caller.source, reason: explain(error) }, 'enrolment failed')
      return refused('busy', 'cloudcore cannot answer at the moment; its log says why', busyFor)
    }
  }

  async #join({ source }: Caller, { token, node: wish, csr }: EnrolUp & { is: 'enrol' }): Promise<EnrolResult> {
    const { registry, clock, log } = this.#options
    const wait = this.#wrong.wait(source, clock.monotonic())
    if (wait > 0) return refused('too-many', 'too many wrong tokens have come from this address', wait)
    const [id = '', secret = ''] = token.split('.')
    const judged = { csr, wish, secret }
    const spent = await this.#spend(id, judged)
    if ('code' in spent) {
      if (spent.code === 'token-unknown') this.#tellWrong(source, id)
      return spent
    }
    const { node, key, record } = spent
    const given = await this.#sign(node, csr, key)
    const { issued } = given
    const changed = await registry.changeNode<Refused>(node, (identity) => {
      // Another board may have got the name meanwhile.
      const fault = joinFault(identity, record, { node, key })
      if (fault !== undefined) return { is: 'leave', answer: refused(fault.code, fault.reason) }
      const issue = { node, issued, secret: hashOf(given.secret), now: clock.now() }
      return { is: 'write', record: joined(identity, issue) }
    })
    if (changed.is === 'left') return changed.answer
    log.info({ node, token: id, source, serial: issued.serial, end: rfc3339(issued.end) }, 'node joined')
    return this.#enrolled('token', node, given)
  }

  /** Takes one use from a token, for good; tells for whom. */
  async #spend(
    id: string,
    { csr, wish, secret }: { csr: string; wish: string | undefined; secret: string },
  ): Promise<{ node: string; key: string; record: TokenRecord } | Refused> {
    const { registry, judgeCsr, clock } = this.#options
    // What is wrong with the request is for those alone who hold the token: so the token comes first.
    const held = (await this.#held(id, secret)) ?? (await this.#heldByNow(id, secret))
    if (held === undefined) return refused('token-unknown', unknownToken)
    const node = wish ?? held.node
    if (node === undefined) return refused('csr-invalid', 'node: missing; the token is for any: name this one')
    if (node.length > longestNode) return refused('csr-invalid', `node: at most ${longestNode} characters are possible`)
    const judged = await judgeCsr(csr, node)
    if (!judged.ok) return refused('csr-invalid', judged.reason)
    const use = { secret, node, key: judged.key, now: clock.now() }
    const changed = await registry.changeToken<Refused | TokenRecord>(id, (token) => {
      const verdict = judgeToken(token, use)
      if (verdict.is === 'bad') return { is: 'leave', answer: refused(verdict.code, verdict.reason) }
      const fault = joinFault(registry.node(node), verdict.record, use)
      if (fault !== undefined) return { is: 'leave', answer: refused(fault.code, fault.reason) }
      return verdict.again ? { is: 'leave', answer: verdict.record } : { is: 'write', record: verdict.record }
    })
    const record = changed.is === 'left' ? changed.answer : changed.record
    return 'is' in record ? record : { node, key: judged.key, record }
  }

  /** The token with this secret, as far as it is known. */
  async #held(id: string, secret: string): Promise<TokenRecord | undefined> {
    const known = await this.#options.registry.changeToken<TokenRecord | undefined>(id, (record) => {
      const isRight = record !== undefined && isSame(record.hash, hashOf(secret))
      return { is: 'leave', answer: isRight ? record : undefined }
    })
    return known.is === 'left' ? known.answer : undefined
  }

  /** The watch may be behind: a token is often shown a moment after it was made. Throws while Kubernetes is away. */
  async #heldByNow(id: string, secret: string): Promise<TokenRecord | undefined> {
    await this.#options.registry.load('token', id)
    return this.#held(id, secret)
  }

  async #renew(
    { source, node: holder, unfit }: Caller,
    { csr, secret }: EnrolUp & { is: 'renew' },
  ): Promise<EnrolResult> {
    const { registry, judgeCsr, clock, log, grace } = this.#options
    if (unfit !== undefined) return refused(unfit.code, unfit.reason)
    if (holder === undefined) return refused('csr-invalid', 'a renewal needs the certificate that the node has')
    const { name: node, serial } = holder
    const known = registry.node(node)
    const fault = renewalFault(known, { node, serial, secret: hashOf(secret) })
    if (fault !== undefined) return fault
    const recent = known?.issued.filter(({ at }) => Math.abs(clock.now() - at) < renewalPeriod).length ?? 0
    if (recent >= renewalsAtOnce) return refused('too-many', `${recent} certificates within a minute`, renewalPeriod)
    const judged = await judgeCsr(csr, node)
    if (!judged.ok) return refused('csr-invalid', judged.reason)
    const given = await this.#sign(node, csr, judged.key)
    const changed = await registry.changeNode<Refused>(node, (identity) => {
      const late = renewalFault(identity, { node, serial, secret: hashOf(secret) })
      if (late !== undefined || identity === undefined) return { is: 'leave', answer: late ?? unknownNode(node) }
      const issue = { node, issued: given.issued, secret: hashOf(given.secret), now: clock.now() }
      return { is: 'write', record: renewed(identity, { ...issue, shown: hashOf(secret), using: serial, grace }) }
    })
    if (changed.is === 'left') return changed.answer
    log.info({ node, source, serial: given.issued.serial, end: rfc3339(given.issued.end) }, 'node renewed')
    return this.#enrolled('renewal', node, given)
  }

  async #sign(node: string, csr: string, key: string) {
    const { issuer, daysOf, newSecret, clock } = this.#options
    const { chain } = await issuer.sign({ csr, node, days: daysOf(node) })
    const [leaf] = readCertificates(chain)
    if (leaf === undefined) throw new Error(`${issuer.name} gave no certificate`)
    const issued: IssuedRecord = { serial: leaf.serial, key, at: clock.now(), end: leaf.notAfter }
    return { chain, issued, secret: newSecret() }
  }

  #enrolled(by: 'token' | 'renewal', node: string, { chain, secret }: { chain: string; secret: string }): EnrolResult {
    return { is: 'enrolled', by, given: { node, chain, roots: this.#options.issuer.roots(), secret } }
  }

  /** The first, then ever more rarely. */
  #tellWrong(source: string, token: string): void {
    const { clock, log } = this.#options
    const count = this.#wrong.count(source, clock.monotonic())
    if ((count & (count - 1)) === 0) log.warn({ source, token, count }, 'wrong join token')
  }
}

export function refused(code: RefusalCode, reason: string, retryAfter?: number): Refused {
  return { is: 'refused', code, reason, ...(retryAfter === undefined ? {} : { retryAfter }) }
}

function unknownNode(node: string): Refused {
  return refused('token-unknown', `nothing is known of node ${node} here: it has to join anew, with a token`)
}

function renewalFault(
  identity: NodeIdentity | undefined,
  { node, serial, secret }: { node: string; serial: string; secret: string },
): Refused | undefined {
  if (identity === undefined) return unknownNode(node)
  const bar = barred(identity, serial)
  if (bar !== undefined) return refused(bar.code, bar.reason)
  if (identity.secrets.some((hash) => isSame(hash, secret))) return undefined
  return refused('token-unknown', `that is not the enrolment secret of node ${node}: it has to join anew, with a token`)
}
