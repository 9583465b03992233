import type { CaStore, Kept } from '@kedge/cloudcore/identity/ca-store'

/** Keeps the authority in memory. */
export class MemoryCaStore implements CaStore {
  kept: Kept | undefined

  async read(): Promise<Kept | undefined> {
    return this.kept
  }

  async write(state: Kept['state'], version: string | undefined): Promise<Kept | undefined> {
    if (version !== this.kept?.version) return undefined
    this.kept = { state, version: `${Number(version ?? 0) + 1}` }
    return this.kept
  }
}
