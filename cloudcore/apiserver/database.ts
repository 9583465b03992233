import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import Database from 'better-sqlite3'

/** The newest form of the tables; a database of a newer form is refused, an older one is brought up to it. */
export const formVersion = 1

/** Name of the file in the API server's folder. */
export const databaseName = 'apiserver.db'

/**
 * `log` holds every state there ever was, one row per write, until compaction; the row id is the resourceVersion.
 * `prev` is the row of the state before; a creation has none. `current` says which row is the newest of each object.
 */
const tables = `
  CREATE TABLE log (
    rv INTEGER PRIMARY KEY,
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    deleted INTEGER NOT NULL,
    prev INTEGER,
    value TEXT NOT NULL
  );
  CREATE TABLE current (
    resource TEXT NOT NULL,
    namespace TEXT NOT NULL,
    name TEXT NOT NULL,
    rv INTEGER NOT NULL,
    PRIMARY KEY (resource, namespace, name)
  ) WITHOUT ROWID;
  CREATE TABLE meta (name TEXT PRIMARY KEY, value INTEGER NOT NULL) WITHOUT ROWID;
  INSERT INTO meta (name, value) VALUES ('oldest', 0), ('revision', 0);
`

/** Opens the database of the API server, makes its folder and tables. A crash at any point leaves it whole. */
export function openDatabase(path: string): Database.Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let db: Database.Database | undefined
  try {
    db = new Database(path)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('busy_timeout = 5000')
    db.pragma('cache_size = -16000')
    prepare(db, path)
    return db
  } catch (error) {
    db?.close()
    if (error instanceof UserError) throw error
    throw new Error(`open the database ${path}`, { cause: error })
  }
}

function prepare(db: Database.Database, path: string): void {
  const found = Number(db.pragma('user_version', { simple: true }))
  if (found > formVersion) {
    throw new UserError(`${path} was written by a newer cloudcore (form ${found}, this one knows ${formVersion})`)
  }
  if (found === formVersion) return
  db.transaction(() => {
    db.exec(tables)
    db.pragma(`user_version = ${formVersion}`)
  })()
}
