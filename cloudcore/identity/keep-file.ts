import { closeSync, fsyncSync, mkdirSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf } from '@kedge/shared/errors'

/**
 * Writes a file as a whole or not at all, readable by its owner only: beside it first, to disk, then renamed over it.
 * Throws an error that names the path.
 */
export function keepFile(path: string, content: string): void {
  const beside = `${path}.${process.pid}.new`
  try {
    mkdirSync(dirname(path), { recursive: true, mode: 0o700 })
    const file = openSync(beside, 'w', 0o600)
    try {
      writeSync(file, content)
      fsyncSync(file)
    } finally {
      closeSync(file)
    }
    renameSync(beside, path)
    syncPath(dirname(path))
  } catch (error) {
    throw new Error(`write ${path}`, { cause: error })
  }
}

/** Brings a file to disk, or a folder with the names in it: a rename is on disk once its folder is. */
export function syncPath(path: string): void {
  const opened = openSync(path, 'r')
  try {
    fsyncSync(opened)
  } finally {
    closeSync(opened)
  }
}

/** The text of a file, or undefined when there is none. */
export function readKept(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8')
  } catch (error) {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new Error(`read ${path}`, { cause: error })
  }
}
