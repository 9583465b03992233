import { closeSync, existsSync, fsyncSync, openSync, readdirSync, renameSync, rmSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { isoTime } from '@kedge/shared/clock'

/** So many damaged databases are kept; a disk that damages one a day must not fill up with them. */
const kept = 2

/** The name under which a database found damaged at `now` (ms since the epoch) is set aside. */
export function asideName(path: string, now: number): string {
  return `${path}.corrupt-${isoTime(now).replaceAll(/[:.]/g, '-')}`
}

/** The damaged databases beside `path`, the newest first. */
export function setAsideOf(path: string): string[] {
  const dir = dirname(path)
  const prefix = `${basename(path)}.corrupt-`
  const names = existsSync(dir) ? readdirSync(dir).filter((name) => name.startsWith(prefix)) : []
  const databases = names.filter((name) => !/-(wal|shm)$/.test(name))
  return databases
    .sort()
    .reverse()
    .map((name) => join(dir, name))
}

/** Where the successor of a damaged database is made; complete once the damaged one is gone from its place. */
export function successorOf(path: string): string {
  return `${path}.new`
}

/**
 * Puts the successor, which is complete and closed, in the place of the damaged database, and that under `aside`.
 * A crash between two steps leaves what `finishReplacing` ends.
 */
export function replaceDatabase(path: string, aside: string): void {
  renameSync(path, aside)
  finishReplacing(path, aside)
  for (const old of setAsideOf(path).slice(kept)) {
    rmSync(old, { force: true })
    rmSync(`${old}-wal`, { force: true })
  }
}

/** Ends a replacement that was cut short; a successor that was never completed is thrown away. */
export function finishReplacing(path: string, aside: string): void {
  const successor = successorOf(path)
  if (existsSync(path) || !existsSync(successor)) {
    for (const suffix of ['', '-wal', '-shm']) rmSync(successor + suffix, { force: true })
    return
  }
  // The log goes before its successor comes: SQLite would play it into the new database.
  if (existsSync(`${path}-wal`)) renameSync(`${path}-wal`, `${aside}-wal`)
  rmSync(`${path}-shm`, { force: true })
  renameSync(successor, path)
  syncFolder(dirname(path))
}

/** A new name is on disk only when its folder is. */
export function syncFolder(dir: string): void {
  const folder = openSync(dir, 'r')
  try {
    fsyncSync(folder)
  } finally {
    closeSync(folder)
  }
}
