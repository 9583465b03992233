import type { Hash } from '@kedge/shared/changes'
import { type SealedDatabase, sealBytes } from './seal.ts'

/**
 * The table of packed objects that have begun to arrive: of each its first bytes, in pieces without a gap. Reads are
 * immediate; writes belong inside `Store.commit`. All lie encrypted, since nothing tells a Secret's piece from another.
 */
export class PieceTable {
  readonly #seal
  readonly #held
  readonly #data
  readonly #put
  readonly #drop
  readonly #dropAll

  constructor(db: SealedDatabase) {
    this.#seal = db.seal
    this.#held = db.prepare<[], { pack: Hash; bytes: number }>(
      `SELECT pack, sum(length(data) - ${sealBytes}) AS bytes FROM pieces GROUP BY pack ORDER BY min(seq)`,
    )
    this.#data = db.prepare<[Hash], { at: number; data: Buffer }>(
      'SELECT at, data FROM pieces WHERE pack = ? ORDER BY at',
    )
    this.#put = db.prepare('INSERT INTO pieces (pack, at, data) VALUES (?, ?, ?)')
    this.#drop = db.prepare('DELETE FROM pieces WHERE pack = ?')
    this.#dropAll = db.prepare('DELETE FROM pieces')
  }

  /** How many bytes are kept of each, the one that began first in front. */
  held(): Map<Hash, number> {
    return new Map(this.#held.all().map(({ pack, bytes }) => [pack, bytes]))
  }

  /** Without the pieces that are damaged. */
  bytes(pack: Hash): Buffer {
    const pieces = this.#data.all(pack).map(({ at, data }) => this.#seal.tryOpen(nameOf(pack, at), data))
    return Buffer.concat(pieces.flatMap((piece) => piece ?? []))
  }

  put(pack: Hash, at: number, data: Buffer): void {
    this.#put.run(pack, at, this.#seal.close(nameOf(pack, at), data))
  }

  drop(pack: Hash): void {
    this.#drop.run(pack)
  }

  dropAll(): void {
    this.#dropAll.run()
  }
}

function nameOf(pack: Hash, at: number): string {
  return `pieces/${pack}/${at}`
}
