import { type Digest, type Hash, RunningDigest } from '@kedge/shared/changes'
import { contentOf, type Key, type KubeObject, parseKey } from '@kedge/shared/objects'
import type { Wanted } from './session.ts'

/** One version of an object, with the hash of what an edge would get of it. */
export interface Version {
  object: KubeObject
  hash: Hash
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

  /** Takes the newest version of a key, or its absence. Returns whether that changes what the node should hold. */
  set(key: Key, version: Version | undefined): boolean {
    const before = this.#hashes.get(key)
    if (version !== undefined) this.#objects.set(key, version.object)
    else this.#objects.delete(key)
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
