import type { Clock } from '@kedge/shared/clock'
import type { DownFrame, Frame, UpFrame } from '@kedge/shared/frames'
import { oldestProtocol, protocolVersion } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import type { Key, KubeObject } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import { deviceKeys, type NodeObjects, podKeys, select } from './select.ts'
import { commonProtocol, type News, Session } from './session.ts'
import type { SessionEvent, SessionState } from './session-table.ts'
import { countStandings, type ObjectStanding, type ObjectState, standingOf } from './standing.ts'
import { type Version, WantedSet } from './wanted.ts'

/** As much of the catalog as the hub asks for. */
export interface HubCatalog extends NodeObjects {
  get(key: Key): Version | undefined
  onChange(listener: (change: { key: Key; before?: KubeObject; after?: KubeObject }) => void): () => void
  /** Whether everything that is bound to a node is known. */
  serves(node: string): boolean
  onServed(listener: (node: string) => void): () => void
}

export interface SyncHubOptions {
  catalog: HubCatalog
  /** Something about what a node holds has become known. */
  onNews?: (node: string, news: News) => void
  /** Hands a frame to the link. */
  send: (node: string, frame: DownFrame) => void
  /** Names this run of cloudcore: the line of revisions of every session. */
  epoch: string
  clock: Clock
  log: Log
}

interface Member {
  session: Session
  wanted: WantedSet
  log: Log
}

/**
 * Holds the session of every node that has been heard of, and wakes those whose keys moved.
 *
 * Invariants:
 * - A node's frames come from its session alone, in the session's order.
 * - Keys that move in one turn of the event loop wake a session once.
 * - No `have` is answered before the catalog knows all that is bound to the node: what is not known yet would be taken
 *   from the edge. So a node waits until it is registered; its first report does that.
 */
export class SyncHub implements Service {
  readonly #options: SyncHubOptions
  readonly #members = new Map<string, Member>()
  /** Who is interested in a key. */
  readonly #interested = new Map<Key, Set<string>>()
  readonly #moved = new Map<string, Set<Key>>()
  readonly #reselect = new Set<string>()
  /** The last `have` of each node that has to wait. */
  readonly #waiting = new Map<string, Frame<'have'>>()
  #scheduled = false
  readonly #unsubscribe: (() => void)[]
  readonly #timer: NodeJS.Timeout

  constructor(options: SyncHubOptions) {
    this.#options = options
    this.#unsubscribe = [
      options.catalog.onChange((change) => this.#changed(change)),
      options.catalog.onServed((node) => this.#served(node)),
    ]
    this.#timer = setInterval(() => this.#tick(), 1000)
    this.#timer.unref()
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer)
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  up(node: string): void {
    this.#deliver(node, { is: 'up' })
  }

  down(node: string): void {
    this.#waiting.delete(node)
    if (this.#members.has(node)) this.#deliver(node, { is: 'down' })
  }

  malformed(node: string): void {
    this.#deliver(node, { is: 'malformed' })
  }

  receive(node: string, frame: Exclude<UpFrame, Frame<'reports'> | Frame<'renew'>>): void {
    if (frame.is === 'have') {
      if (commonProtocol(frame) === undefined) return this.#refuse(node, frame)
      const { epoch, revision, count, why, edgecore } = frame
      this.#member(node).log.info({ epoch, revision, count, why, edgecore }, 'sync asked')
      if (!this.#options.catalog.serves(node)) {
        this.#waiting.set(node, frame)
        return
      }
    }
    this.#deliver(node, frame)
  }

  #served(node: string): void {
    const frame = this.#waiting.get(node)
    if (!this.#waiting.delete(node) || frame === undefined) return
    // What has just become known counts for the answer.
    this.#wake()
    this.#deliver(node, frame)
  }

  /** Where each node stands, for people and metrics. */
  *standings(): Generator<{ node: string; state: SessionState; revision: number | undefined; objects: number }> {
    for (const [node, { session, wanted }] of this.#members) {
      const { revision } = session.confirmed ?? {}
      yield { node, state: session.state, revision, objects: wanted.inventory.size }
    }
  }

  /** Where each object of a node stands, by key; undefined for a node that has not been heard of. */
  objects(node: string): ObjectStanding[] | undefined {
    const member = this.#members.get(node)
    if (member === undefined) return undefined
    const { session, wanted } = member
    const keys = [...wanted.inventory.keys(), ...wanted.withheld.keys()].sort()
    return keys.flatMap((key) => standingOf(key, session, wanted) ?? [])
  }

  /** Where one object stands on a node. */
  object(node: string, key: Key): ObjectStanding | undefined {
    const member = this.#members.get(node)
    return member && standingOf(key, member.session, member.wanted)
  }

  /** How many objects of each node stand where. */
  *counts(): Generator<{ node: string; counts: Record<ObjectState, number> }> {
    for (const [node, { session, wanted }] of this.#members) yield { node, counts: countStandings(session, wanted) }
  }

  #refuse(node: string, { talk, protocol, speaks = protocol }: Frame<'have'>): void {
    const theirs = range(protocol, speaks)
    const reason = `edgecore speaks protocol ${theirs}, this cloudcore ${range(oldestProtocol, protocolVersion)}: upgrade the older one`
    this.#options.log.error({ node, reason }, 'node refused')
    this.#options.send(node, { is: 'sorry', talk, reason })
  }

  #member(node: string): Member {
    const known = this.#members.get(node)
    if (known !== undefined) return known
    const wanted = new WantedSet()
    const session = new Session({ epoch: this.#options.epoch, wanted })
    const member = { session, wanted, log: this.#options.log.child({ node }) }
    this.#members.set(node, member)
    this.#select(node, wanted)
    return member
  }

  #deliver(node: string, event: SessionEvent): void {
    const { session, log } = this.#member(node)
    const before = session.state
    for (const frame of session.on(event, this.#options.clock.monotonic())) this.#options.send(node, frame)
    for (const news of session.takeNews()) this.#news(node, news)
    if (session.state === before) return
    log.info({ from: before, to: session.state, on: event.is, revision: session.confirmed?.revision }, 'sync')
  }

  #news(node: string, news: News): void {
    const member = this.#member(node)
    if (news.is === 'held') member.wanted.settle(news.key)
    if (news.is === 'refused') {
      const { reason } = standingOf(news.key, member.session, member.wanted) ?? {}
      member.log.warn({ key: news.key, reason }, 'object refused')
    }
    this.#options.onNews?.(node, news)
  }

  #tick(): void {
    for (const [node, { session }] of this.#members) {
      if (session.state !== 'away') this.#deliver(node, { is: 'tick' })
    }
  }

  #changed({ key, before, after }: { key: Key; before?: KubeObject; after?: KubeObject }): void {
    if (key.startsWith('pods/')) this.#bound(before, after, podKeys)
    if (key.startsWith('devices/')) this.#bound(before, after, deviceKeys)
    for (const node of this.#interested.get(key) ?? []) this.#move(node, key)
    this.#schedule()
  }

  /** A pod or device decides what its node needs: look again where that may have changed. */
  #bound(before: KubeObject | undefined, after: KubeObject | undefined, keysOf: (object: KubeObject) => Key[]): void {
    const from = before && nodeNameOf(before)
    const to = after && nodeNameOf(after)
    if (from === to && before && after && keysOf(before).join() === keysOf(after).join()) return
    for (const node of [from, to]) if (node !== undefined && this.#members.has(node)) this.#reselect.add(node)
  }

  #move(node: string, key: Key): void {
    const keys = this.#moved.get(node)
    if (keys) keys.add(key)
    else this.#moved.set(node, new Set([key]))
  }

  #schedule(): void {
    if (this.#scheduled || (this.#moved.size === 0 && this.#reselect.size === 0)) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#wake()
    })
  }

  #wake(): void {
    const nodes = new Set([...this.#reselect, ...this.#moved.keys()])
    const moved = new Map(this.#moved)
    this.#moved.clear()
    for (const node of nodes) {
      const { wanted } = this.#member(node)
      const keys = this.#reselect.has(node) ? this.#select(node, wanted) : []
      for (const key of moved.get(node) ?? []) {
        if (wanted.interest.has(key) && this.#want(node, wanted, key)) keys.push(key)
      }
      if (keys.length > 0) this.#deliver(node, { is: 'moved', keys })
    }
    this.#reselect.clear()
  }

  /** Looks at what a node should have as a whole; returns the keys that changed. */
  #select(node: string, wanted: WantedSet): Key[] {
    const { catalog } = this.#options
    const interest = select(catalog, node)
    const gone = [...wanted.interest].filter((key) => !interest.has(key))
    wanted.interest = interest
    for (const key of gone) this.#forget(key, node)
    for (const key of interest) {
      const nodes = this.#interested.get(key)
      if (nodes) nodes.add(node)
      else this.#interested.set(key, new Set([node]))
    }
    return [
      ...gone.filter((key) => wanted.set(key, undefined)),
      ...[...interest].filter((key) => this.#want(node, wanted, key)),
    ]
  }

  /** Looks at the newest version of a key; returns whether that changes what the node should hold. */
  #want(node: string, wanted: WantedSet, key: Key): boolean {
    const before = wanted.withheld.has(key)
    const changed = wanted.set(key, this.#options.catalog.get(key))
    const after = wanted.withheld.has(key)
    if (before !== after) this.#news(node, { is: after ? 'refused' : 'usable', key })
    return changed
  }

  #forget(key: Key, node: string): void {
    const nodes = this.#interested.get(key)
    nodes?.delete(node)
    if (nodes?.size === 0) this.#interested.delete(key)
  }
}

/** The node that a pod or a device is bound to. */
function nodeNameOf(object: KubeObject): string | undefined {
  const node = object.spec?.nodeName
  return typeof node === 'string' && node !== '' ? node : undefined
}

function range(from: number, to: number): string {
  return from === to ? `${from}` : `${from} to ${to}`
}
