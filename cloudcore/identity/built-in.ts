import { X509Certificate } from 'node:crypto'
import { setTimeout as pause } from 'node:timers/promises'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import { pinOf } from '@kedge/shared/identity/token'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { Kube } from '../kube/api.ts'
import { collectionIn } from '../kube/paths.ts'
import { WatchLoop } from '../kube/watch-loop.ts'
import { type CaStore, caSecret, type Kept, type SecretCaStore } from './ca-store.ts'
import { certify, issue, makeAuthority, type Pair, type ServerNames } from './certificates.ts'
import { readCsr } from './csr.ts'
import { home } from './home.ts'
import type { HeldCertificate, Issuer, RenewalWindow, Signed, SignRequest } from './issuer.ts'
import { type CaState, firstState, rootsOf, serverChainOf, windowOf, withoutEnded } from './rotation.ts'
import { nodeSubject } from './subject.ts'

const day = 24 * 3600 * 1000
/** A board that has lost its clock wakes up with the time at which its certificate begins. */
const backdated = day
/** Earlier still, so that the authority is good whenever what it signs is. */
const authorityBackdated = 2 * day
const serverDays = 365

/**
 * The authority of the link, with its earlier ones while they last. It signs nodes' certificates where no other issuer
 * does, and cloudcore's own in any case.
 */
export class BuiltInCa implements Issuer {
  readonly name = 'built-in'
  readonly #clock: Clock
  readonly #listeners = new Set<() => void>()
  #kept: Kept

  private constructor(kept: Kept, clock: Clock) {
    this.#kept = kept
    this.#clock = clock
  }

  /** With what the store holds; makes the first authority when it holds none. */
  static async open({ store, clock }: { store: CaStore; clock: Clock }): Promise<BuiltInCa> {
    return new BuiltInCa(await readOrMake(store, clock), clock)
  }

  /** What it works with, without what has ended. */
  get #state(): CaState {
    return withoutEnded(this.#kept.state, this.#clock.now())
  }

  async sign({ csr, node, days }: SignRequest): Promise<Signed> {
    const wish = { subject: nodeSubject(node), days, usage: 'client' as const, backdated }
    const { current } = this.#state
    const leaf = await certify(current, this.#clock.now(), { ...wish, publicKey: readCsr(csr).spki })
    return { chain: leaf }
  }

  roots(): string {
    return rootsOf(this.#state)
  }

  renewalWindow(node: string, held: HeldCertificate): RenewalWindow | undefined {
    return windowOf(this.#state, node, held)
  }

  /** See `pinOf`: of the authority that signs now. */
  pin(): string {
    return pinOf(new X509Certificate(this.#state.current.cert))
  }

  /** A new key and certificate for cloudcore's end of the link, with the chain that follows it. */
  async serverPair(names: ServerNames): Promise<Pair> {
    const state = this.#state
    const wish = {
      subject: [{ CN: ['kedge-cloudcore'] }],
      days: serverDays,
      usage: 'server' as const,
      names,
      backdated,
    }
    const { cert, key } = await issue(state.current, this.#clock.now(), wish)
    return { cert: cert + serverChainOf(state), key }
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Works with another state from now on. */
  take(kept: Kept): void {
    const same = JSON.stringify(kept.state) === JSON.stringify(this.#kept.state)
    this.#kept = kept
    if (!same) for (const listener of [...this.#listeners]) listener()
  }

  /** The state as it is kept, to put it back where it was removed. */
  get kept(): Kept {
    return this.#kept
  }
}

async function readOrMake(store: CaStore, clock: Clock): Promise<Kept> {
  for (let tries = 0; tries < 5; tries++) {
    const kept = await store.read()
    if (kept !== undefined) return kept
    const made = await store.write(firstState(await makeAuthority(clock.now(), authorityBackdated)), undefined)
    if (made !== undefined) return made
    await pause(50)
  }
  throw new Error('the certificate authority is made and removed again by others, over and over')
}

/** A new authority for a rotation, as the first one was made. */
export function nextAuthority(now: number): Promise<Pair> {
  return makeAuthority(now, authorityBackdated)
}

interface Following {
  ca: BuiltInCa
  store: SecretCaStore
  kube: Kube
  clock: Clock
  log: Log
}

/**
 * Keeps an authority equal to its Secret, which `cloudcore ca rotate` changes. A Secret that is removed is put back: its
 * nodes would be lost with it. One that cannot be read is told, and the state before stays in force.
 */
export function followCa({ ca, store, kube, clock, log }: Following): Service {
  const take = (secret: KubeObject) => {
    try {
      ca.take(store.parse(secret))
    } catch (error) {
      log.error({ reason: explain(error) }, 'ca unreadable')
    }
  }
  const putBack = () => {
    log.error({ secret: caSecret }, 'ca removed, put back')
    store.write(ca.kept.state, undefined).catch((error: unknown) => {
      log.error({ reason: explain(error) }, 'ca not put back')
    })
  }
  const sink = {
    trim: (object: KubeObject) => object,
    replace: ([secret]: KubeObject[]) => (secret === undefined ? putBack() : take(secret)),
    put: take,
    remove: putBack,
  }
  const selector = { fieldSelector: `metadata.name=${caSecret}` }
  const loop = new WatchLoop({ kube, path: collectionIn('secrets', home), selector, sink, log, clock })
  loop.start()
  return loop
}
