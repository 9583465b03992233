import { type Digest, type Hash, RunningDigest } from '@kedge/shared/changes'
import { maxObjectBytes } from '@kedge/shared/frames'
import { contentOf, type Key, type KubeObject, parseKey } from '@kedge/shared/objects'
import type { Pack } from '@kedge/shared/packs'
import { defaultLimits, type Limits } from './limits.ts'
import { noteSize, packOf, sizeOf } from './packs.ts'
import type { Wanted } from './sending.ts'
import type { ObjectVersion } from './standing.ts'

/** One version of an object, with the hash of what an edge would get of it. */
export interface Version {
  object: KubeObject
  hash: Hash
  /** Characters of what an edge would get of it, where that is known. */
  size?: number
}

/**
 * What one node should hold: the versions last looked at, so that a hash and the content sent for it always belong
 * together, however the catalog moves on meanwhile.
 */
export class WantedSet implements Wanted {
  /** Keys that the node should have, whether the objects exist or not. */
  interest: ReadonlySet<Key> = new Set()
  readonly #hashes = new Map<Key, Hash>()
  readonly #objects = new Map<Key, KubeObject>()
  readonly #digest = new RunningDigest()
  /** The versions that nodes may still hold of what has changed. */
  readonly #before = new Map<Key, { hash: Hash; version: ObjectVersion }>()
  readonly #withheld = new Map<Key, string>()
  readonly #largePack: number

  constructor({ largePack }: Pick<Limits, 'largePack'> = defaultLimits) {
    this.#largePack = largePack
  }

  get inventory(): ReadonlyMap<Key, Hash> {
    return this.#hashes
  }

  get digest(): Digest {
    return this.#digest.value
  }

  content(key: Key): KubeObject | undefined {
    const object = this.#objects.get(key)
    const resource = parseKey(key)?.resource
    return object && resource && contentOf(resource, object)
  }

  size(key: Key): number {
    const object = this.#objects.get(key)
    return object === undefined ? 0 : sizeOf(key, object)
  }

  packed(key: Key): Pack | undefined {
    const object = this.#objects.get(key)
    return object && packOf(key, object, this.#largePack)
  }

  isWithheld(key: Key): boolean {
    return this.#withheld.has(key)
  }

  /** What the node should have and cannot be sent, and why. */
  get withheld(): ReadonlyMap<Key, string> {
    return this.#withheld
  }

  /** The version that the node should have. */
  version(key: Key): ObjectVersion | undefined {
    const object = this.#objects.get(key)
    return object && versionIn(object)
  }

  /** The version that a content of the key is known by: the present one and the one before it are. */
  versionOf(key: Key, hash: Hash): ObjectVersion | undefined {
    if (this.#hashes.get(key) === hash) return this.version(key)
    const before = this.#before.get(key)
    return before?.hash === hash ? before.version : undefined
  }

  /** The node holds what it should: what came before is of no interest any more. */
  settle(key: Key): void {
    this.#before.delete(key)
  }

  /** Takes the newest version of a key, or its absence. Returns whether that changes what the node should hold. */
  set(key: Key, given: Version | undefined): boolean {
    if (given?.size !== undefined) noteSize(given.object, given.size)
    const tooLarge = given !== undefined && sizeOf(key, given.object) > maxObjectBytes
    if (tooLarge) this.#withheld.set(key, `it is larger than the ${maxObjectBytes / 1024 / 1024} MiB that a node takes`)
    else this.#withheld.delete(key)
    return this.#take(key, tooLarge ? undefined : given)
  }

  #take(key: Key, version: Version | undefined): boolean {
    const before = this.#hashes.get(key)
    const object = this.#objects.get(key)
    if (before !== undefined && object !== undefined && before !== version?.hash && !this.#before.has(key)) {
      this.#before.set(key, { hash: before, version: versionIn(object) })
    }
    if (version !== undefined) this.#objects.set(key, version.object)
    else {
      this.#objects.delete(key)
      this.#before.delete(key)
    }
    if (before === version?.hash) return false
    if (before !== undefined) this.#digest.remove(before)
    if (version === undefined) this.#hashes.delete(key)
    else {
      this.#digest.add(version.hash)
      this.#hashes.set(key, version.hash)
    }
    return true
  }
}

function versionIn({ metadata }: KubeObject): ObjectVersion {
  return { resourceVersion: metadata.resourceVersion, generation: metadata.generation }
}
