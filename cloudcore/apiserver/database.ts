import { mkdirSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf, explain, UserError } from '@kedge/shared/errors'
import { Database } from '@kedge/shared/sqlite'

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
export function openDatabase(path: string): Database {
  mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
  let db: Database | undefined
  try {
    db = new Database(path)
    db.pragma('journal_mode = WAL')
    db.pragma('synchronous = FULL')
    db.pragma('busy_timeout = 5000')
    db.pragma('cache_size = -16000')
    db.pragma('journal_size_limit = 67108864')
    checkAfterCrash(db)
    prepare(db, path)
    setClean(db, 0)
    return db
  } catch (error) {
    db?.close()
    throw isDamaged(error) ? damaged(path, error) : openError(path, error)
  }
}

function openError(path: string, error: unknown): Error {
  return error instanceof UserError ? error : new Error(`open the database ${path}`, { cause: error })
}

class DamagedDatabase extends Error {}

function isDamaged(error: unknown): boolean {
  const code = codeOf(error) ?? ''
  return error instanceof DamagedDatabase || code.startsWith('SQLITE_CORRUPT') || code === 'SQLITE_NOTADB'
}

/** What the cluster is lies in this file: nobody but its owner decides to go on without it. */
function damaged(path: string, error: unknown): UserError {
  return new UserError(
    `the database of the Kubernetes API, ${path}, is damaged (${explain(error)}): bring a backup back with cloudcore restore --force, or move the file away to begin anew`,
  )
}

/** A process that ended without closing the database may have been cut off by what damages files. */
function checkAfterCrash(db: Database): void {
  const known = db.prepare("SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = 'meta'").get() !== undefined
  if (!known) return
  const clean = db.prepare<[], { value: number }>("SELECT value FROM meta WHERE name = 'clean'").get()
  if (clean?.value === 1) return
  const result = db.pragma('quick_check(1)', { simple: true })
  if (result !== 'ok') throw new DamagedDatabase(String(result).replaceAll(/\s+/g, ' '))
}

function setClean(db: Database, value: 0 | 1): void {
  const sql = "INSERT INTO meta (name, value) VALUES ('clean', ?) ON CONFLICT DO UPDATE SET value = excluded.value"
  db.prepare(sql).run(value)
}

/** Notes that everything ended in order, and closes. */
export function closeDatabase(db: Database): void {
  setClean(db, 1)
  db.close()
}

function prepare(db: Database, path: string): void {
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
