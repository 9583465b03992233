import type { Hash } from '@kedge/shared/changes'
import type { Database } from '@kedge/shared/sqlite'

/**
 * The table of packed objects that have begun to arrive: of each its first bytes, in pieces without a gap. Reads are
 * immediate; writes belong inside `Store.commit`.
 */
export class PieceTable {
  readonly #held
  readonly #data
  readonly #put
  readonly #drop
  readonly #dropAll

  constructor(db: Database) {
    this.#held = db.prepare<[], { pack: Hash; bytes: number }>(
      'SELECT pack, sum(length(data)) AS bytes FROM pieces GROUP BY pack ORDER BY min(seq)',
    )
    this.#data = db.prepare<[Hash], { data: Buffer }>('SELECT data FROM pieces WHERE pack = ? ORDER BY at')
    this.#put = db.prepare('INSERT INTO pieces (pack, at, data) VALUES (?, ?, ?)')
    this.#drop = db.prepare('DELETE FROM pieces WHERE pack = ?')
    this.#dropAll = db.prepare('DELETE FROM pieces')
  }

  /** How many bytes are kept of each, the one that began first in front. */
  held(): Map<Hash, number> {
    return new Map(this.#held.all().map(({ pack, bytes }) => [pack, bytes]))
  }

  bytes(pack: Hash): Buffer {
    return Buffer.concat(this.#data.all(pack).map(({ data }) => data))
  }

  put(pack: Hash, at: number, data: Buffer): void {
    this.#put.run(pack, at, data)
  }

  drop(pack: Hash): void {
    this.#drop.run(pack)
  }

  dropAll(): void {
    this.#dropAll.run()
  }
}
