import type { Hash } from '@kedge/shared/changes'
import type { Key, KubeObject, Resource } from '@kedge/shared/objects'
import type { Database } from '@kedge/shared/sqlite'

export interface HeldObject {
  key: Key
  content: KubeObject
  /** Why this edge cannot use the object, or null. */
  refused: string | null
}

interface Row {
  key: Key
  content: string
  hash: Hash
  refused: string | null
}

/** The table of desired state. Reads are immediate; writes belong inside `Store.commit`. */
export class Objects {
  readonly #get
  readonly #list
  readonly #all
  readonly #refused
  readonly #put
  readonly #drop

  constructor(db: Database) {
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
    return row && held(row)
  }

  /** All objects of a kind, by key. */
  list(resource: Resource): HeldObject[] {
    // '0' is the character after '/': the range holds exactly the keys that begin with "<resource>/".
    return this.#list.all(`${resource}/`, `${resource}0`).map(held)
  }

  inventory(): Map<Key, Hash> {
    return new Map(this.#all.all().map(({ key, hash }) => [key, hash]))
  }

  /** What is held and cannot be used, with the reason. */
  refused(): { key: Key; reason: string }[] {
    return this.#refused.all().map(({ key, refused }) => ({ key, reason: refused }))
  }

  put(key: Key, text: string, hash: Hash, refused: string | null): void {
    this.#put.run(key, text, hash, refused)
  }

  drop(key: Key): void {
    this.#drop.run(key)
  }
}

function held({ key, content, refused }: Row): HeldObject {
  return { key, content: JSON.parse(content) as KubeObject, refused }
}
