import { type Hash, hashOf } from '@kedge/shared/changes'
import { contentText, type Key, type KubeObject, type Resource } from '@kedge/shared/objects'

export interface CatalogEntry {
  readonly key: Key
  readonly object: KubeObject
  /** Of the content that an edge would hold; computed when first asked for. */
  readonly hash: Hash
  /** Characters of that content. */
  readonly size: number
}

/** `before` and `after` are the object as kept; one of them is missing when it came or went. */
export interface CatalogChange {
  key: Key
  before?: KubeObject
  after?: KubeObject
}

export interface NodeChange {
  name: string
  before?: KubeObject
  after?: KubeObject
}

/** An object as it is kept. */
export class Entry implements CatalogEntry {
  readonly key: Key
  readonly object: KubeObject
  readonly #resource: Resource
  #read: { hash: Hash; size: number } | undefined

  constructor(resource: Resource, key: Key, object: KubeObject) {
    this.#resource = resource
    this.key = key
    this.object = object
  }

  get hash(): Hash {
    return this.#measured.hash
  }

  get size(): number {
    return this.#measured.size
  }

  get #measured(): { hash: Hash; size: number } {
    if (this.#read === undefined) {
      const text = contentText(this.#resource, this.object)
      this.#read = { hash: hashOf(this.key, text), size: text.length }
    }
    return this.#read
  }
}

/** Also true of nothing and nothing. A list after an outage repeats most of what is known. */
export function sameVersion(before: KubeObject | undefined, after: KubeObject | undefined): boolean {
  if (before === undefined || after === undefined) return before === after
  const version = after.metadata.resourceVersion
  return (
    version !== undefined && version === before.metadata.resourceVersion && before.metadata.uid === after.metadata.uid
  )
}
