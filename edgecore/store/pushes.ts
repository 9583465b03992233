import type { Database } from '@kedge/shared/sqlite'

export interface PushRow {
  id: number
  /** JSON. */
  content: string
}

/**
 * Values on their way to the targets of `pushMethod`. "target" is JSON, the same text for the same target. Writes belong
 * inside `Store.commit`.
 */
export class PushTable {
  readonly #db: Database
  readonly #add
  readonly #next
  readonly #done
  readonly #oldest

  constructor(db: Database) {
    this.#db = db
    this.#add = db.prepare('INSERT INTO pushes (target, content) VALUES (?, ?)')
    this.#next = db.prepare<[string, number], PushRow>(
      'SELECT id, content FROM pushes WHERE target = ? ORDER BY id LIMIT ?',
    )
    this.#done = db.prepare('DELETE FROM pushes WHERE id = ?')
    this.#oldest = db.prepare(
      'DELETE FROM pushes WHERE id IN (SELECT id FROM pushes WHERE target = ? ORDER BY id LIMIT ?)',
    )
  }

  add(target: string, content: string): void {
    this.#add.run(target, content)
  }

  /** The oldest rows of a target. */
  next(target: string, limit: number): PushRow[] {
    return this.#next.all(target, limit)
  }

  done(id: number): void {
    this.#done.run(id)
  }

  dropOldest(target: string, count: number): number {
    return this.#oldest.run(target, count).changes
  }

  /** How many rows wait, by target. */
  counts(): Map<string, number> {
    const rows = this.#db
      .prepare<[], { target: string; rows: number }>('SELECT target, count(*) AS rows FROM pushes GROUP BY target')
      .all()
    return new Map(rows.map(({ target, rows }) => [target, rows]))
  }
}
