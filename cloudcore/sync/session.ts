import { type Digest, diff, digestOf, emptyDigest, type Hash, type Inventory } from '@kedge/shared/changes'
import { type DownFrame, type Frame, isOlderTalk } from '@kedge/shared/frames'
import type { Key, KubeObject } from '@kedge/shared/objects'
import { HeldSet } from './held-set.ts'

/** What the node should hold, read at the moment of use: keys travel, objects are read. */
export interface Wanted {
  readonly inventory: Inventory
  readonly digest: Digest
  content(key: Key): KubeObject | undefined
}

/**
 * away: no link. silent: linked, the edge has not said what it holds. comparing: its inventory was asked for.
 * level: it holds what it should. changing: changes are on their way.
 */
export type SessionState = 'away' | 'silent' | 'comparing' | 'level' | 'changing'

export type SessionEvent =
  | { is: 'up' }
  | { is: 'down' }
  | Frame<'have'>
  | Frame<'inventory'>
  | Frame<'applied'>
  /** These keys of the wanted set moved. */
  | { is: 'moved'; keys: Iterable<Key> }
  /** The edge sent something that is no frame. */
  | { is: 'malformed' }
  | { is: 'tick' }

interface Flight {
  frame: Frame<'changes'>
  put: Map<Key, Hash>
  sentAt: number
}

/** Changes that may be on their way at once. */
const window = 8
/** Characters of content that one change carries at most, unless a single object is larger. */
const changeChars = 256 * 1024
/** Milliseconds after which an unanswered frame is sent again. */
const patience = 10_000

type Handler = (event: never, now: number) => DownFrame[]
type Table = Record<SessionState, Record<SessionEvent['is'], Handler>>

/**
 * The cloud's side of the sync conversation with one node. No I/O, no clock, no randomness: an event goes in, frames to
 * send come out. The table of states and events is `docs/PROTOCOL.md`'s, cell by cell.
 *
 * Invariants:
 * - `held` is what the edge has confirmed, at `heldAt`; `sent` is what it will hold once every flight has landed.
 * - Every change is made for exactly the set that precedes it (`base`), and says what it results in (`digest`).
 * - A revision names one set for the whole epoch, and grows with every change.
 * - Additions travel before removals, so that a node never loses a thing that its replacement is still missing.
 */
export class Session {
  state: SessionState = 'away'
  readonly epoch: string
  readonly #wanted: Wanted
  #talk = ''
  #revision = 0
  /** Undefined until the edge's holdings are known. */
  #held: HeldSet | undefined
  #heldAt = 0
  #sent = new HeldSet(new Map(), emptyDigest)
  #sentAt = 0
  #flights: Flight[] = []
  /** Keys that may differ between `sent` and wanted. */
  readonly #dirty = new Set<Key>()
  #parts = new Map<number, Frame<'inventory'>>()
  #askedAt = 0
  /** Objects that the edge holds but cannot use, with its reason. */
  readonly refused = new Map<Key, string>()

  constructor({ epoch, wanted }: { epoch: string; wanted: Wanted }) {
    this.epoch = epoch
    this.#wanted = wanted
  }

  /** Takes an event; returns the frames to send, in order. `now` is monotonic milliseconds. */
  on(event: SessionEvent, now: number): DownFrame[] {
    const handle = this.#table[this.state][event.is] as (event: SessionEvent, now: number) => DownFrame[]
    return handle.call(this, event, now)
  }

  /** The revision that the edge has confirmed, and what it holds there. */
  get confirmed(): { revision: number; holds: Inventory } | undefined {
    return this.#held && { revision: this.#heldAt, holds: this.#held.map }
  }

  // `up` on a linked session: the node came back before its old connection was known to be gone.
  // biome-ignore format: one row per state
  readonly #table: Table = {
    away: {
      up: this.#up, down: this.#nothing, have: this.#have, inventory: this.#nothing, applied: this.#nothing,
      moved: this.#note, malformed: this.#nothing, tick: this.#nothing,
    },
    silent: {
      up: this.#up, down: this.#down, have: this.#have, inventory: this.#nothing, applied: this.#nothing,
      moved: this.#note, malformed: this.#nothing, tick: this.#nothing,
    },
    comparing: {
      up: this.#up, down: this.#down, have: this.#have, inventory: this.#inventory, applied: this.#nothing,
      moved: this.#note, malformed: this.#compare, tick: this.#askAgain,
    },
    level: {
      up: this.#up, down: this.#down, have: this.#have, inventory: this.#nothing, applied: this.#applied,
      moved: this.#moved, malformed: this.#compare, tick: this.#nothing,
    },
    changing: {
      up: this.#up, down: this.#down, have: this.#have, inventory: this.#nothing, applied: this.#applied,
      moved: this.#moved, malformed: this.#compare, tick: this.#sendAgain,
    },
  }

  #nothing(): DownFrame[] {
    return []
  }

  #up(): DownFrame[] {
    this.state = 'silent'
    return []
  }

  #down(): DownFrame[] {
    this.state = 'away'
    return []
  }

  #note({ keys }: { keys: Iterable<Key> }): DownFrame[] {
    for (const key of keys) this.#dirty.add(key)
    return []
  }

  #moved(event: { keys: Iterable<Key> }, now: number): DownFrame[] {
    this.#note(event)
    return this.#fill(now)
  }

  #have(frame: Frame<'have'>, now: number): DownFrame[] {
    if (isOlderTalk(frame.talk, this.#talk)) return []
    this.#talk = frame.talk
    this.#parts.clear()
    const known = this.#knownAt(frame)
    this.#flights = []
    if (known !== undefined) return this.#levelFrom(known, frame.revision, now)
    if (frame.digest === emptyDigest) return this.#levelFrom(new HeldSet(new Map(), emptyDigest), ++this.#revision, now)
    if (frame.digest === this.#wanted.digest) {
      return this.#levelFrom(new HeldSet(this.#wanted.inventory, frame.digest), ++this.#revision, now)
    }
    return this.#compare(undefined, now)
  }

  /** What the edge holds if it stands at a revision of ours, the digest bearing it out. */
  #knownAt({ epoch, revision, digest }: Frame<'have'>): HeldSet | undefined {
    if (epoch !== this.epoch || this.#held === undefined) return undefined
    if (revision !== this.#heldAt && !this.#flights.some(({ frame }) => frame.to === revision)) return undefined
    this.#land(revision)
    return this.#held.digest === digest ? this.#held : undefined
  }

  #compare(_event: unknown, now: number): DownFrame[] {
    this.state = 'comparing'
    this.#parts.clear()
    this.#flights = []
    this.#held = undefined
    this.#askedAt = now
    return [{ is: 'compare', talk: this.#talk }]
  }

  #askAgain(_event: unknown, now: number): DownFrame[] {
    return now - this.#askedAt < patience ? [] : this.#compare(undefined, now)
  }

  #inventory(frame: Frame<'inventory'>, now: number): DownFrame[] {
    if (frame.talk !== this.#talk) return []
    this.#parts.set(frame.part, frame)
    if (this.#parts.size < frame.of) return []
    const held = new Map([...this.#parts.values()].flatMap(({ items }) => items))
    this.#parts.clear()
    return this.#levelFrom(new HeldSet(held, digestOf(held)), ++this.#revision, now)
  }

  /** The edge holds `held`, which from now on is called `at`: say so, or send what is missing. */
  #levelFrom(held: HeldSet, at: number, now: number): DownFrame[] {
    this.#held = held
    this.#heldAt = at
    this.#sent = new HeldSet(held.map, held.digest)
    this.#sentAt = at
    this.#dirty.clear()
    const { put, drop } = diff(held.map, this.#wanted.inventory)
    for (const key of [...put, ...drop]) this.#dirty.add(key)
    for (const key of this.refused.keys()) if (!held.map.has(key)) this.refused.delete(key)
    this.state = 'level'
    if (this.#dirty.size > 0) return this.#fill(now)
    return [{ is: 'same', talk: this.#talk, epoch: this.epoch, revision: at, digest: held.digest }]
  }

  #applied(frame: Frame<'applied'>, now: number): DownFrame[] {
    if (frame.talk !== this.#talk || frame.epoch !== this.epoch || this.#held === undefined) return []
    if (frame.revision < this.#heldAt) return []
    this.#land(frame.revision)
    if (frame.revision !== this.#heldAt || frame.digest !== this.#held.digest) return this.#compare(undefined, now)
    for (const { key, reason } of frame.refused ?? []) this.refused.set(key, reason)
    if (this.#flights.length === 0) this.state = 'level'
    return this.#fill(now)
  }

  /** Every flight up to `revision` has arrived. */
  #land(revision: number): void {
    while (this.#held !== undefined) {
      const flight = this.#flights[0]
      if (flight === undefined || flight.frame.to > revision) return
      for (const [key, hash] of flight.put) {
        this.#held.move(key, hash)
        this.refused.delete(key)
      }
      for (const key of flight.frame.drop) {
        this.#held.move(key, undefined)
        this.refused.delete(key)
      }
      this.#heldAt = flight.frame.to
      this.#flights.shift()
    }
  }

  #sendAgain(_event: unknown, now: number): DownFrame[] {
    const oldest = this.#flights[0]
    if (oldest === undefined || now - oldest.sentAt < patience) return []
    for (const flight of this.#flights) flight.sentAt = now
    return this.#flights.map(({ frame }) => frame)
  }

  /** Makes changes of the keys that moved until the window is full. */
  #fill(now: number): DownFrame[] {
    const frames: DownFrame[] = []
    while (this.#flights.length < window) {
      const flight = this.#next(now)
      if (flight === undefined) break
      this.#flights.push(flight)
      frames.push(flight.frame)
    }
    if (this.#flights.length > 0) this.state = 'changing'
    return frames
  }

  #next(now: number): Flight | undefined {
    const put = new Map<Key, Hash>()
    const contents: [Key, KubeObject][] = []
    let chars = 0
    for (const key of this.#dirty) {
      const hash = this.#wanted.inventory.get(key)
      if (hash === undefined) continue
      if (chars >= changeChars) break
      this.#dirty.delete(key)
      const content = hash === this.#sent.map.get(key) ? undefined : this.#wanted.content(key)
      if (content === undefined) continue
      chars += JSON.stringify(content).length
      contents.push([key, content])
      put.set(key, hash)
    }
    const drop = chars < changeChars ? this.#takeDrops() : []
    if (contents.length === 0 && drop.length === 0) return undefined
    const base = this.#sent.digest
    for (const [key, hash] of put) this.#sent.move(key, hash)
    for (const key of drop) this.#sent.move(key, undefined)
    const frame: Frame<'changes'> = {
      is: 'changes',
      talk: this.#talk,
      epoch: this.epoch,
      from: this.#sentAt,
      to: ++this.#revision,
      base,
      digest: this.#sent.digest,
      put: contents,
      drop,
      complete: this.#dirty.size === 0,
    }
    this.#sentAt = frame.to
    return { frame, put, sentAt: now }
  }

  #takeDrops(): Key[] {
    const drop: Key[] = []
    for (const key of this.#dirty) {
      if (this.#wanted.inventory.has(key)) continue
      this.#dirty.delete(key)
      if (this.#sent.map.has(key)) drop.push(key)
    }
    return drop
  }
}
