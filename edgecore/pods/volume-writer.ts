import { randomBytes } from 'node:crypto'
import {
  chmod,
  chown,
  lstat,
  mkdir,
  readdir,
  readFile,
  readlink,
  rename,
  rm,
  stat,
  symlink,
  unlink,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { codeOf } from '@kedge/shared/errors'
import type { VolumeFile } from './volume-files.ts'

/**
 * A volume made of files, written as a whole or not at all, the way kubelet does it: the files lie in a folder of their
 * own, `..data` points to that folder, each name in the volume points through `..data`, and a new version is one rename
 * of `..data`.
 */

export type Files = ReadonlyMap<string, VolumeFile>

/** Replaces what the volume holds by `files`; `group` owns them, if given. */
export async function replaceFiles(folder: string, files: Files, group?: number): Promise<void> {
  await openFolder(folder)
  const before = await readlink(join(folder, '..data')).catch(orUndefined)
  const version = `..${randomBytes(8).toString('hex')}`
  await openFolder(join(folder, version))
  for (const [path, { data, mode }] of files) {
    const at = join(folder, version, path)
    for (const parent of parentsOf(path)) await openFolder(join(folder, version, parent))
    await writeFile(at, data, { mode })
    if (group !== undefined) await chown(at, 0, group)
    await chmod(at, mode)
  }
  await rm(join(folder, '..data_tmp'), { force: true })
  await symlink(version, join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  await link(folder, new Set([...files.keys()].map((path) => path.split('/')[0] ?? path)))
  // What a crash left behind goes with the version that was replaced.
  const old = (await entriesOf(folder)).filter((name) => name.startsWith('..') && name !== '..data' && name !== version)
  for (const name of new Set([...old, ...(before === undefined || before === version ? [] : [before])])) {
    await rm(join(folder, name), { recursive: true, force: true })
  }
}

/** Makes a folder that everybody can look into, whatever the umask of this process. */
export async function openFolder(folder: string, mode = 0o755): Promise<void> {
  await mkdir(folder, { recursive: true })
  await chmod(folder, mode)
}

/** The folders on the way to a path, the outermost first. */
function parentsOf(path: string): string[] {
  const parts = path.split('/').slice(0, -1)
  return parts.map((_, index) => parts.slice(0, index + 1).join('/'))
}

/** The names in the volume, each a link through `..data`; those that are no longer there go. */
async function link(folder: string, names: ReadonlySet<string>): Promise<void> {
  const present = (await entriesOf(folder)).filter((name) => !name.startsWith('..'))
  for (const name of present) if (!names.has(name)) await unlink(join(folder, name))
  for (const name of names) {
    if (!present.includes(name)) await symlink(join('..data', name), join(folder, name))
  }
}

/** Whether the volume holds exactly these files. */
export async function sameFiles(folder: string, files: Files): Promise<boolean> {
  const data = join(folder, '..data')
  const found = await filesBelow(data)
  if (found === undefined || found.length !== files.size) return false
  for (const [path, { data: wanted, mode }] of files) {
    if (!found.includes(path) || !(await isLinked(folder, path))) return false
    const at = join(data, path)
    if (((await stat(at)).mode & 0o777) !== mode || !(await readFile(at)).equals(wanted)) return false
  }
  return true
}

async function isLinked(folder: string, path: string): Promise<boolean> {
  const found = await lstat(join(folder, path.split('/')[0] ?? path)).catch(orUndefined)
  return found !== undefined
}

async function filesBelow(folder: string): Promise<string[] | undefined> {
  const found = await readdir(folder, { recursive: true, withFileTypes: true }).catch(orUndefined)
  return found
    ?.filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name).slice(folder.length + 1))
}

/** The names in a folder; none when there is no such folder. */
export async function entriesOf(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(orUndefined)) ?? []
}

/** What is not there is undefined; every other trouble stays one. */
export function orUndefined(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined
  throw error
}
