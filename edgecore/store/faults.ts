import { rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { codeOf, explain } from '@kedge/shared/errors'

/** What keeps a store from its work; the reason of the node's condition `StorageHealthy`. */
export type FaultReason = 'DiskFull' | 'ReadOnly' | 'Corrupt' | 'IOError'

export interface StorageFault {
  reason: FaultReason
  /** A sentence for people. */
  message: string
}

/** Of a write that is refused while the store cannot keep anything. */
export class StorageError extends Error {
  override name = 'StorageError'
  readonly reason: FaultReason

  constructor({ reason, message }: StorageFault, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** What the operating system says of a write that failed (errno(3)). */
const byErrno: Readonly<Record<string, FaultReason>> = {
  ENOSPC: 'DiskFull',
  EDQUOT: 'DiskFull',
  EFBIG: 'DiskFull',
  EROFS: 'ReadOnly',
  EIO: 'IOError',
}

/** SQLite's result codes that speak of the disk (sqlite.org/rescode.html); longer ones first. */
const byCode: readonly (readonly [string, FaultReason])[] = [
  ['SQLITE_IOERR_CORRUPTFS', 'Corrupt'],
  // The file ends before a page that it should hold.
  ['SQLITE_IOERR_SHORT_READ', 'Corrupt'],
  ['SQLITE_CORRUPT', 'Corrupt'],
  ['SQLITE_NOTADB', 'Corrupt'],
  ['SQLITE_FULL', 'DiskFull'],
  ['SQLITE_READONLY', 'ReadOnly'],
  ['SQLITE_IOERR', 'IOError'],
  ['SQLITE_CANTOPEN', 'IOError'],
]

/** A fault of the disk or of what is on it, as the error and its causes name it; undefined for any other error. */
export function faultReason(error: unknown): FaultReason | undefined {
  for (let at: unknown = error, depth = 0; at instanceof Error && depth < 8; at = at.cause, depth++) {
    if (at instanceof StorageError) return at.reason
    const code = codeOf(at) ?? ''
    const found = byErrno[code] ?? byCode.find(([prefix]) => code.startsWith(prefix))?.[1]
    if (found !== undefined) return found
  }
  return undefined
}

const sentences: Readonly<Record<FaultReason, string>> = {
  DiskFull: 'the disk is full: free some space',
  ReadOnly: 'the file system is read-only: mount it for writing, or replace the disk if it fails again',
  Corrupt: 'the database is damaged',
  IOError: 'the disk fails: look at the kernel log, and replace the disk if it says so',
}

/**
 * What is wrong in the folder of the database, or undefined when the error has nothing to do with storage. SQLite calls
 * most of it an I/O error; a write of our own hears from the system which one it is.
 */
export function diagnose(error: unknown, dir: string): StorageFault | undefined {
  const reason = faultReason(error)
  if (reason === undefined) return undefined
  const exact = reason === 'Corrupt' ? reason : (faultOfWriting(dir) ?? reason)
  return { reason: exact, message: `${sentences[exact]} (${dir}; ${explain(rootOf(error))})` }
}

/** Tries to write a little in `dir`; why that does not go, or undefined when it does. */
export function faultOfWriting(dir: string): FaultReason | undefined {
  const probe = join(dir, '.kedge-probe')
  try {
    writeFileSync(probe, Buffer.alloc(4096), { flush: true })
    return undefined
  } catch (error) {
    return faultReason(error)
  } finally {
    try {
      rmSync(probe, { force: true })
    } catch {
      // On a disk that takes no write, there is nothing to remove.
    }
  }
}

function rootOf(error: unknown): unknown {
  let at = error
  for (let depth = 0; at instanceof Error && at.cause !== undefined && depth < 8; depth++) at = at.cause
  return at
}
