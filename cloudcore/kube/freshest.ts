import type { KubeObject } from '@kedge/shared/objects'

/**
 * The newest copy known of each object: what a write was answered with, until the watch has caught up with it. Without
 * it a report that takes a value back right after a write would look equal to the old copy, and be lost.
 */
export class Freshest {
  readonly #lookup: (key: string) => KubeObject | undefined
  readonly #answered = new Map<string, KubeObject>()

  /** `lookup` finds the copy that the watch has told. */
  constructor(lookup: (key: string) => KubeObject | undefined) {
    this.#lookup = lookup
  }

  get(key: string): KubeObject | undefined {
    const watched = this.#lookup(key)
    const answered = this.#answered.get(key)
    if (answered === undefined) return watched
    if (watched !== undefined && isNewer(answered, watched)) return answered
    this.#answered.delete(key)
    return watched
  }

  /** Remembers what the server answered to a write or a get. */
  remember(key: string, object: KubeObject): void {
    const watched = this.#lookup(key)
    if (watched !== undefined && isNewer(object, watched)) this.#answered.set(key, object)
  }

  /** The watch has told something about `key`. */
  caughtUp(key: string): void {
    if (this.#answered.has(key)) this.get(key)
  }
}

/** Of two copies of one object. Kubernetes' versions are decimal numbers that grow with every write. */
function isNewer(a: KubeObject, b: KubeObject): boolean {
  if (a.metadata.uid !== b.metadata.uid) return false
  return versionOf(a) > versionOf(b)
}

function versionOf({ metadata }: KubeObject): bigint {
  const version = metadata.resourceVersion ?? ''
  return /^\d+$/.test(version) ? BigInt(version) : -1n
}
