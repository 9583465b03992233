import type { ApiKind } from './kinds.ts'
import { expired } from './status.ts'
import type { Change, Storage } from './storage.ts'
import { pageBytes, type Sink, Watcher, type WatchRequest } from './watcher.ts'
import { definitionResource } from './write.ts'

/**
 * Tells watchers of committed changes. Invariants:
 * - A watcher sees every selected change after its start exactly once, in the order of resourceVersions.
 * - No watcher waits for another: what one does not take piles up to `maxPendingBytes`, then it is cut.
 */
export class WatchHub {
  readonly #storage: Storage
  readonly #now: () => number
  readonly #live = new Map<string, Set<Watcher>>()
  readonly #all = new Set<Watcher>()
  readonly #unsubscribe: () => void

  /** `now` gives milliseconds since the epoch. */
  constructor(storage: Storage, now: () => number) {
    this.#storage = storage
    this.#now = now
    this.#unsubscribe = storage.subscribe((changes) => this.#tell(changes))
  }

  /** Number of watches that are open. */
  get size(): number {
    return this.#all.size
  }

  /**
   * Starts a watch; it ends with its sink. `onCut` hears why the server ended it early. One whose kind was redefined since
   * its request was routed ends at once: its client comes back to what the definition says now.
   */
  async open(request: WatchRequest, sink: Sink, onCut: (why: string) => void): Promise<() => void> {
    const watcher = new Watcher(request, sink, this.#now, onCut)
    const close = () => this.#forget(watcher)
    if (!this.#isCurrent(request.kind)) {
      sink.end()
      return close
    }
    this.#all.add(watcher)
    try {
      const from = request.from ?? (await watcher.sendAll(this.#storage))
      if (from !== undefined) await this.#catchUp(watcher, from)
    } catch (error) {
      close()
      throw error
    }
    return close
  }

  #isCurrent({ definition, storage }: ApiKind): boolean {
    if (definition === undefined || Number.isNaN(definition.rv)) return true
    return this.#storage.get({ resource: definitionResource, namespace: '', name: storage })?.rv === definition.rv
  }

  /** The last part is one turn: nothing can be committed between the last page and joining the live ones. */
  async #catchUp(watcher: Watcher, from: number): Promise<void> {
    const { kind, namespace } = watcher.request
    const scope = { resource: kind.storage, ...(namespace === '' ? {} : { namespace }) }
    for (let after = from; !watcher.sink.closed; ) {
      if (after < this.#storage.oldest || after > this.#storage.revision) {
        return watcher.fail(expired(`too old resource version: ${after} (${this.#storage.oldest})`))
      }
      const changes = this.#storage.changes({ ...scope, after, maxBytes: pageBytes })
      if (changes.length === 0) return this.#join(watcher)
      for (const change of changes) watcher.offer(change)
      after = changes.at(-1)?.entry.rv ?? after
      await watcher.sink.drained()
    }
  }

  #join(watcher: Watcher): void {
    if (!this.#all.has(watcher)) return
    const { storage } = watcher.request.kind
    const watchers = this.#live.get(storage) ?? new Set()
    this.#live.set(storage, watchers.add(watcher))
  }

  #forget(watcher: Watcher): void {
    const { storage } = watcher.request.kind
    this.#all.delete(watcher)
    const watchers = this.#live.get(storage)
    watchers?.delete(watcher)
    if (watchers?.size === 0) this.#live.delete(storage)
  }

  #tell(changes: readonly Change[]): void {
    for (const change of changes) {
      for (const watcher of this.#live.get(change.entry.resource) ?? []) watcher.offer(change)
      if (redefines(change)) this.#endOf(change.entry.name)
    }
  }

  /** Ends the watches of a kind, those that are still catching up among them. */
  #endOf(storage: string): void {
    for (const watcher of this.#all) if (watcher.request.kind.storage === storage) watcher.sink.end()
  }

  /** Tells watchers that asked for bookmarks how far they are. */
  bookmark(): void {
    for (const watchers of this.#live.values()) for (const watcher of watchers) watcher.bookmark(this.#storage.revision)
  }

  /** Ends every watch. */
  close(): void {
    this.#unsubscribe()
    for (const watcher of [...this.#all]) {
      watcher.sink.end()
      this.#forget(watcher)
    }
  }
}

/** A definition that goes or changes ends the watches of its kind: their clients come back to what it says now. */
function redefines({ type, entry, previous }: Change): boolean {
  if (entry.resource !== definitionResource || type === 'ADDED') return false
  return type === 'DELETED' || entry.object.metadata.generation !== previous?.object.metadata.generation
}
