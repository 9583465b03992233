import { type Change, Entry, type ListRequest, type ObjectKey, type Transaction } from '@kedge/shared/kubeapi/storage'
import type { KubeObject } from '@kedge/shared/objects'
import type { Statements } from './statements.ts'

/** One write's view of the log; what it did is known by `changes`. */
export class LogTransaction implements Transaction {
  readonly changes: Change[] = []
  readonly #sql: Statements
  #revision: number

  constructor(sql: Statements, revision: number) {
    this.#sql = sql
    this.#revision = revision
  }

  get revision(): number {
    return this.#revision
  }

  get(key: ObjectKey): Entry | undefined {
    return this.#sql.get(key)
  }

  list(request: ListRequest): Entry[] {
    return this.#sql.list(request)
  }

  put(key: ObjectKey, object: KubeObject): Entry {
    const previous = this.#sql.get(key)
    const entry = this.#entry(key, object)
    this.#sql.append(entry, { deleted: false, prev: previous?.rv ?? null })
    this.changes.push(previous === undefined ? { type: 'ADDED', entry } : { type: 'MODIFIED', entry, previous })
    return entry
  }

  remove(key: ObjectKey): Entry | undefined {
    const previous = this.#sql.get(key)
    if (previous === undefined) return undefined
    const entry = this.#entry(key, previous.object)
    this.#sql.append(entry, { deleted: true, prev: previous.rv })
    this.changes.push({ type: 'DELETED', entry, previous })
    return entry
  }

  /** The object at the next resourceVersion. */
  #entry(key: ObjectKey, object: KubeObject): Entry {
    this.#revision += 1
    const { apiVersion, kind, metadata, ...rest } = object
    const text = JSON.stringify({
      apiVersion,
      kind,
      metadata: { ...metadata, resourceVersion: String(this.#revision) },
      ...rest,
    })
    return new Entry(key, this.#revision, text)
  }
}
