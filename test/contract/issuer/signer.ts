import { certify, crossSign, makeAuthority, type Pair } from '@kedge/cloudcore/identity/certificates'
import { readCsr } from '@kedge/cloudcore/identity/csr'
import { nodeSubject } from '@kedge/cloudcore/identity/subject'
import type { Kube } from '@kedge/cloudcore/kube/api'
import { hasCode } from '@kedge/cloudcore/kube/errors'
import { WatchLoop } from '@kedge/cloudcore/kube/watch-loop'
import { rfc3339, systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { p256 } from '../../support/csr.ts'

/** How the signer treats the requests of a node. */
export type Mood =
  | 'signs'
  | 'silent'
  | 'fails'
  | 'denies'
  /** Approves by itself, before anybody else may. */
  | 'approves'
  | 'signs for another node'
  | 'signs for another key'
  | 'adds a name'
  | 'signs for years'
  | 'signs as a stranger'

/** How one kind of request is read and answered. */
export interface Dialect {
  collection: string
  isForUs(object: KubeObject): boolean
  /** Its status has been written for good. */
  isDone(object: KubeObject): boolean
  answer(object: KubeObject, is: Answer): { path: string; status: Record<string, unknown> }
}

export type Answer =
  | { is: 'approved' | 'denied' | 'failed'; time: string }
  | { is: 'issued'; chain: string; root: string; time: string }

/**
 * A signer as cert-manager's CA issuer is one: waits until a request is approved, signs it once or fails once, and never
 * looks at it again. Its authority stands below a root.
 */
export class Signer {
  readonly moods = new Map<string, Mood>()
  readonly #kube: Kube
  readonly #dialect: Dialect
  readonly #loop: WatchLoop
  readonly #seen = new Map<string, KubeObject>()
  #working: Promise<void> = Promise.resolve()
  #root: Pair
  #authority: Pair
  #chain: string

  private constructor(kube: Kube, dialect: Dialect, made: { root: Pair; authority: Pair; chain: string }) {
    this.#kube = kube
    this.#dialect = dialect
    this.#root = made.root
    this.#authority = made.authority
    this.#chain = made.chain
    const put = (object: KubeObject) => {
      this.#seen.set(object.metadata.name, object)
      this.#soon(object)
    }
    const remove = ({ metadata }: KubeObject) => void this.#seen.delete(metadata.name)
    const sink = { trim: (object: KubeObject) => object, replace: (all: KubeObject[]) => all.forEach(put), put, remove }
    this.#loop = new WatchLoop({ kube, path: dialect.collection, sink, log: silentLog, clock: systemClock })
    this.#loop.start()
  }

  static async start(kube: Kube, dialect: Dialect): Promise<Signer> {
    return new Signer(kube, dialect, await newAuthority())
  }

  /** PEM. */
  get root(): string {
    return this.#root.cert
  }

  /** The requests of a node that there are. */
  of(node: string): KubeObject[] {
    return [...this.#seen.values()].filter(({ metadata }) => metadata.annotations?.['kedge.io/node'] === node)
  }

  /** Gives a node another mood, and looks at its requests again. */
  turn(node: string, mood: Mood): void {
    this.moods.set(node, mood)
    for (const object of this.of(node)) this.#soon(object)
  }

  /** Goes over to another authority. */
  async renew(): Promise<void> {
    const { root, authority, chain } = await newAuthority()
    this.#root = root
    this.#authority = authority
    this.#chain = chain
  }

  async stop(): Promise<void> {
    await this.#loop.stop()
    await this.#working
  }

  #soon(object: KubeObject): void {
    this.#working = this.#working
      .then(() => this.#consider(object))
      .catch((error: unknown) => {
        // Changed or gone since: the next event tells.
        if (!hasCode(error, 409) && !hasCode(error, 404)) throw error
      })
  }

  async #consider(object: KubeObject): Promise<void> {
    if (!this.#dialect.isForUs(object) || this.#dialect.isDone(object)) return
    const node = object.metadata.annotations?.['kedge.io/node'] ?? ''
    const mood = this.moods.get(node) ?? 'signs'
    const time = rfc3339(Date.now())
    const conditions = (object.status?.conditions ?? []) as { type: string }[]
    const isApproved = conditions.some(({ type }) => type === 'Approved')
    if (mood === 'silent') return
    if (mood === 'denies' && !isApproved) return this.#write(object, { is: 'denied', time })
    if (mood === 'approves' && !isApproved) return this.#write(object, { is: 'approved', time })
    if (!isApproved) return
    if (mood === 'fails' || mood === 'denies') return this.#write(object, { is: 'failed', time })
    await this.#write(object, { is: 'issued', chain: await this.#sign(object, node, mood), root: this.root, time })
  }

  async #sign({ spec }: KubeObject, node: string, mood: Mood): Promise<string> {
    const csr = readCsr(Buffer.from(String(spec?.request), 'base64').toString())
    const authority = mood === 'signs as a stranger' ? await makeAuthority(Date.now()) : this.#authority
    const key = mood === 'signs for another key' ? p256().publicKey.export({ type: 'spki', format: 'der' }) : csr.spki
    const leaf = await certify(authority, Date.now(), {
      subject: nodeSubject(mood === 'signs for another node' ? 'somebody-else' : node),
      usage: 'client',
      days: mood === 'signs for years' ? 1000 : 90,
      publicKey: key,
      ...(mood === 'adds a name' ? { names: { dns: ['cloud.example'], ips: [] } } : {}),
    })
    return leaf + this.#chain
  }

  async #write(object: KubeObject, is: Answer): Promise<void> {
    const { path, status } = this.#dialect.answer(object, is)
    await this.#kube.update(path, { ...object, status: { ...object.status, ...status } })
  }
}

async function newAuthority() {
  const [root, own] = await Promise.all([makeAuthority(Date.now()), makeAuthority(Date.now())])
  return { root, authority: own, chain: await crossSign(root, own, Date.now()) }
}
