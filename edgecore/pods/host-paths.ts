import { chmod, open, stat } from 'node:fs/promises'
import { codeOf } from '@kedge/shared/errors'
import type { HostPath } from './volume-schema.ts'
import { openFolder } from './volume-writer.ts'

type Stats = Awaited<ReturnType<typeof stat>>

const checks: Record<Exclude<HostPath['type'], ''>, { is: (found: Stats) => boolean; what: string }> = {
  DirectoryOrCreate: { is: (found) => found.isDirectory(), what: 'a directory' },
  Directory: { is: (found) => found.isDirectory(), what: 'a directory' },
  FileOrCreate: { is: (found) => found.isFile(), what: 'a file' },
  File: { is: (found) => found.isFile(), what: 'a file' },
  Socket: { is: (found) => found.isSocket(), what: 'a socket file' },
  CharDevice: { is: (found) => found.isCharacterDevice(), what: 'a character device' },
  BlockDevice: { is: (found) => found.isBlockDevice(), what: 'a block device' },
}

async function makeFile(path: string): Promise<void> {
  await (await open(path, 'a')).close()
  await chmod(path, 0o644)
}

/** Checks a path of the node by its type, and makes what is to be made. Rejects with what is wrong. */
export async function prepareHostPath({ path, type }: Pick<HostPath, 'path' | 'type'>): Promise<void> {
  if (type === '') return
  const found = await stat(path).catch((error) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw new Error(`hostPath type check failed: ${path}`, { cause: error })
  })
  const { is, what } = checks[type]
  if (found === undefined && type === 'DirectoryOrCreate') await openFolder(path)
  else if (found === undefined && type === 'FileOrCreate') await makeFile(path)
  else if (found === undefined || !is(found)) {
    const but = found === undefined ? ', there is nothing there' : ''
    throw new Error(`hostPath type check failed: ${path} is not ${what}${but}`)
  }
}
