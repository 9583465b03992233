import { constants } from 'node:fs'
import { type FileHandle, open, realpath, stat } from 'node:fs/promises'
import { dirname, join, relative, sep } from 'node:path'
import { codeOf } from '@kedge/shared/errors'
import { openFolder } from './volume-writer.ts'

/**
 * The path below a volume that a container gets in place of the whole. What runs in the pod may put links into the volume,
 * so the path is followed once and must end in the volume. A folder that is not there is made, if it may be.
 */
export async function resolveSubPath(
  volume: string,
  subPath: string,
  { make = true }: { make?: boolean } = {},
): Promise<string> {
  const root = await realpath(volume)
  const at = join(root, subPath)
  const found = await realpath(at).catch((error) => {
    if (codeOf(error) === 'ENOENT') return undefined
    throw error
  })
  if (found !== undefined) return inside(root, found, subPath)
  if (!make) throw new Error(`there is no "${subPath}" in the volume`)
  // What is to be made hangs on the deepest folder that is there.
  inside(root, await deepest(dirname(at)), subPath)
  await openFolder(at, (await stat(root)).mode & 0o7777)
  return inside(root, await realpath(at), subPath)
}

async function deepest(path: string): Promise<string> {
  try {
    return await realpath(path)
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    return deepest(dirname(path))
  }
}

function inside(root: string, path: string, subPath: string): string {
  if (path === root || path.startsWith(root.endsWith(sep) ? root : root + sep)) return path
  throw new Error(`subPath "${subPath}" leads out of the volume`)
}

/**
 * Opens a path below a folder with no link followed on the way: what it gives back is the very thing that was checked,
 * whatever somebody puts in its place meanwhile. The caller closes it.
 */
export async function openInside(root: string, path: string): Promise<FileHandle> {
  // O_PATH is not among Node's constants: it opens devices and sockets without touching them.
  const flags = constants.O_NOFOLLOW | oPath
  let at = await open(root, flags)
  for (const part of relative(root, path).split(sep)) {
    if (part === '') continue
    const next = await open(`/proc/self/fd/${at.fd}/${part}`, flags).finally(() => at.close())
    if ((await next.stat()).isSymbolicLink()) {
      await next.close()
      throw new Error(`${path} changed while it was looked at`)
    }
    at = next
  }
  return at
}

/** Linux on every processor that Node.js runs on. */
const oPath = 0o10000000
