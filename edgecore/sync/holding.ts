import { canonical } from '@kedge/shared/canonical'
import { type Digest, emptyDigest, type Hash, hashOf, RunningDigest } from '@kedge/shared/changes'
import type { Frame } from '@kedge/shared/frames'
import type { Key, KubeObject } from '@kedge/shared/objects'
import type { Objects } from '../store/objects.ts'
import { PieceTable } from '../store/pieces.ts'
import { getMeta, type Store, setMeta } from '../store/store.ts'
import { Pieces } from './pieces.ts'

/** A change, checked and ready to be written. */
interface Staged {
  put: { key: Key; text: string; hash: Hash; refused: string | null }[]
  drop: Key[]
  digest: Digest
}

/** Why this edge cannot use an object, or undefined when it can. */
export type Usable = (key: Key, content: KubeObject) => string | undefined

/**
 * The set of objects that this edge holds: the table, its inventory in memory and its place in the cloud's revisions.
 *
 * Invariants:
 * - Memory runs ahead of the table by what is queued for commit, never behind it; a failed commit reloads memory.
 * - Epoch, revision and objects change in one transaction.
 * - An object that this edge cannot use is held all the same, marked with the reason: it blocks nothing else.
 */
export class Holding {
  epoch = ''
  revision = 0
  /**
   * Whether this database has ever held all that it should: until then, what is missing proves nothing, and no pod is
   * stopped for not being there.
   */
  complete = false
  /** What has arrived of large objects. */
  readonly pieces: Pieces
  #inventory = new Map<Key, Hash>()
  #digest = new RunningDigest(emptyDigest)
  readonly #store: Pick<Store, 'db' | 'commit'>
  readonly #objects: Objects
  readonly #usable: Usable

  constructor(store: Pick<Store, 'db' | 'commit'>, objects: Objects, usable: Usable) {
    this.#store = store
    this.#objects = objects
    this.#usable = usable
    this.pieces = new Pieces(store, new PieceTable(store.db))
    this.reload()
  }

  get digest(): Digest {
    return this.#digest.value
  }

  get inventory(): ReadonlyMap<Key, Hash> {
    return this.#inventory
  }

  /** What is held, committed, and cannot be used, with the reason. */
  get refused(): { key: Key; reason: string }[] {
    return this.#objects.refused()
  }

  /** Takes the state of the table, for instance after a commit failed. */
  reload(): void {
    this.epoch = getMeta(this.#store.db, 'epoch') ?? ''
    this.revision = Number(getMeta(this.#store.db, 'revision') ?? '0')
    this.complete = getMeta(this.#store.db, 'complete') === '1'
    this.#inventory = this.#objects.inventory()
    this.#digest = new RunningDigest(emptyDigest)
    for (const hash of this.#inventory.values()) this.#digest.add(hash)
    this.pieces.reload()
  }

  /** Resolves once all that memory holds is committed; right after, the two are the same. */
  settled(): Promise<void> {
    return this.#store.commit(() => undefined)
  }

  /** Takes over the cloud's name for what is held already. */
  adopt(epoch: string, revision: number): Promise<void> {
    this.epoch = epoch
    this.revision = revision
    this.complete = true
    const forget = this.pieces.forget([], true)
    return this.#store.commit(() => {
      this.#writePlace(epoch, revision)
      forget()
    })
  }

  /**
   * Applies a change in one transaction. Returns undefined, with nothing changed, when the result would not have the
   * digest that the cloud announced, or pieces of it are not here; otherwise resolves, once committed, with the objects
   * of the change that this edge cannot use.
   */
  apply(changes: Frame<'changes'>): Promise<{ key: Key; reason: string }[]> | undefined {
    const staged = this.#stage(changes)
    if (staged === undefined || staged.digest !== changes.digest) return undefined
    for (const { key, hash } of staged.put) this.#inventory.set(key, hash)
    for (const key of staged.drop) this.#inventory.delete(key)
    this.#digest = new RunningDigest(staged.digest)
    this.epoch = changes.epoch
    this.revision = changes.to
    this.complete ||= changes.complete
    const packs = (changes.take ?? []).map(([, pack]) => pack)
    const forget = this.pieces.forget(packs, changes.complete)
    return this.#store.commit(() => {
      for (const { key, text, hash, refused } of staged.put) this.#objects.put(key, text, hash, refused)
      for (const key of staged.drop) this.#objects.drop(key)
      this.#writePlace(changes.epoch, changes.to)
      forget()
      return staged.put.flatMap(({ key, refused }) => (refused === null ? [] : [{ key, reason: refused }]))
    })
  }

  #stage({ put, drop, take = [] }: Frame<'changes'>): Staged | undefined {
    const taken = take.map(([key, pack]) => ({ key, pack, object: objectIn(this.pieces.text(pack)) }))
    const lacking = taken.filter(({ object }) => object === undefined)
    if (lacking.length > 0) {
      this.pieces.spoil(lacking.map(({ pack }) => pack))
      return undefined
    }
    const digest = new RunningDigest(this.#digest.value)
    const touched = new Map<Key, Hash | undefined>()
    const before = (key: Key) => (touched.has(key) ? touched.get(key) : this.#inventory.get(key))
    const move = (key: Key, to: Hash | undefined) => {
      const from = before(key)
      if (from !== undefined) digest.remove(from)
      if (to !== undefined) digest.add(to)
      touched.set(key, to)
    }
    const stage = (key: Key, text: string, content: KubeObject) => {
      const hash = hashOf(key, text)
      move(key, hash)
      return { key, text, hash, refused: this.#usable(key, content) ?? null }
    }
    const staged = put.map(([key, content]) => stage(key, canonical(content), content))
    for (const { key, object } of taken) if (object !== undefined) staged.push(stage(key, object.text, object.content))
    for (const key of drop) move(key, undefined)
    return { put: staged, drop, digest: digest.value }
  }

  #writePlace(epoch: string, revision: number): void {
    setMeta(this.#store.db, 'epoch', epoch)
    setMeta(this.#store.db, 'revision', String(revision))
    if (this.complete) setMeta(this.#store.db, 'complete', '1')
  }
}

/** The object that a text says; undefined when it says none. */
function objectIn(text: string | undefined): { text: string; content: KubeObject } | undefined {
  if (text === undefined) return undefined
  try {
    const content: unknown = JSON.parse(text)
    return isObject(content) ? { text, content } : undefined
  } catch {
    return undefined
  }
}

function isObject(value: unknown): value is KubeObject {
  if (typeof value !== 'object' || value === null || !('metadata' in value)) return false
  return typeof value.metadata === 'object' && value.metadata !== null
}
