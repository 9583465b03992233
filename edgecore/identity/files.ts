import {
  closeSync,
  fchownSync,
  fsyncSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { codeOf } from '@kedge/shared/errors'

/** What the identity asks of a file system: small steps, so that a test can cut the power between any two. */
export interface Files {
  /** The text of a file; undefined when there is none. */
  read(path: string): string | undefined
  /** Begins a file anew, readable by its owner only, and writes its text; not yet on disk. */
  write(path: string, text: string): void
  /** Brings a file to disk, or a folder with the names in it. */
  sync(path: string): void
  rename(from: string, to: string): void
  remove(path: string): void
  /** Makes a folder that only its owner may look into, unless it is there. */
  folder(path: string): void
}

export const diskFiles: Files = {
  read(path) {
    try {
      return readFileSync(path, 'utf8')
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return undefined
      throw new Error(`read ${path}`, { cause: error })
    }
  },
  write(path, text) {
    // A file of the same name may be open to others: it is not written into.
    rmSync(path, { force: true })
    const file = openSync(path, 'wx', 0o600)
    try {
      giveToOwnerOf(dirname(path), file)
      const bytes = Buffer.from(text)
      for (let at = 0; at < bytes.length; ) at += writeSync(file, bytes, at)
    } finally {
      closeSync(file)
    }
  },
  sync(path) {
    const opened = openSync(path, 'r')
    try {
      fsyncSync(opened)
    } finally {
      closeSync(opened)
    }
  },
  rename: renameSync,
  remove: (path) => rmSync(path, { force: true }),
  folder: (path) => void mkdirSync(path, { recursive: true, mode: 0o700 }),
}

/** What root writes, joining again for instance, is to be read by the user that edgecore runs as: who has the folder. */
function giveToOwnerOf(folder: string, file: number): void {
  const { uid, gid } = statSync(folder)
  if (uid === process.geteuid?.()) return
  try {
    fchownSync(file, uid, gid)
  } catch (error) {
    // Nobody else can give files away, and root cannot everywhere.
    if (codeOf(error) !== 'EPERM') throw error
  }
}
