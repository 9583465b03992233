import { randomBytes } from 'node:crypto'
import { type Clock, rfc3339 } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { Kube } from '../kube/api.ts'
import { hasCode, isRefusal } from '../kube/errors.ts'
import { rootsIn } from './chain.ts'
import { issuedFault } from './check-issued.ts'
import { keyHash, readCsr } from './csr.ts'
import {
  type HeldCertificate,
  type Issuer,
  IssuerRefusal,
  type RenewalWindow,
  type Signed,
  type SignRequest,
} from './issuer.ts'
import type { KeptRoots } from './kept-roots.ts'
import { identityLabel } from './records.ts'
import type { RequestKind, Write } from './request-kind.ts'
import { Requested } from './requested.ts'
import { bundle } from './x509.ts'

interface Options {
  name: string
  kind: RequestKind
  kube: Kube
  roots: KeptRoots
  /** PEM: roots beside those that signers tell. */
  given: string
  /** Where the signer is cloudcore's own authority: its windows. */
  windows?: Pick<Issuer, 'renewalWindow' | 'roots'>
  clock: Clock
  log: Log
  /** Milliseconds until a request that nobody has signed is given up for now; 20 seconds unless given. */
  patience?: number
}

/** Requests of a node that are kept, the newest ones. */
const keptPerNode = 3

/**
 * Has certificates signed by way of objects of Kubernetes: makes one, approves it unless somebody else did, waits for the
 * certificate, and checks it. Whoever asks again with the same key gets what came of the request that there is.
 */
export class RequestIssuer implements Issuer, Service {
  readonly #options: Options
  readonly #requested: Requested
  readonly #listeners = new Set<() => void>()
  #toldForbidden = false

  constructor(options: Options) {
    this.#options = options
    this.#requested = new Requested(options)
  }

  get name(): string {
    return this.#options.name
  }

  roots(): string {
    const { roots, given, windows } = this.#options
    return bundle(windows?.roots() ?? '', given, roots.current())
  }

  renewalWindow(node: string, held: HeldCertificate): RenewalWindow | undefined {
    return this.#options.windows?.renewalWindow(node, held)
  }

  onChange(listener: () => void): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  async sign(request: SignRequest): Promise<Signed> {
    const { kind, clock, patience = 20_000 } = this.#options
    const key = keyHash(readCsr(request.csr).spki)
    const name = this.#requested.usable(request.node, key, clock.now()) ?? nameFor(request.node)
    const box = this.#requested.await(name, patience)
    try {
      const object = await this.#there(name, request, key)
      const { chain, roots } = await this.#outcome(await this.#approved(object), request, box)
      await this.#learn(roots)
      const fault = issuedFault({ request, chain, roots: this.roots(), now: clock.now() })
      if (fault !== undefined) {
        this.#requested.spoil(name)
        throw new IssuerRefusal(`what ${this.name} has signed is refused: ${fault}`)
      }
      return { chain: bundle(chain) }
    } catch (error) {
      if (error instanceof IssuerRefusal) throw error
      throw new Error(`${kind.kind} ${name}`, { cause: error })
    } finally {
      box.close()
      this.#prune(request.node)
    }
  }

  async #there(name: string, request: SignRequest, key: string): Promise<KubeObject> {
    const { kube, kind } = this.#options
    if (this.#requested.has(name)) return kube.get(`${kind.collection}/${name}`)
    const body = kind.bodyOf(request)
    const labels = { [identityLabel]: 'request', 'app.kubernetes.io/part-of': 'kedge' }
    const annotations = { 'kedge.io/node': request.node, 'kedge.io/key': key }
    try {
      const metadata = { ...body.metadata, name, labels, annotations }
      const made = await kube.create(kind.collection, { ...body, metadata })
      this.#requested.know(made)
      return made
    } catch (error) {
      if (hasCode(error, 404)) throw new Error(kind.missing, { cause: error })
      // A right that is missing can be given; what the API or a webhook finds wrong stays wrong.
      if (!isRefusal(error) || error.code === 403) throw error
      throw new IssuerRefusal(`${kind.kind} refused: ${error.message}`, { cause: error })
    }
  }

  /** Approves it; where cloudcore may not, somebody else does, and is waited for. */
  async #approved(object: KubeObject): Promise<KubeObject> {
    const { kube, kind, clock, log } = this.#options
    const outcome = kind.outcomeOf(object)
    if (outcome.is !== 'pending' || outcome.approved) return object
    const { path, object: approval } = kind.approval(object, rfc3339(clock.now()))
    try {
      return await kube.update(path, approval)
    } catch (error) {
      // Somebody was there first: look again.
      if (hasCode(error, 409)) return this.#approved(await this.#again(object))
      if (!hasCode(error, 403) && !hasCode(error, 422)) throw error
      if (!this.#toldForbidden) log.info({ kind: kind.kind, reason: explain(error) }, 'others must approve')
      this.#toldForbidden = true
      return object
    }
  }

  async #outcome(first: KubeObject, request: SignRequest, box: { next(): Promise<KubeObject | undefined> }) {
    const { kind } = this.#options
    for (let object = first; ; ) {
      const outcome = kind.outcomeOf(object)
      if (outcome.is === 'issued') return outcome
      if (outcome.is === 'refused' && outcome.final) throw new IssuerRefusal(`${this.name}: ${outcome.reason}`)
      if (outcome.is === 'refused') throw new Error(`${this.name}: ${outcome.reason}`)
      if (outcome.approved && kind.complete !== undefined) {
        object = await this.#put(await kind.complete(object, request))
        continue
      }
      const next = await box.next()
      if (next === undefined) throw new Error(`not signed in time: ${outcome.why}; ask again later`)
      object = next
    }
  }

  async #put({ path, object }: Write): Promise<KubeObject> {
    try {
      return await this.#options.kube.update(path, object)
    } catch (error) {
      if (hasCode(error, 409)) return this.#again(object)
      throw error
    }
  }

  #again({ metadata }: KubeObject): Promise<KubeObject> {
    const { kube, kind } = this.#options
    return kube.get(`${kind.collection}/${metadata.name}`)
  }

  /** Roots that a signer tells are kept before anything that they vouch for goes out. */
  async #learn(told: string): Promise<void> {
    const roots = rootsIn(told)
    if (roots === '' || !(await this.#options.roots.add(roots))) return
    for (const listener of [...this.#listeners]) listener()
  }

  /** Nobody else takes old requests away. What cannot be deleted now is deleted another time. */
  #prune(node: string): void {
    const { kube, kind, log } = this.#options
    for (const name of this.#requested.surplus(node, keptPerNode)) {
      kube.delete(`${kind.collection}/${name}`).catch((error: unknown) => {
        if (!hasCode(error, 404)) log.warn({ request: name, reason: explain(error) }, 'request not deleted')
      })
    }
  }

  stop(): Promise<void> {
    return this.#requested.stop()
  }
}

/** Names of nodes may be as long as names of objects. */
function nameFor(node: string): string {
  return `node-${node.slice(0, 50).replace(/[.-]+$/, '')}-${randomBytes(5).toString('hex')}`
}
