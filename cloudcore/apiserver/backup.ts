import { existsSync, mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { explain, UserError } from '@kedge/shared/errors'
import Database from 'better-sqlite3'
import { databaseName, formVersion } from './database.ts'

/**
 * Copies the API server's objects into one file, while it runs or not: a state as of one resourceVersion. The file must
 * not exist; it appears complete or not at all. Throws a UserError.
 */
export async function backup({ dir, to }: { dir: string; to: string }): Promise<{ revision: number; objects: number }> {
  const from = join(dir, databaseName)
  if (!existsSync(from)) throw new UserError(`there is no API server's database in ${dir}`)
  if (existsSync(to)) throw new UserError(`${to} exists: choose another name for the backup`)
  mkdirSync(dirname(to), { recursive: true })
  const beside = `${to}.${process.pid}.new`
  const source = new Database(from, { readonly: true })
  try {
    // Secrets are in it.
    writeFileSync(beside, '', { mode: 0o600, flag: 'wx' })
    await source.backup(beside)
    const facts = inspect(beside)
    renameSync(beside, to)
    return facts
  } catch (error) {
    rmSync(beside, { force: true })
    throw new Error(`back up ${from} to ${to}`, { cause: error })
  } finally {
    source.close()
  }
}

/** Whether a file is a whole backup, and what is in it. */
function inspect(path: string): { revision: number; objects: number } {
  const db = new Database(path, { fileMustExist: true })
  try {
    // A copy of a database in WAL mode would make files beside itself.
    db.pragma('journal_mode = DELETE')
    const found = Number(db.pragma('user_version', { simple: true }))
    if (found === 0 || found > formVersion) throw new Error(`its form is ${found}, this cloudcore knows ${formVersion}`)
    const fault = db.pragma('integrity_check(1)', { simple: true })
    if (fault !== 'ok') throw new Error(String(fault))
    const revision = db.prepare<[], { value: number }>("SELECT value FROM meta WHERE name = 'revision'").get()
    const objects = db.prepare<[], { n: number }>('SELECT count(*) AS n FROM current').get()
    return { revision: revision?.value ?? 0, objects: objects?.n ?? 0 }
  } finally {
    db.close()
  }
}

/** So far beyond the backup that no client has seen a resourceVersion in between. */
const leap = 1_000_000_000

/**
 * Puts a backup in the place of the database of an API server that does not run; what was there is set aside. The
 * resourceVersions go on far beyond those of the backup: every client that watched the lost state gets a 410 and lists
 * again. Throws a UserError.
 */
export async function restore({
  dir,
  from,
  now,
}: {
  dir: string
  from: string
  now: number
}): Promise<{ aside?: string }> {
  if (!existsSync(from)) throw new UserError(`there is no file ${from}`)
  const path = join(dir, databaseName)
  const beside = `${path}.${process.pid}.new`
  mkdirSync(dir, { recursive: true, mode: 0o700 })
  await copy(from, beside)
  try {
    const { revision } = inspect(beside)
    moveOn(beside, revision + leap)
  } catch (error) {
    rmSync(beside, { force: true })
    throw new UserError(`${from} is not a backup of an API server: ${explain(error)}`)
  }
  const aside = setAside(path, now)
  renameSync(beside, path)
  return aside === undefined ? {} : { aside }
}

async function copy(from: string, to: string): Promise<void> {
  try {
    const source = new Database(from, { readonly: true, fileMustExist: true })
    try {
      writeFileSync(to, '', { mode: 0o600 })
      await source.backup(to)
    } finally {
      source.close()
    }
  } catch (error) {
    rmSync(to, { force: true })
    throw new UserError(`${from} is not a backup of an API server: ${explain(error)}`)
  }
}

function moveOn(path: string, revision: number): void {
  const db = new Database(path)
  try {
    db.prepare("UPDATE meta SET value = ? WHERE name IN ('revision', 'oldest')").run(revision)
  } finally {
    db.close()
  }
}

function setAside(path: string, now: number): string | undefined {
  if (!existsSync(path)) return undefined
  const aside = `${path}.before-restore-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`
  for (const suffix of ['', '-wal', '-shm']) {
    if (existsSync(path + suffix)) renameSync(path + suffix, aside + suffix)
  }
  return aside
}
