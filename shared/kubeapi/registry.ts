import { kindsOf } from './crd.ts'
import type { ApiKind } from './kinds.ts'
import type { Change, Storage } from './storage.ts'
import { definitionResource } from './write.ts'

/**
 * The kinds that are served now: the built-in ones and those of the stored CustomResourceDefinitions. It follows the
 * storage, so that a definition is served before its writer has the answer.
 */
export class Registry {
  readonly #builtIns: readonly ApiKind[]
  readonly #custom = new Map<string, ApiKind[]>()
  #byPath = new Map<string, ApiKind>()
  #kinds: readonly ApiKind[] = []

  constructor(builtIns: readonly ApiKind[], storage: Storage) {
    this.#builtIns = builtIns
    for (const { name, object } of storage.list({ resource: definitionResource })) {
      this.#custom.set(name, kindsOf(object))
    }
    this.#index()
    storage.subscribe((changes) => this.#follow(changes))
  }

  /** All kinds, one per served version. A new array whenever something changed. */
  get kinds(): readonly ApiKind[] {
    return this.#kinds
  }

  find(group: string, version: string, plural: string): ApiKind | undefined {
    return this.#byPath.get(`${group}/${version}/${plural}`)
  }

  #follow(changes: readonly Change[]): void {
    const definitions = changes.filter(({ entry }) => entry.resource === definitionResource)
    for (const { type, entry } of definitions) {
      if (type === 'DELETED') this.#custom.delete(entry.name)
      else this.#custom.set(entry.name, kindsOf(entry.object))
    }
    if (definitions.length > 0) this.#index()
  }

  #index(): void {
    this.#kinds = [...this.#builtIns, ...[...this.#custom.values()].flat()]
    this.#byPath = new Map()
    // A built-in kind comes first and is never hidden by a definition of the same name.
    for (const kind of this.#kinds) {
      const path = `${kind.group}/${kind.version}/${kind.plural}`
      if (!this.#byPath.has(path)) this.#byPath.set(path, kind)
    }
  }
}
