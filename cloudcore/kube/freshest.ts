import type { KubeObject } from '@kedge/shared/objects'
import type { CatalogChange } from './catalog-entry.ts'

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

  /**
   * The watch has told of a change. A copy older than the one before comes from a server that was put back to
   * an earlier state: what it had answered is no more.
   */
  caughtUp({ key, before, after }: CatalogChange): void {
    if (!this.#answered.has(key)) return
    if (before !== undefined && after !== undefined && isNewer(before, after)) this.#answered.delete(key)
    else this.get(key)
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
