import { randomBytes } from 'node:crypto'
import {
  chmod,
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
import { dirname, join } from 'node:path'
import { codeOf } from '@kedge/shared/errors'
import type { VolumeFile } from './volume-files.ts'

type Files = ReadonlyMap<string, VolumeFile>

/**
 * The volumes of pods as files: `<data>/pods/<uid>/volumes/<volume>/<path>`.
 *
 * A volume changes as a whole or not at all, the way kubelet does it: the files lie in a folder of their own, `..data`
 * points to that folder, each name in the volume points through `..data`, and a new version is one rename of `..data`.
 */
export class Mounts {
  readonly #root: string

  constructor(dataDir: string) {
    this.#root = join(dataDir, 'pods')
  }

  /** Where the volumes of a pod are. */
  folder(uid: string): string {
    // A uid is a folder: nothing in it may lead elsewhere.
    if (!/^[\w-]+$/.test(uid)) throw new Error(`"${uid}" is not a uid`)
    return join(this.#root, uid)
  }

  /** Whether the volumes on disk hold exactly these files. */
  async holds(uid: string, volumes: ReadonlyMap<string, Files>): Promise<boolean> {
    for (const [volume, files] of volumes) {
      if (!(await sameFiles(join(this.folder(uid), 'volumes', volume), files))) return false
    }
    return true
  }

  /** Brings the volumes of a pod up to date; those that hold what they should are left alone. */
  async write(uid: string, volumes: ReadonlyMap<string, Files>): Promise<void> {
    // Among the files are secrets: nobody else on the machine comes past this folder.
    await mkdir(this.#root, { recursive: true, mode: 0o700 })
    for (const [volume, files] of volumes) {
      const folder = join(this.folder(uid), 'volumes', volume)
      if (await sameFiles(folder, files)) continue
      await replace(folder, files).catch((cause) => {
        throw new Error(`write volume ${volume}`, { cause })
      })
    }
  }

  /** Removes all files of a pod; one that has none is fine. */
  async remove(uid: string): Promise<void> {
    await rm(this.folder(uid), { recursive: true, force: true })
  }

  /** The uids of the pods that have files. */
  async uids(): Promise<string[]> {
    return (await entries(this.#root)).filter((name) => /^[\w-]+$/.test(name))
  }
}

async function replace(folder: string, files: Files): Promise<void> {
  await mkdir(folder, { recursive: true, mode: 0o755 })
  const before = await readlink(join(folder, '..data')).catch(orUndefined)
  const version = `..${randomBytes(8).toString('hex')}`
  for (const [path, { data, mode }] of files) {
    const at = join(folder, version, path)
    await mkdir(dirname(at), { recursive: true, mode: 0o755 })
    await writeFile(at, data, { mode })
    await chmod(at, mode)
  }
  await mkdir(join(folder, version), { recursive: true, mode: 0o755 })
  await rm(join(folder, '..data_tmp'), { force: true })
  await symlink(version, join(folder, '..data_tmp'))
  await rename(join(folder, '..data_tmp'), join(folder, '..data'))
  await link(folder, new Set([...files.keys()].map((path) => path.split('/')[0] ?? path)))
  // What a crash left behind goes with the version that was replaced.
  const old = (await entries(folder)).filter((name) => name.startsWith('..') && name !== '..data' && name !== version)
  for (const name of new Set([...old, ...(before === undefined || before === version ? [] : [before])])) {
    await rm(join(folder, name), { recursive: true, force: true })
  }
}

/** The names in the volume, each a link through `..data`; those that are no longer there go. */
async function link(folder: string, names: ReadonlySet<string>): Promise<void> {
  const present = (await entries(folder)).filter((name) => !name.startsWith('..'))
  for (const name of present) if (!names.has(name)) await unlink(join(folder, name))
  for (const name of names) {
    if (!present.includes(name)) await symlink(join('..data', name), join(folder, name))
  }
}

async function sameFiles(folder: string, files: Files): Promise<boolean> {
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

async function entries(folder: string): Promise<string[]> {
  return (await readdir(folder).catch(orUndefined)) ?? []
}

/** What is not there is undefined; every other trouble stays one. */
function orUndefined(error: unknown): undefined {
  if (codeOf(error) === 'ENOENT') return undefined
  throw error
}
