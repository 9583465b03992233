import { BuiltInCa } from '@kedge/cloudcore/identity/built-in'
import type { Kept } from '@kedge/cloudcore/identity/ca-store'
import type { Caller, EnrolResult } from '@kedge/cloudcore/identity/enrolment'
import type { NodeIdentity } from '@kedge/cloudcore/identity/records'
import { Door } from '@kedge/cloudcore/link/door'
import { csrFor, newKey } from '@kedge/edgecore/identity/csr'
import { dial } from '@kedge/edgecore/identity/dial'
import type { Clock } from '@kedge/shared/clock'
import { type Certificate, readCertificates } from '@kedge/shared/identity/certificate'
import type { EnrolUp } from '@kedge/shared/identity/enrol'
import { verifyChain } from '@kedge/shared/identity/verify'

export interface Papers {
  key: string
  /** PEM, the node's own first. */
  chain: string
}

const names = { dns: ['localhost'], ips: ['127.0.0.1'] }

/** A door with an authority in memory, and papers for nodes; what is known of each node is set by hand. */
export class LinkAuthority {
  readonly ca: BuiltInCa
  readonly door: Door
  readonly identities = new Map<string, NodeIdentity>()
  /** What enrolling connections have asked, and what they are answered. */
  readonly asked: { caller: Caller; request: EnrolUp }[] = []
  answer: (caller: Caller, request: EnrolUp) => Promise<EnrolResult> = async () => ({
    ...{ is: 'refused', code: 'busy', reason: 'not today' },
  })
  readonly #papers = new Map<string, Papers>()
  readonly #listeners = new Set<(node: string) => void>()

  readonly #changed = new Set<() => void>()
  #pair: { cert: string; key: string }

  private constructor(ca: BuiltInCa, pair: { cert: string; key: string }, clock: Clock) {
    this.ca = ca
    this.#pair = pair
    this.door = new Door({
      certificate: {
        current: () => this.#pair,
        onChange: (listener) => {
          this.#changed.add(listener)
          return () => this.#changed.delete(listener)
        },
      },
      issuer: ca,
      identityOf: (node) => this.identities.get(node),
      onIdentity: (listener) => {
        this.#listeners.add(listener)
        return () => this.#listeners.delete(listener)
      },
      enroller: {
        answer: (caller, request) => {
          this.asked.push({ caller, request })
          return this.answer(caller, request)
        },
      },
      ...{ grace: 30 * 24 * 3_600_000, clock },
    })
  }

  static async open(clock: Clock): Promise<LinkAuthority> {
    let kept: Kept | undefined
    const store = {
      read: async () => kept,
      write: async (state: Kept['state']) => {
        kept = { state, version: '1' }
        return kept
      },
    }
    const ca = await BuiltInCa.open({ store, clock })
    return new LinkAuthority(ca, await ca.serverPair(names), clock)
  }

  /** Another certificate of cloudcore. */
  async renewServer(): Promise<void> {
    this.#pair = await this.ca.serverPair(names)
    for (const listener of this.#changed) listener()
  }

  /** The papers of a node, the same each time. */
  async papers(node: string): Promise<Papers> {
    const held = this.#papers.get(node)
    if (held !== undefined) return held
    const made = await this.newPapers(node)
    this.#papers.set(node, made)
    return made
  }

  async newPapers(node: string, days = 90): Promise<Papers> {
    const key = newKey()
    const { chain } = await this.ca.sign({ csr: csrFor(key, node), node, days })
    return { key, chain }
  }

  /** Something is known of a node from now on. */
  know(identity: NodeIdentity): void {
    this.identities.set(identity.node, identity)
    for (const listener of this.#listeners) listener(identity.node)
  }

  /** How an MQTT client of any make shows these papers. */
  tls({ key, chain }: Papers) {
    return { key, cert: chain, ca: this.ca.roots() }
  }

  /** How edgecore opens its connection. */
  async open(url: string, papers: Papers, signal: AbortSignal) {
    const roots = readCertificates(this.ca.roots())
    const judge = (presented: readonly Certificate[], host: string) =>
      verifyChain({ presented, roots, at: Date.now(), use: 'server', host })
    return dial({ url: url.replace('mqtt:', 'mqtts:'), identity: papers, judge, signal })
  }
}
