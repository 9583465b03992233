import type { Hash } from '@kedge/shared/changes'
import type { Key, KubeObject, Resource } from '@kedge/shared/objects'
import type { SealedDatabase } from './seal.ts'
import { closeRow, type ObjectRow, openContent, openHash } from './secret-rows.ts'

export interface HeldObject {
  key: Key
  content: KubeObject
  /** Why this edge cannot use the object, or null. */
  refused: string | null
}

interface Row extends ObjectRow {
  refused: string | null
}

/**
 * The table of desired state. Reads are immediate; writes belong inside `Store.commit`. Secrets lie in it encrypted, and
 * nobody beyond this table notices.
 */
export class Objects {
  readonly #seal
  readonly #get
  readonly #list
  readonly #all
  readonly #refused
  readonly #put
  readonly #drop

  constructor(db: SealedDatabase) {
    this.#seal = db.seal
    this.#get = db.prepare<[string], Row>('SELECT * FROM objects WHERE key = ?')
    this.#list = db.prepare<[string, string], Row>('SELECT * FROM objects WHERE key > ? AND key < ? ORDER BY key')
    this.#all = db.prepare<[], Pick<Row, 'key' | 'hash'>>('SELECT key, hash FROM objects')
    this.#refused = db.prepare<[], { key: Key; refused: string }>(
      'SELECT key, refused FROM objects WHERE refused IS NOT NULL ORDER BY key',
    )
    this.#put = db.prepare('INSERT OR REPLACE INTO objects (key, content, hash, refused) VALUES (?, ?, ?, ?)')
    this.#drop = db.prepare('DELETE FROM objects WHERE key = ?')
  }

  get(key: Key): HeldObject | undefined {
    const row = this.#get.get(key)
    return row && this.#held(row)
  }

  /** All objects of a kind, by key. */
  list(resource: Resource): HeldObject[] {
    // '0' is the character after '/': the range holds exactly the keys that begin with "<resource>/".
    return this.#list.all(`${resource}/`, `${resource}0`).map((row) => this.#held(row))
  }

  inventory(): Map<Key, Hash> {
    return new Map(this.#all.all().map((row) => [row.key, openHash(this.#seal, row)]))
  }

  /** What is held and cannot be used, with the reason. */
  refused(): { key: Key; reason: string }[] {
    return this.#refused.all().map(({ key, refused }) => ({ key, reason: refused }))
  }

  put(key: Key, text: string, hash: Hash, refused: string | null): void {
    const row = closeRow(this.#seal, { key, content: text, hash })
    this.#put.run(key, row.content, row.hash, refused)
  }

  drop(key: Key): void {
    this.#drop.run(key)
  }

  #held(row: Row): HeldObject {
    const content = JSON.parse(openContent(this.#seal, row)) as KubeObject
    return { key: row.key, content, refused: row.refused }
  }
}
