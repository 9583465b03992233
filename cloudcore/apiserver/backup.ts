import { existsSync, linkSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { codeOf, explain, UserError } from '@kedge/shared/errors'
import { Database } from '@kedge/shared/sqlite'
import { authorityFileFor, plainAuthorityFile, sealedAuthorityFile } from '../identity/authority-file.ts'
import { readKept, syncPath } from '../identity/keep-file.ts'
import { caKeyName } from '../identity/sealed-key.ts'
import { tokenFile } from './authentication.ts'
import { check, type Facts, type Keys, seal } from './backup-file.ts'
import { databaseName } from './database.ts'

export interface BackupOptions {
  /** The folder of the API server, which may be running. */
  dir: string
  /** The file to write. */
  to: string
  /** Whether a file of that name may be replaced. */
  force?: boolean
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * Copies the API server's objects, its authority and the administrator's token into one file, while it runs or not: a
 * state as of one resourceVersion, with every write that was answered before. The file appears complete or not at all,
 * readable by its owner only. The key that authorities are sealed with is in it unless it lies elsewhere. Throws a
 * UserError.
 */
export function backup({ dir, to, force = false, now }: BackupOptions): Facts & { keyElsewhere: boolean } {
  const from = join(dir, databaseName)
  const keys = keysOf(dir)
  refuseTarget(to, force)
  const beside = `${to}.${process.pid}.new`
  try {
    rmSync(beside, { force: true })
    writeFileSync(beside, '', { mode: 0o600, flag: 'wx' })
    copy(from, beside)
    seal(beside, keys, new Date(now).toISOString())
    const { revision, objects } = check(beside)
    syncPath(beside)
    put(beside, to, force)
    const keyElsewhere = keys.caKey === undefined && authorityFileFor(keys.authority) === sealedAuthorityFile
    return { revision, objects, keyElsewhere }
  } catch (error) {
    if (error instanceof UserError) throw error
    throw new UserError(`back up ${from} to ${to}: ${explain(error)}`, { cause: error })
  } finally {
    for (const suffix of ['', '-journal']) rmSync(beside + suffix, { force: true })
  }
}

/**
 * In one statement, and so one read transaction: others write meanwhile, and SQLite's online backup would begin anew
 * with each of their writes.
 */
function copy(from: string, to: string): void {
  const db = new Database(from, { readonly: true, fileMustExist: true, timeout: 10_000 })
  try {
    db.prepare('VACUUM INTO ?').run(to)
  } finally {
    db.close()
  }
}

const names = [sealedAuthorityFile, plainAuthorityFile, caKeyName, tokenFile]

function keysOf(dir: string): Keys {
  const [sealed, plain, caKey, token] = names.map((name) => kept(join(dir, 'pki', name)))
  const authority = sealed ?? plain
  if (authority === undefined || token === undefined || !existsSync(join(dir, databaseName))) {
    throw new UserError(
      `there is no embedded Kubernetes API in ${dir}: give the data folder of a cloudcore --standalone with --data`,
    )
  }
  return { authority, caKey, token }
}

function kept(path: string): string | undefined {
  try {
    return readKept(path)
  } catch (error) {
    throw new UserError(`${explain(error)}: run this as the user that cloudcore runs as`, { cause: error })
  }
}

function refuseTarget(to: string, force: boolean): void {
  const found = statSync(to, { throwIfNoEntry: false })
  if (found?.isDirectory()) throw new UserError(`${to} is a folder: give the name of a file`)
  if (found !== undefined && !force) throw exists(to)
  if (!existsSync(dirname(to))) throw new UserError(`the folder ${dirname(to)} does not exist: create it first`)
}

function exists(to: string): UserError {
  return new UserError(`${to} exists: give another name, or --force to replace it`)
}

/** Gives the file its name; without `force` one that has come meanwhile stays. */
function put(beside: string, to: string, force: boolean): void {
  if (force) renameSync(beside, to)
  else name(beside, to)
  syncPath(dirname(to))
}

function name(beside: string, to: string): void {
  try {
    linkSync(beside, to)
  } catch (error) {
    // A file system without hard links, such as that of a USB stick: the look and the rename are two steps.
    if (codeOf(error) === 'EEXIST' || existsSync(to)) throw exists(to)
    renameSync(beside, to)
  }
}
