import { constants } from 'node:fs'
import { chmod, type FileHandle, mkdir, open, realpath, stat } from 'node:fs/promises'
import { basename, dirname, join, relative, sep } from 'node:path'
import { codeOf } from '@kedge/shared/errors'

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
  const { base, names } = await deepest(dirname(at), [basename(at)])
  await makeInside(root, inside(root, base, subPath), names)
  return inside(root, await realpath(at), subPath)
}

async function deepest(path: string, names: readonly string[]): Promise<{ base: string; names: readonly string[] }> {
  try {
    return { base: await realpath(path), names }
  } catch (error) {
    if (codeOf(error) !== 'ENOENT') throw error
    return deepest(dirname(path), [basename(path), ...names])
  }
}

/** Makes folders, one in the other, with the rights of the volume; no link is followed that somebody puts in the way. */
async function makeInside(root: string, base: string, names: readonly string[]): Promise<void> {
  const mode = (await stat(root)).mode & 0o7777
  let at = await openInside(root, base)
  try {
    for (const name of names) {
      await mkdir(ofHandle(at, name)).catch((error) => {
        if (codeOf(error) !== 'EEXIST') throw error
      })
      at = await openNext(at, name)
      await chmod(ofHandle(at), mode)
    }
  } finally {
    await at.close()
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
  let at = await open(root, unfollowed)
  for (const part of relative(root, path).split(sep)) if (part !== '') at = await openNext(at, part)
  return at
}

/** Opens what bears this name in a folder, if it is no link, and closes the folder. */
async function openNext(folder: FileHandle, name: string): Promise<FileHandle> {
  const next = await open(ofHandle(folder, name), unfollowed).finally(() => folder.close())
  if (!(await next.stat()).isSymbolicLink()) return next
  await next.close()
  throw new Error(`${name} in the volume changed while it was looked at`)
}

/** What a handle holds, or a name in it, as a path that does not lead over other names. */
function ofHandle({ fd }: FileHandle, ...names: string[]): string {
  return join(`/proc/self/fd/${fd}`, ...names)
}

/** O_PATH, which is not among Node's constants, opens devices and sockets without touching them. */
const unfollowed = constants.O_NOFOLLOW | 0o10000000
