import type { Clock } from '@kedge/shared/clock'
import { trustName } from '@kedge/shared/identity/certificate'
import type { Enrolled } from '@kedge/shared/identity/enrol'
import { csrFor } from './csr.ts'
import type { Files } from './files.ts'
import { checkIssued, type Identity, isKeyOf, termOf } from './identity.ts'
import { forgetRequest, keepIdentity, requestKey } from './keep.ts'
import type { Term } from './renewal.ts'

interface Options {
  /** The data folder. */
  dir: string
  clock: Clock
  files: Files
}

/** What cloudcore gives a node. */
export type Issued = Pick<Enrolled, 'chain' | 'roots' | 'secret'>

/**
 * The identity that is in force, and the change to another one.
 *
 * Invariant: what is in force is on disk. A change that fails changes nothing.
 */
export class Papers {
  readonly #options: Options
  #identity: Identity
  #term: Term
  /** The window in which the certificate before this one was renewed: cloudcore names it until it sees the new one. */
  #done: Identity['renew']

  constructor(identity: Identity, options: Options) {
    this.#options = options
    this.#identity = identity
    this.#term = termOf(identity)
  }

  get identity(): Identity {
    return this.#identity
  }

  get term(): Term {
    return this.#term
  }

  /** Names whom this node trusts. */
  get trust(): string {
    return trustName(this.#identity.roots)
  }

  /** The request for the next certificate, the same until there is one. Throws when its key cannot be written down. */
  request(): string {
    const { dir, files } = this.#options
    return csrFor(requestKey(dir, files), this.#identity.node)
  }

  /**
   * Takes a certificate; from now on `trusted` (PEM) are, without it those that are now. Throws when the certificate is of no
   * use, or cannot be kept.
   */
  adopt({ chain, roots, secret }: Issued, trusted: string | undefined): void {
    const { clock, dir, files } = this.#options
    const before = this.#identity
    // A second answer to what was asked twice is for the key that the first one has brought into use.
    const isSecond = isKeyOf(chain, before.key)
    const key = isSecond ? before.key : requestKey(dir, files)
    checkIssued({ node: before.node, key, chain, roots })
    const given = { key, chain, secret, roots: trusted ?? before.roots, madeAt: clock.now(), renew: undefined }
    this.#keep({ ...before, ...given })
    this.#done = before.renew ?? this.#done
    if (!isSecond) forgetRequest(dir, files)
  }

  /** Takes roots, and when to renew; each undefined where nothing is said of it. False when that is nothing new. */
  take({ roots, renew }: Pick<Partial<Identity>, 'roots' | 'renew'>): boolean {
    const before = this.#identity
    const window = renew === undefined || sameWindow(renew, this.#done) ? before.renew : renew
    const next = { ...before, roots: roots ?? before.roots, renew: window }
    if (trustName(next.roots) === this.trust && sameWindow(window, before.renew)) return false
    this.#keep(next)
    return true
  }

  #keep(next: Identity): void {
    const { dir, files } = this.#options
    const whole = { ...next, generation: this.#identity.generation + 1 }
    keepIdentity(dir, whole, files)
    this.#identity = whole
    this.#term = termOf(whole)
  }
}

function sameWindow(one: Identity['renew'], other: Identity['renew']): boolean {
  return one?.from === other?.from && one?.to === other?.to
}
