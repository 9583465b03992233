import { chmodSync, copyFileSync, existsSync, mkdirSync, renameSync, rmSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { explain, UserError } from '@kedge/shared/errors'
import { authorityFileFor } from '../identity/authority-file.ts'
import { keepFile, syncPath } from '../identity/keep-file.ts'
import { caKeyName } from '../identity/sealed-key.ts'
import { tokenFile } from './authentication.ts'
import { type Backup, check, unseal } from './backup-file.ts'
import { databaseName } from './database.ts'

/** So far beyond the backup that no client has seen a resourceVersion in between. */
const leap = 1_000_000_000

export interface RestoreOptions {
  /** The folder of the API server, which must not run. */
  dir: string
  from: string
  /** Whether what is in the folder may be set aside. */
  force?: boolean
  /** Milliseconds since the epoch. */
  now: number
}

export interface Restored extends Backup {
  /** Where what was there lies now. */
  aside?: string
}

/**
 * Makes the folder of an API server from a backup, with its authority and its administrator's token. The
 * resourceVersions go on far beyond those of the backup: every client that watched the lost state gets a 410 and lists
 * again. After a crash at any point the folder is as it was, or the next start has it as it shall be. Throws a
 * UserError; before the backup is found to be whole nothing is touched.
 */
export function restore({ dir, from, force = false, now }: RestoreOptions): Restored {
  const backup = check(from)
  const isThere = existsSync(dir)
  if (isThere && !force) {
    throw new UserError(`${dir} holds a cluster: give another folder with --data, or --force to set this one aside`)
  }
  try {
    prepare(dir, from, backup)
    const aside = isThere ? setAside(dir, now) : undefined
    finishRestore(dir)
    return aside === undefined ? backup : { ...backup, aside }
  } catch (error) {
    throw new UserError(`restore ${from} to ${dir}: ${explain(error)}`, { cause: error })
  }
}

/** The whole new folder, under a name that says so. */
function prepare(dir: string, from: string, { keys, revision }: Backup): void {
  const making = `${dir}.new`
  rmSync(making, { recursive: true, force: true })
  mkdirSync(making, { recursive: true, mode: 0o700 })
  const path = join(making, databaseName)
  copyFileSync(from, path)
  chmodSync(path, 0o600)
  unseal(path, revision + leap)
  syncPath(path)
  keepFile(join(making, 'pki', authorityFileFor(keys.authority)), keys.authority)
  if (keys.caKey !== undefined) keepFile(join(making, 'pki', caKeyName), keys.caKey)
  keepFile(join(making, 'pki', tokenFile), keys.token)
  syncPath(making)
  rmSync(ready(dir), { recursive: true, force: true })
  move(making, ready(dir))
}

function setAside(dir: string, now: number): string {
  const aside = `${dir}.before-restore-${new Date(now).toISOString().replaceAll(/[:.]/g, '-')}`
  move(dir, aside)
  return aside
}

/**
 * Finishes what a restore began that was cut off between setting the old folder aside and giving the new one its name:
 * a cloudcore that started without it would begin an empty cluster. One that was cut off before has not happened.
 */
export function finishRestore(dir: string): void {
  if (!existsSync(ready(dir))) return
  if (existsSync(dir)) rmSync(ready(dir), { recursive: true, force: true })
  else move(ready(dir), dir)
}

function ready(dir: string): string {
  return `${dir}.restored`
}

function move(from: string, to: string): void {
  renameSync(from, to)
  syncPath(dirname(to))
}
