import { createHash } from 'node:crypto'
import { closeSync, openSync, readSync } from 'node:fs'
import { codeOf, explain, UserError } from '@kedge/shared/errors'
import { Database } from '@kedge/shared/sqlite'
import { formVersion } from './database.ts'

/**
 * A backup is one SQLite file: the tables of the API server as of one resourceVersion, and a table `backup` with what
 * else makes a cluster the same one again. Its header bears a mark, and a digest covers all rows, so that neither
 * another file nor one with a flipped bit is taken for it.
 */

/** "Kedg", in the header's application id. */
const mark = 0x4b656467
const markAt = 68
const magic = 'SQLite format 3\0'

/** What a cluster is, besides its objects. */
export interface Keys {
  /** Certificate and key of the authority, as its file has them. */
  authority: string
  /** What that key is sealed with, and the one of the link's authority among the objects; undefined: it lies elsewhere. */
  caKey?: string | undefined
  /** The administrator's token. */
  token: string
}

export interface Facts {
  /** The resourceVersion of the newest write in it. */
  revision: number
  objects: number
}

export interface Backup extends Facts {
  keys: Keys
  /** RFC 3339. */
  made: string
}

/** Makes a backup of a copy of the database. */
export function seal(path: string, { authority, caKey, token }: Keys, made: string): void {
  const db = new Database(path, { fileMustExist: true })
  try {
    // Readers must not make files beside it.
    db.pragma('journal_mode = DELETE')
    db.exec('CREATE TABLE backup (name TEXT PRIMARY KEY, value TEXT NOT NULL) WITHOUT ROWID')
    const insert = db.prepare('INSERT INTO backup (name, value) VALUES (?, ?)')
    for (const [name, value] of Object.entries({ authority, caKey, token, made }))
      if (value !== undefined) insert.run(name, value)
    insert.run('digest', digest(db))
    db.pragma(`application_id = ${mark}`)
  } finally {
    db.close()
  }
}

/** Makes a backup, or a copy of one, a database for the API server to open. */
export function unseal(path: string, revision: number): void {
  const db = new Database(path, { fileMustExist: true })
  try {
    db.transaction(() => {
      db.exec('DROP TABLE backup')
      db.prepare("UPDATE meta SET value = ? WHERE name IN ('revision', 'oldest')").run(revision)
      // Nobody can watch from before `oldest`.
      db.exec('DELETE FROM log WHERE rv NOT IN (SELECT rv FROM current)')
      db.pragma('application_id = 0')
    })()
  } finally {
    db.close()
  }
}

/** What is in a backup, having checked all of it. Throws a UserError that says what is wrong with it. */
export function check(path: string): Backup {
  if (!isMarked(path)) throw new UserError(`${path} is not a backup made by cloudcore`)
  let db: Database | undefined
  try {
    db = new Database(path, { readonly: true, fileMustExist: true })
    return read(db, path)
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`the backup ${path} is damaged: ${explain(error)}`, { cause: error })
  } finally {
    db?.close()
  }
}

function isMarked(path: string): boolean {
  try {
    const head = Buffer.alloc(markAt + 4)
    const file = openSync(path, 'r')
    try {
      readSync(file, head, 0, head.length, 0)
    } finally {
      closeSync(file)
    }
    return head.toString('latin1', 0, magic.length) === magic && head.readUInt32BE(markAt) === mark
  } catch (error) {
    const why = codeOf(error) === 'ENOENT' ? 'there is no such file' : explain(error)
    throw new UserError(`the backup ${path} cannot be read: ${why}`, { cause: error })
  }
}

function read(db: Database, path: string): Backup {
  const form = Number(db.pragma('user_version', { simple: true }))
  if (form > formVersion) {
    throw new UserError(`${path} was made by a newer cloudcore (form ${form}, this one knows ${formVersion})`)
  }
  const fault = String(db.pragma('integrity_check(1)', { simple: true }))
  if (fault !== 'ok') throw new Error(fault.replaceAll(/\s+/g, ' '))
  if (value(db, 'digest') !== digest(db)) throw new Error('its content is not what was written')
  const keys = { authority: value(db, 'authority'), caKey: find(db, 'caKey'), token: value(db, 'token') }
  return { ...factsOf(db), keys, made: value(db, 'made') }
}

function factsOf(db: Database): Facts {
  const revision = db.prepare<[], { value: number }>("SELECT value FROM meta WHERE name = 'revision'").get()
  const objects = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM current').get()
  return { revision: revision?.value ?? 0, objects: objects?.n ?? 0 }
}

function value(db: Database, name: string): string {
  const found = find(db, name)
  if (found === undefined) throw new Error(`it has no ${name}`)
  return found
}

function find(db: Database, name: string): string | undefined {
  return db.prepare<[string], { value: string }>('SELECT value FROM backup WHERE name = ?').get(name)?.value
}

/** Over every row there is, in a fixed order; of the table `backup` all but the digest itself. */
function digest(db: Database): string {
  const hash = createHash('sha256')
  for (const rows of [
    'SELECT rv, resource, namespace, name, deleted, prev, value FROM log ORDER BY rv',
    'SELECT resource, namespace, name, rv FROM current ORDER BY resource, namespace, name',
    'SELECT name, value FROM meta ORDER BY name',
    "SELECT name, value FROM backup WHERE name <> 'digest' ORDER BY name",
  ]) {
    for (const row of db.prepare(rows).raw().iterate()) hash.update(JSON.stringify(row))
  }
  return hash.digest('hex')
}
