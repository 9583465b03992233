import { StorageError } from '../store/faults.ts'
import type { Store } from '../store/store.ts'
import type { PodName } from './runtime.ts'
import { type ContainerRow, Row } from './simulated-life.ts'

/**
 * The table of the simulated engine, with a copy in memory.
 *
 * Invariants:
 * - The copy holds what is on disk, so it changes after the commit and not before.
 * - While the disk takes no write the copy goes on alone, as the containers of a real engine do; what it is ahead by is
 *   written with the next change that the disk takes.
 */
export class Rows {
  readonly #store: Store
  readonly #insert
  readonly #update
  readonly #delete
  readonly #rows = new Map<string, Row>()
  readonly #byPod = new Map<string, Map<string, Row>>()
  /** Ids of rows that the disk did not take. */
  readonly #behind = new Set<string>()

  constructor(store: Store) {
    this.#store = store
    this.#insert = store.db.prepare(
      'INSERT OR REPLACE INTO simulated_containers (id, pod, uid, container, state) VALUES (?, ?, ?, ?, ?)',
    )
    this.#update = store.db.prepare('UPDATE simulated_containers SET state = ? WHERE id = ?')
    this.#delete = store.db.prepare('DELETE FROM simulated_containers WHERE id = ?')
    const all = store.db.prepare<[], { state: string }>('SELECT state FROM simulated_containers').all()
    for (const { state } of all) this.#keep(Row.parse(JSON.parse(state)))
  }

  all(): Row[] {
    return [...this.#rows.values()]
  }

  of(pod: PodName): Row[] {
    return [...(this.#byPod.get(podOf(pod))?.values() ?? [])]
  }

  get(id: string): Row | undefined {
    return this.#rows.get(id)
  }

  inSandbox(sandbox: string): ContainerRow[] {
    const pod = this.#rows.get(sandbox)?.pod
    const rows = pod === undefined ? [] : this.of(pod)
    return rows.filter((row): row is ContainerRow => row.is === 'container' && row.sandbox === sandbox)
  }

  async put(rows: readonly Row[]): Promise<void> {
    if (rows.length === 0) return
    await this.#commit(rows, () => {
      for (const row of rows) this.#write(row)
    })
    for (const row of rows) this.#keep(row)
  }

  /** Takes note that containers have ended, unless they are gone by then. */
  async end(rows: readonly ContainerRow[]): Promise<void> {
    if (rows.length === 0) return
    const ended = rows.map((row) => ({ ...row, ended: true }))
    await this.#commit(ended, () => {
      for (const row of ended) this.#update.run(JSON.stringify(row), row.id)
    })
    for (const row of ended) if (this.#rows.has(row.id)) this.#keep(row)
  }

  async drop(ids: readonly string[]): Promise<void> {
    const rows = ids.flatMap((id) => this.#rows.get(id) ?? [])
    if (rows.length === 0) return
    await this.#commit(rows, () => {
      for (const { id } of rows) this.#delete.run(id)
    })
    for (const row of rows) this.#forget(row)
  }

  async #commit(rows: readonly Row[], write: () => void): Promise<void> {
    const behind = [...this.#behind]
    try {
      await this.#store.commit(() => {
        for (const id of behind) this.#catchUp(id)
        write()
      })
      for (const id of behind) this.#behind.delete(id)
    } catch (error) {
      if (!(error instanceof StorageError)) throw error
      for (const { id } of rows) this.#behind.add(id)
    }
  }

  #catchUp(id: string): void {
    const row = this.#rows.get(id)
    if (row === undefined) this.#delete.run(id)
    else this.#write(row)
  }

  #write(row: Row): void {
    const container = row.is === 'container' ? row.name : ''
    this.#insert.run(row.id, podOf(row.pod), row.pod.uid, container, JSON.stringify(row))
  }

  #keep(row: Row): void {
    this.#rows.set(row.id, row)
    const pod = podOf(row.pod)
    const rows = this.#byPod.get(pod)
    if (rows === undefined) this.#byPod.set(pod, new Map([[row.id, row]]))
    else rows.set(row.id, row)
  }

  #forget(row: Row): void {
    this.#rows.delete(row.id)
    const pod = podOf(row.pod)
    const rows = this.#byPod.get(pod)
    rows?.delete(row.id)
    if (rows?.size === 0) this.#byPod.delete(pod)
  }
}

function podOf({ namespace, name }: PodName): string {
  return `${namespace}/${name}`
}
