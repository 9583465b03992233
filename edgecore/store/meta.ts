import type { Database } from '@kedge/shared/sqlite'

/** A small fact kept by name. */
export function getMeta(db: Database, name: string): string | undefined {
  const row = db.prepare<[string], { value: string }>('SELECT value FROM meta WHERE name = ?').get(name)
  return row?.value
}

export function setMeta(db: Database, name: string, value: string): void {
  db.prepare('INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT DO UPDATE SET value = excluded.value').run(
    name,
    value,
  )
}

export function dropMeta(db: Database, name: string): void {
  db.prepare('DELETE FROM meta WHERE name = ?').run(name)
}
