import { existsSync, realpathSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, rm, stat } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { prepareHostPath } from './host-paths.ts'
import { mountMemory, mountPoints, unmount } from './mount-table.ts'
import { entriesOf, openFolder, orUndefined, replaceFiles, sameFiles } from './volume-writer.ts'
import type { PodVolumes, VolumeContent } from './volumes.ts'

export interface MountsOptions {
  /** Whether somebody runs what is in the pods: then empty folders, file systems in memory and host paths count, too. */
  real?: boolean
  log?: Log
}

/**
 * The volumes of pods on disk and in memory: `<data>/pods/<uid>/volumes/<volume>/<path>`.
 *
 * Invariants:
 * - A volume of files changes as a whole or not at all.
 * - Nothing is removed through a mount: what is mounted below a pod's folder goes first, or the folder stays.
 */
export class Mounts {
  readonly #root: string
  readonly #real: boolean
  readonly #log: Log | undefined
  /** Whether file systems in memory can be mounted here, as far as is known. */
  #memory: boolean
  /** Pods that have ended and have nothing mounted any more. */
  readonly #released = new Set<string>()
  /** Volumes whose host paths were looked at. */
  readonly #checked = new Set<string>()

  constructor(dataDir: string, { real = false, log }: MountsOptions = {}) {
    // As the kernel names it: that is how mounts are found again.
    this.#root = join(existsSync(dataDir) ? realpathSync(dataDir) : resolve(dataDir), 'pods')
    this.#real = real
    this.#memory = real && process.getuid?.() === 0
    this.#log = log
  }

  /** Where everything of a pod is. */
  folder(uid: string): string {
    // A uid is a folder: nothing in it may lead elsewhere.
    if (!/^[\w-]+$/.test(uid)) throw new Error(`"${uid}" is not a uid`)
    return join(this.#root, uid)
  }

  /** Where a volume is on this node. */
  source(uid: string, name: string, content: VolumeContent): string {
    return content.is === 'host' ? content.path : join(this.folder(uid), 'volumes', name)
  }

  /** Whether the volumes are there and hold what they should. */
  async holds(uid: string, { contents }: PodVolumes): Promise<boolean> {
    const mounted = await this.#mounted(contents)
    for (const [name, content] of contents) {
      if (!(await this.#isUp(uid, name, { content, mounted }))) return false
    }
    return true
  }

  async #isUp(
    uid: string,
    name: string,
    { content, mounted }: { content: VolumeContent; mounted: Set<string> },
  ): Promise<boolean> {
    if (content.is === 'host') return !this.#real || this.#checked.has(`${uid}/${name}`)
    const folder = this.source(uid, name, content)
    if (this.#inMemory(content) && !mounted.has(folder)) return false
    if (content.is === 'files') return sameFiles(folder, content.files)
    return !this.#real || (await stat(folder).catch(orUndefined)) !== undefined
  }

  /** Brings the volumes of a pod up to date; those that hold what they should are left alone. */
  async write(uid: string, { contents, group }: PodVolumes): Promise<void> {
    // Among the files are secrets: nobody else on the machine comes past this folder.
    await mkdir(this.#root, { recursive: true, mode: 0o700 })
    const mounted = await this.#mounted(contents)
    for (const [name, content] of contents) {
      if (await this.#isUp(uid, name, { content, mounted })) continue
      await this.#bringUp(uid, name, { content, mounted, ...(group !== undefined && { group }) }).catch((cause) => {
        throw new Error(`MountVolume.SetUp failed for volume "${name}" `, { cause })
      })
    }
  }

  async #bringUp(uid: string, name: string, volume: Bringing): Promise<void> {
    const { content, mounted, group } = volume
    if (content.is === 'host') {
      if (this.#real) await prepareHostPath(content)
      this.#checked.add(`${uid}/${name}`)
      return
    }
    const folder = this.source(uid, name, content)
    if (content.is === 'empty' && !this.#real) return
    await openFolder(folder)
    if (this.#inMemory(content) && !mounted.has(folder)) await this.#mount(folder, content)
    if (content.is === 'files') await replaceFiles(folder, content.files, this.#real ? group : undefined)
    else await share(folder, group)
  }

  async #mount(folder: string, content: VolumeContent): Promise<void> {
    const bytes = content.is === 'empty' ? content.bytes : undefined
    await mountMemory(folder, { mode: '0755', ...(bytes !== undefined && { bytes }) }).catch((error) => {
      this.#memory = false
      this.#log?.warn({ reason: explain(error), instead: 'disk' }, 'no file systems in memory')
    })
  }

  #inMemory(content: VolumeContent): boolean {
    return this.#memory && ((content.is === 'files' && content.secret) || (content.is === 'empty' && content.memory))
  }

  async #mounted(contents: PodVolumes['contents']): Promise<Set<string>> {
    const needed = [...contents.values()].some((content) => this.#inMemory(content))
    return new Set(needed ? await mountPoints() : [])
  }

  /** Gives back the memory that the volumes of a pod take which has ended; what it left on disk stays. */
  async release(uid: string): Promise<void> {
    if (!this.#real || this.#released.has(uid)) return
    await unmountBelow(this.folder(uid))
    this.#released.add(uid)
  }

  /** Removes everything of a pod; one that has nothing is fine. */
  async remove(uid: string): Promise<void> {
    const folder = this.folder(uid)
    if (this.#real && (await readdir(folder).catch(orUndefined)) !== undefined) await unmountBelow(folder)
    this.#released.delete(uid)
    for (const key of this.#checked) if (key.startsWith(`${uid}/`)) this.#checked.delete(key)
    await rm(folder, { recursive: true, force: true })
  }

  /** The uids of the pods that have files. */
  async uids(): Promise<string[]> {
    return (await entriesOf(this.#root)).filter((name) => /^[\w-]+$/.test(name))
  }
}

interface Bringing {
  content: VolumeContent
  mounted: Set<string>
  group?: number
}

/** Everybody in the pod may write here; with a group, what they make is the group's. */
async function share(folder: string, group: number | undefined): Promise<void> {
  if (group !== undefined) await chown(folder, 0, group)
  await chmod(folder, group === undefined ? 0o777 : 0o2777)
}

async function unmountBelow(folder: string): Promise<void> {
  const below = async () => (await mountPoints()).filter((point) => point.startsWith(`${folder}/`))
  for (const point of (await below()).reverse()) await unmount(point)
  const left = await below()
  if (left.length > 0) throw new Error(`${left[0]} is still mounted`)
}
