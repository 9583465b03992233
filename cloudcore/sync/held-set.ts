import { type Digest, type Hash, type Inventory, RunningDigest } from '@kedge/shared/changes'
import type { Key } from '@kedge/shared/objects'

/** A set of keys and hashes with its digest kept up to date. */
export class HeldSet {
  readonly map: Map<Key, Hash>
  readonly #digest: RunningDigest

  constructor(from: Inventory, digest: Digest) {
    this.map = new Map(from)
    this.#digest = new RunningDigest(digest)
  }

  get digest(): Digest {
    return this.#digest.value
  }

  move(key: Key, to: Hash | undefined): void {
    const from = this.map.get(key)
    if (from !== undefined) this.#digest.remove(from)
    if (to === undefined) this.map.delete(key)
    else {
      this.#digest.add(to)
      this.map.set(key, to)
    }
  }
}
