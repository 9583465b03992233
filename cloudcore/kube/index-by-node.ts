import type { Key, KubeObject } from '@kedge/shared/objects'
import { nodeOf } from './trim.ts'

/** Which keys are bound to which node; constant time per change. */
export class IndexByNode {
  readonly #keys = new Map<string, Set<Key>>()

  change(key: Key, before: KubeObject | undefined, after: KubeObject | undefined): void {
    const from = nodeOf(before)
    const to = nodeOf(after)
    if (from === to) return
    if (from !== undefined) this.#remove(from, key)
    if (to !== undefined) this.#add(to, key)
  }

  on(node: string): Iterable<Key> {
    return this.#keys.get(node) ?? []
  }

  #add(node: string, key: Key): void {
    const keys = this.#keys.get(node)
    if (keys === undefined) this.#keys.set(node, new Set([key]))
    else keys.add(key)
  }

  #remove(node: string, key: Key): void {
    const keys = this.#keys.get(node)
    keys?.delete(key)
    if (keys?.size === 0) this.#keys.delete(node)
  }
}
