import type { KubeObject } from '../objects.ts'

/** Names one object over all its versions. */
export interface ObjectKey {
  /** Plural name, with the group unless that is the core group: `pods`, `leases.coordination.k8s.io`. */
  resource: string
  /** Empty for what lies in no namespace. */
  namespace: string
  name: string
}

/** One stored state of an object. Neither its text nor what is parsed from it may be changed. */
export class Entry implements ObjectKey {
  readonly resource: string
  readonly namespace: string
  readonly name: string
  /** The resourceVersion of this state. */
  readonly rv: number
  /** JSON, beginning with `{"apiVersion":"…","kind":"…",`. */
  readonly text: string
  #object: KubeObject | undefined

  constructor({ resource, namespace, name }: ObjectKey, rv: number, text: string) {
    this.resource = resource
    this.namespace = namespace
    this.name = name
    this.rv = rv
    this.text = text
  }

  get object(): KubeObject {
    this.#object ??= JSON.parse(this.text) as KubeObject
    return this.#object
  }
}

export interface Change {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  /** The state after the change; of a deletion, the last state with the resourceVersion of the deletion. */
  entry: Entry
  /** The state before the change. */
  previous?: Entry
}

export interface ListRequest {
  resource: string
  /** All namespaces when missing. */
  namespace?: string
  /** The state as of this resourceVersion; the newest when missing. */
  at?: number
  /** Only what comes after this place. */
  after?: { namespace: string; name: string }
  limit?: number
  /** Stops after the entry with which the texts reach this many bytes: fewer than there are, but not none. */
  maxBytes?: number
}

export interface ChangesRequest {
  resource: string
  /** All namespaces when missing. */
  namespace?: string
  /** A resourceVersion. */
  after: number
  /** As in a list. */
  maxBytes: number
}

/** What a write sees and does; valid only inside `commit`. */
export interface Transaction {
  get(key: ObjectKey): Entry | undefined
  list(request: ListRequest): Entry[]
  /** Stores the object with a resourceVersion of its own. */
  put(key: ObjectKey, object: KubeObject): Entry
  /** The last state, with the resourceVersion of the removal; undefined when there was none. */
  remove(key: ObjectKey): Entry | undefined
}

/**
 * Where objects live. All that `shared/kubeapi` asks of it:
 * - Reads see committed states only, and are in order of namespace and name.
 * - resourceVersions are one total order over all writes; nothing becomes visible below `revision`.
 * - `commit` runs writes one after the other, each seeing the ones before; what throws leaves nothing behind. It
 *   resolves after the write is on disk, and after every subscriber was told.
 */
export interface Storage {
  /** The resourceVersion of the last committed write. */
  readonly revision: number
  /** Changes after this resourceVersion can still be told; older ones are compacted away. */
  readonly oldest: number
  get(key: ObjectKey): Entry | undefined
  list(request: ListRequest): Entry[]
  count(request: ListRequest): number
  /** The first changes after a resourceVersion, oldest first; none when there are no more. */
  changes(request: ChangesRequest): Change[]
  commit<T>(write: (tx: Transaction) => T): Promise<T>
  /** Tells of every change, in order, in the turn in which it was committed. Returns what ends it. */
  subscribe(listener: (changes: readonly Change[]) => void): () => void
}
