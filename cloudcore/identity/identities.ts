import { randomUUID } from 'node:crypto'
import { type Clock, rfc3339 } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { DownFrame, Frame } from '@kedge/shared/frames'
import { readCertificates, trustName } from '@kedge/shared/identity/certificate'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import type { Kube } from '../kube/api.ts'
import { type Condition, conditionOf } from '../kube/conditions.ts'
import { eventObject } from '../kube/event-object.ts'
import { eventsPath } from '../kube/paths.ts'
import { type NodeTraces, noTraces, runSpeaks, runTakesTurn, serialUsed, type Traced } from '../link/clones.ts'
import type { Connection } from '../link/link.ts'
import type { Enroller, EnrolResult } from './enrolment.ts'
import type { HeldCertificate, Issuer } from './issuer.ts'
import { lockText } from './node-join.ts'
import type { Registry } from './registry.ts'

export interface IdentitiesOptions {
  registry: Registry
  issuer: Pick<Issuer, 'roots' | 'renewalWindow' | 'onChange'>
  enroller: Pick<Enroller, 'answer'>
  kube: Pick<Kube, 'create'>
  send: (node: string, frame: DownFrame) => void
  /** Undefined where another broker keeps the connections, and lets nodes speak in their own name alone. */
  connectionOf: ((node: string) => Connection | undefined) | undefined
  /** Lets a node's connection stand until then. */
  prolong: (node: string, end: number) => void
  clock: Clock
  log: Log
}

/** Nodes whose doings are remembered; of more, those that have been quiet for longest are forgotten. */
const mostTraced = 20_000

/**
 * What cloudcore says and hears of identities on the links of nodes that have one: whom to trust, renewals, and signs
 * that one identity is in two places.
 *
 * Invariant: a node is locked only where two places have shown that they live, and only over connections whose
 * certificate proves the name to us, or to the broker that keeps them.
 */
export class Identities {
  readonly #options: IdentitiesOptions
  readonly #traces = new Map<string, { traces: NodeTraces; connection: number }>()
  /** What each node was said to trust last. */
  readonly #trusts = new Map<string, string>()
  readonly #unsubscribe: () => void

  constructor(options: IdentitiesOptions) {
    this.#options = options
    this.#unsubscribe = options.issuer.onChange(() => this.#tellAll())
  }

  stop(): void {
    this.#unsubscribe()
  }

  /** The link of a node is gone. */
  down(node: string): void {
    this.#trusts.delete(node)
  }

  /** A node begins a conversation. */
  heard(node: string, { talk, protocol, speaks = protocol, trust }: Frame<'have'>): void {
    if (trust !== undefined) {
      this.#trusts.set(node, trust)
      this.#tell(node)
    }
    // Who speaks as the first edgecores did, proves nothing.
    if (speaks < 2) return
    const run = talk.split('.')[0] ?? ''
    const { connectionOf } = this.#options
    if (connectionOf === undefined) return this.#traceTurn(node, run)
    const connection = connectionOf(node)
    if (connection?.serial === undefined) return
    this.#trace(node, run, { number: connection.number, serial: connection.serial })
  }

  /** A node asks for a new certificate over its link. */
  async renew(node: string, { csr, secret }: Frame<'renew'>): Promise<void> {
    const { registry, enroller, connectionOf, prolong, send } = this.#options
    // Behind another broker the secret alone is the proof, and the connection that the broker has let in.
    const serial = connectionOf?.(node)?.serial ?? registry.node(node)?.issued.at(-1)?.serial ?? ''
    const caller = { source: `node ${node}`, node: { name: node, serial } }
    const result = await enroller.answer(caller, { is: 'renew', csr, secret })
    if (result.is === 'enrolled') prolong(node, readCertificates(result.given.chain)[0]?.notAfter ?? 0)
    send(node, renewed(result))
  }

  /** What a Node says of its identity. */
  conditionsOf(node: KubeObject): Condition[] {
    const { clock, registry } = this.#options
    const { locked, revoked } = registry.node(node.metadata.name) ?? {}
    const held = conditionOf(node.status, 'IdentityLocked')
    const lastHeartbeatTime = rfc3339(clock.now())
    const common = { type: 'IdentityLocked', lastHeartbeatTime }
    if (revoked !== undefined) {
      const message = `revoked at ${revoked}; a token that is made for it lets a board join in its name again`
      return [{ ...common, status: 'True', reason: 'Revoked', message }]
    }
    if (locked !== undefined) {
      const message = `${locked}; nobody may connect in its name: ${wayOut(node.metadata.name)}`
      return [{ ...common, status: 'True', reason: 'Locked', message }]
    }
    if (held?.status !== 'True') return []
    return [{ ...common, status: 'False', reason: 'Unlocked', message: 'somebody has looked at it' }]
  }

  #tellAll(): void {
    for (const node of this.#trusts.keys()) this.#tell(node)
  }

  #tell(node: string): void {
    const { issuer, send } = this.#options
    const roots = issuer.roots()
    const isOther = this.#trusts.get(node) !== trustName(roots)
    const held = this.#held(node)
    const renew = held === undefined ? undefined : issuer.renewalWindow(node, held)
    if (!isOther && renew === undefined) return
    send(node, { is: 'identity', ...(isOther ? { roots } : {}), ...(renew === undefined ? {} : { renew }) })
  }

  /** The certificate that a node shows; behind another broker, where none is seen, the last that it was given. */
  #held(node: string): HeldCertificate | undefined {
    const { registry, connectionOf } = this.#options
    const leaf = connectionOf?.(node)?.leaf
    if (leaf !== undefined) return leaf
    const issuedAt = registry.node(node)?.issued.at(-1)?.at
    return issuedAt === undefined ? undefined : { issuedAt }
  }

  #traceTurn(node: string, run: string): void {
    const turn = runTakesTurn(this.#traces.get(node)?.traces ?? noTraces, run)
    this.#remember(node, { traces: turn.traces, connection: 0 })
    this.#act(node, turn)
  }

  #trace(node: string, run: string, { number, serial }: { number: number; serial: string }): void {
    const held = this.#traces.get(node) ?? { traces: noTraces, connection: 0 }
    const used = held.connection === number ? { traces: held.traces } : serialUsed(held.traces, serial)
    const spoken = runSpeaks(used.traces, run, number)
    this.#remember(node, { traces: spoken.traces, connection: number })
    for (const traced of [used, spoken]) this.#act(node, traced)
  }

  #remember(node: string, held: { traces: NodeTraces; connection: number }): void {
    this.#traces.delete(node)
    this.#traces.set(node, held)
    const [oldest] = this.#traces.keys()
    if (this.#traces.size > mostTraced && oldest !== undefined) this.#traces.delete(oldest)
  }

  #act(node: string, { proof, suspicion }: Traced): void {
    const { log } = this.#options
    const failed = (error: unknown) => log.error({ node, reason: explain(error) }, 'node not locked')
    if (suspicion !== undefined) {
      log.warn({ node, reason: suspicion }, 'identity in doubt')
      this.#event(node, 'IdentityInDoubt', suspicion).catch(failed)
    }
    if (proof !== undefined) this.#lock(node, proof.reason).catch(failed)
  }

  async #lock(node: string, reason: string): Promise<void> {
    const { registry, clock, log } = this.#options
    // To the millisecond: a token of before the lock is not one that was made because of it.
    const at = new Date(clock.now()).toISOString()
    const changed = await registry.changeNode<undefined>(node, (identity) => {
      // Without a record nobody could ever unlock it.
      if (identity === undefined || identity.locked !== undefined) return { is: 'leave', answer: undefined }
      return { is: 'write', record: { ...identity, locked: lockText(at, reason) } }
    })
    if (changed.is === 'left') return
    // The node begins anew once it is unlocked.
    this.#traces.delete(node)
    log.error({ node, reason }, 'node locked')
    await this.#event(node, 'IdentityLocked', `${reason}; ${wayOut(node)}`)
  }

  async #event(node: string, reason: string, message: string): Promise<void> {
    const { kube, clock } = this.#options
    const regarding = { apiVersion: 'v1', kind: 'Node', name: node, uid: node }
    const about = { id: `${node}.${randomUUID()}`, type: 'Warning' as const, reason, message, by: 'cloudcore' }
    const report = { is: 'event' as const, ...about, at: clock.now(), regarding }
    await kube.create(eventsPath('default'), eventObject(node, report, clock.now()))
  }
}

/** First what shuts a copy out: `unlock` lets in whoever comes. */
function wayOut(node: string): string {
  return `cloudcore token create --node ${node} and edgecore join --force on the right board shut the other out; where there is no other any more, cloudcore node unlock ${node}`
}

function renewed(result: EnrolResult): Frame<'renewed'> {
  if (result.is === 'refused') {
    const { code, reason, retryAfter } = result
    return { is: 'renewed', refused: reason, code, ...(retryAfter === undefined ? {} : { retryAfter }) }
  }
  const { chain, roots, secret } = result.given
  return { is: 'renewed', chain, roots, secret }
}
