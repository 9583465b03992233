import { diff, emptyDigest, type Hash, type Inventory } from '@kedge/shared/changes'
import type { DownFrame, Frame } from '@kedge/shared/frames'
import type { Key, KubeObject } from '@kedge/shared/objects'
import type { Pack } from '@kedge/shared/packs'
import { HeldSet } from './held-set.ts'
import type { Limits } from './limits.ts'
import { Pace } from './pace.ts'
import { Uploads } from './uploads.ts'

/** What the node should hold, read at the moment of use: keys travel, objects are read. */
export interface Wanted {
  readonly inventory: Inventory
  readonly digest: string
  content(key: Key): KubeObject | undefined
  /** Characters of the content, about. */
  size(key: Key): number
  /** The content, packed, when it is so large that it travels in pieces. */
  packed(key: Key): Pack | undefined
  /** What the node should have and cannot be sent: what it holds of that stays as it is. */
  isWithheld(key: Key): boolean
}

export interface Flight {
  frame: Frame<'changes'>
  /** What the edge holds of these keys once the change has been applied. */
  put: Map<Key, Hash>
  bytes: number
  sentAt: number
}

/** Where a conversation begins: the edge holds `held`, which is called `at`. */
export interface Beginning {
  talk: string
  /** The version that both ends speak. */
  protocol: number
  held: HeldSet
  at: number
  partial?: Frame<'have'>['partial']
}

/** Changes that may be on their way at once. */
const window = 8
/** Characters of content that one change carries at most, unless a single object is larger. */
const changeBytes = 64 * 1024
/** What a key costs in a change, about. */
const keyBytes = 64

/**
 * What is on its way to one edge, and what is to go next.
 *
 * Invariants:
 * - `sent` is what the edge will hold once every flight has landed.
 * - Every change is made for exactly the set that precedes it (`base`), and says what it results in (`digest`).
 * - A revision names one set for the whole epoch, and grows with every change.
 * - Additions travel before removals, so that a node never loses a thing that its replacement is still missing; for
 *   those that are so large that they come in pieces, nothing waits.
 */
export class Sending {
  readonly #epoch: string
  readonly #wanted: Wanted
  readonly #pace = new Pace()
  readonly #uploads: Uploads
  #talk = ''
  #protocol = 1
  #revision = 0
  #sent = new HeldSet(new Map(), emptyDigest)
  #sentAt = 0
  #flights: Flight[] = []
  /** Keys that may differ between `sent` and wanted. */
  readonly #dirty = new Set<Key>()

  constructor({ epoch, wanted, limits }: { epoch: string; wanted: Wanted; limits: Limits }) {
    this.#epoch = epoch
    this.#wanted = wanted
    this.#uploads = new Uploads(limits)
  }

  /** Nothing is on its way, nothing is to be sent. */
  get isIdle(): boolean {
    return this.#flights.length === 0 && this.#dirty.size === 0
  }

  newRevision(): number {
    return ++this.#revision
  }

  isOnWay(revision: number): boolean {
    return this.#flights.some(({ frame }) => frame.to === revision)
  }

  note(keys: Iterable<Key>): void {
    for (const key of keys) this.#dirty.add(key)
  }

  /** Gives up what is on its way: it belongs to a conversation that is over. */
  stop(): void {
    this.#flights = []
  }

  /** Compares what the edge holds with what it should hold; the keys that differ are to be sent. */
  begin({ talk, protocol, held, at, partial }: Beginning): void {
    this.#talk = talk
    this.#protocol = protocol
    this.#sent = new HeldSet(held.map, held.digest)
    this.#sentAt = at
    this.#flights = []
    this.#uploads.begin(partial)
    this.#dirty.clear()
    const { put, drop } = diff(held.map, this.#wanted.inventory)
    this.note([...put, ...drop.filter((key) => !this.#wanted.isWithheld(key))])
  }

  /** The first change of a conversation, which may be empty: with it the edge knows that it was answered. */
  open(now: number): DownFrame[] {
    const first = this.#next(now, true)
    return [...(first === undefined ? [] : [first]), ...this.fill(now)]
  }

  /** As much of what is to be sent as the window has room for. */
  fill(now: number): DownFrame[] {
    const frames: DownFrame[] = []
    while (this.#flights.length < window) {
      const frame = this.#next(now)
      if (frame === undefined) break
      frames.push(frame)
    }
    if (this.#protocol < 2) return frames
    const sending = { talk: this.#talk, pace: this.#pace, onWay: this.#onWay, now }
    return [...frames, ...this.#uploads.next(this.#nextPack(), sending)]
  }

  /** Every flight up to `revision` has arrived; returns them. */
  land(revision: number, now: number): Flight[] {
    const count = this.#flights.findIndex(({ frame }) => frame.to > revision)
    const landed = this.#flights.splice(0, count === -1 ? this.#flights.length : count)
    for (const { frame } of landed) for (const [, pack] of frame.take ?? []) this.#uploads.forget(pack)
    const newest = landed.at(-1)
    if (newest !== undefined) this.#pace.confirmed(now - newest.sentAt)
    return landed
  }

  kept(frame: Frame<'kept'>, now: number): void {
    const took = this.#uploads.kept(frame, now)
    if (took !== undefined) this.#pace.confirmed(took)
  }

  /** What is on its way has been lost: it goes again. */
  again(now: number): DownFrame[] {
    this.#pace.lost()
    for (const flight of this.#flights) flight.sentAt = now
    this.#uploads.again()
    return [...this.#flights.map(({ frame }) => frame), ...this.fill(now)]
  }

  get #onWay(): number {
    return this.#flights.reduce((sum, { bytes }) => sum + bytes, 0)
  }

  #next(now: number, evenEmpty = false): Frame<'changes'> | undefined {
    const { put, contents, take, drop, bytes } = this.#portion()
    if (!evenEmpty && put.size === 0 && drop.length === 0) return undefined
    const base = this.#sent.digest
    for (const [key, hash] of put) this.#sent.move(key, hash)
    for (const key of drop) this.#sent.move(key, undefined)
    const frame: Frame<'changes'> = {
      is: 'changes',
      talk: this.#talk,
      epoch: this.#epoch,
      from: this.#sentAt,
      to: this.newRevision(),
      base,
      digest: this.#sent.digest,
      put: contents,
      drop,
      ...(take.length > 0 ? { take } : {}),
      complete: this.#dirty.size === 0,
    }
    this.#sentAt = frame.to
    this.#flights.push({ frame, put, bytes, sentAt: now })
    return frame
  }

  /** Takes from the dirty keys what fits into one change. */
  #portion() {
    const put = new Map<Key, Hash>()
    const contents: [Key, KubeObject][] = []
    const take: [Key, Hash][] = []
    const onWay = this.#onWay
    const room = Math.min(changeBytes, this.#pace.budget - onWay)
    let bytes = 0
    const fits = (more: number) => bytes + more <= room || (bytes === 0 && onWay === 0)
    for (const key of this.#dirty) {
      const hash = this.#wanted.inventory.get(key)
      if (hash === undefined) continue
      if (hash === this.#sent.map.get(key)) {
        this.#dirty.delete(key)
        continue
      }
      const pack = this.#packOf(key)
      if (pack !== undefined && !this.#uploads.isKept(pack)) continue
      const size = keyBytes + (pack === undefined ? this.#wanted.size(key) : 0)
      if (!fits(size)) return { put, contents, take, drop: [], bytes }
      this.#dirty.delete(key)
      const content = pack === undefined ? this.#wanted.content(key) : undefined
      if (pack !== undefined) take.push([key, pack.hash])
      else if (content !== undefined) contents.push([key, content])
      put.set(key, hash)
      bytes += size
    }
    const drop: Key[] = []
    for (const key of this.#dirty) {
      if (this.#wanted.inventory.has(key)) continue
      if (!fits(keyBytes)) break
      this.#dirty.delete(key)
      if (!this.#sent.map.has(key) || this.#wanted.isWithheld(key)) continue
      drop.push(key)
      bytes += keyBytes
    }
    return { put, contents, take, drop, bytes }
  }

  #packOf(key: Key): Pack | undefined {
    return this.#protocol < 2 ? undefined : this.#wanted.packed(key)
  }

  /** The large object whose pieces are sent now. */
  #nextPack(): Pack | undefined {
    for (const key of this.#dirty) {
      const hash = this.#wanted.inventory.get(key)
      if (hash === undefined || hash === this.#sent.map.get(key)) continue
      const pack = this.#wanted.packed(key)
      if (pack !== undefined && !this.#uploads.isKept(pack)) return pack
    }
    return undefined
  }
}
