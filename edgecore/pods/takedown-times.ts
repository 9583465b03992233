import { dropMeta, getMeta, setMeta } from '../store/meta.ts'
import type { Store } from '../store/store.ts'

/**
 * When pods began to go down, by their sandboxes, in ms since the epoch: kept on disk, so that who is killed meanwhile
 * goes on with the grace that is left.
 *
 * A store that takes no write keeps nobody from ending: then the grace begins anew.
 */
export class TakedownTimes {
  readonly #store: Pick<Store, 'db' | 'commit'>

  constructor(store: Pick<Store, 'db' | 'commit'>) {
    this.#store = store
  }

  get(sandbox: string): number | undefined {
    const kept = getMeta(this.#store.db, nameOf(sandbox))
    return kept === undefined ? undefined : Number(kept)
  }

  async keep(sandbox: string, since: number): Promise<void> {
    await this.#store.commit(() => setMeta(this.#store.db, nameOf(sandbox), String(since))).catch(() => {})
  }

  async drop(sandbox: string): Promise<void> {
    await this.#store.commit(() => dropMeta(this.#store.db, nameOf(sandbox))).catch(() => {})
  }
}

function nameOf(sandbox: string): string {
  return `takedown/${sandbox}`
}
