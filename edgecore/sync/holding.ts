import { canonical } from '@kedge/shared/canonical'
import { type Digest, emptyDigest, type Hash, hashOf, RunningDigest } from '@kedge/shared/changes'
import type { Frame } from '@kedge/shared/frames'
import type { Key, KubeObject } from '@kedge/shared/objects'
import type { Objects } from '../store/objects.ts'
import { getMeta, type Store, setMeta } from '../store/store.ts'

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
  #inventory = new Map<Key, Hash>()
  #digest = new RunningDigest(emptyDigest)
  readonly #store: Pick<Store, 'db' | 'commit'>
  readonly #objects: Objects
  readonly #usable: Usable

  constructor(store: Pick<Store, 'db' | 'commit'>, objects: Objects, usable: Usable) {
    this.#store = store
    this.#objects = objects
    this.#usable = usable
    this.reload()
  }

  get digest(): Digest {
    return this.#digest.value
  }

  get inventory(): ReadonlyMap<Key, Hash> {
    return this.#inventory
  }

  /** Takes the state of the table, for instance after a commit failed. */
  reload(): void {
    this.epoch = getMeta(this.#store.db, 'epoch') ?? ''
    this.revision = Number(getMeta(this.#store.db, 'revision') ?? '0')
    this.complete = getMeta(this.#store.db, 'complete') === '1'
    this.#inventory = this.#objects.inventory()
    this.#digest = new RunningDigest(emptyDigest)
    for (const hash of this.#inventory.values()) this.#digest.add(hash)
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
    return this.#store.commit(() => this.#writePlace(epoch, revision))
  }

  /**
   * Applies a change in one transaction. Returns undefined, with nothing changed, when the result would not have the
   * digest that the cloud announced; otherwise resolves, once committed, with the objects that this edge cannot use.
   */
  apply(changes: Frame<'changes'>): Promise<{ key: Key; reason: string }[]> | undefined {
    const staged = this.#stage(changes)
    if (staged.digest !== changes.digest) return undefined
    for (const { key, hash } of staged.put) this.#inventory.set(key, hash)
    for (const key of staged.drop) this.#inventory.delete(key)
    this.#digest = new RunningDigest(staged.digest)
    this.epoch = changes.epoch
    this.revision = changes.to
    this.complete ||= changes.complete
    return this.#store.commit(() => {
      for (const { key, text, hash, refused } of staged.put) this.#objects.put(key, text, hash, refused)
      for (const key of staged.drop) this.#objects.drop(key)
      this.#writePlace(changes.epoch, changes.to)
      return staged.put.flatMap(({ key, refused }) => (refused === null ? [] : [{ key, reason: refused }]))
    })
  }

  #stage({ put, drop }: Frame<'changes'>): Staged {
    const digest = new RunningDigest(this.#digest.value)
    const touched = new Map<Key, Hash | undefined>()
    const before = (key: Key) => (touched.has(key) ? touched.get(key) : this.#inventory.get(key))
    const move = (key: Key, to: Hash | undefined) => {
      const from = before(key)
      if (from !== undefined) digest.remove(from)
      if (to !== undefined) digest.add(to)
      touched.set(key, to)
    }
    const staged = put.map(([key, content]) => {
      const text = canonical(content)
      const hash = hashOf(key, text)
      move(key, hash)
      return { key, text, hash, refused: this.#usable(key, content) ?? null }
    })
    for (const key of drop) move(key, undefined)
    return { put: staged, drop, digest: digest.value }
  }

  #writePlace(epoch: string, revision: number): void {
    setMeta(this.#store.db, 'epoch', epoch)
    setMeta(this.#store.db, 'revision', String(revision))
    if (this.complete) setMeta(this.#store.db, 'complete', '1')
  }
}
