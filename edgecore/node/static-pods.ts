import { type FSWatcher, watch } from 'node:fs'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { type Key, keyOf } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { PodName } from '../pods/runtime.ts'
import type { NodeCondition } from '../reports/node-conditions.ts'
import type { HeldObject } from '../store/objects.ts'
import { type Store, setMeta } from '../store/store.ts'
import { readFolder, type StaticFile } from './static-files.ts'
import { heldOf, type Kept, metaName, readKept } from './static-kept.ts'

export interface StaticPodsOptions {
  folder: string
  nodeName: string
  store: Store
  log: Log
  /** Told of a file that cannot be followed, once for each fault. */
  onFault: (file: string, reason: string) => void
  /** Milliseconds between two looks at the folder, for what its watch does not tell. */
  lookEvery?: number
}

const defaultLookMs = 20_000
/** An editor writes more than once. */
const calmMs = 100

/**
 * The pods of a folder on this node, which run without any cloud.
 *
 * Invariants:
 * - What was good in a file stays until the file says something else that is good, or is gone: a file that cannot be read,
 *   or a folder, takes no pod down.
 * - A pod that was ever offered is owned, also by the next edgecore, until nothing of it is left.
 */
export class StaticPods implements Service {
  readonly #options: StaticPodsOptions
  readonly #listeners: ((keys: Key[]) => void)[] = []
  #kept: Kept
  #files = new Map<string, StaticFile>()
  #folderFault: string | undefined
  #watcher: FSWatcher | undefined
  #timer: NodeJS.Timeout | undefined
  #soon: NodeJS.Timeout | undefined
  #looking: Promise<void> = Promise.resolve()
  #stopped = false

  private constructor(options: StaticPodsOptions) {
    this.#options = options
    this.#kept = readKept(options.store.db)
  }

  /** Resolves after the first look at the folder. */
  static async start(options: StaticPodsOptions): Promise<StaticPods> {
    const pods = new StaticPods(options)
    await pods.#look()
    pods.#watch()
    pods.#timer = setInterval(() => pods.look(), options.lookEvery ?? defaultLookMs)
    return pods
  }

  get(key: Key): HeldObject | undefined {
    const content = this.#kept[key]?.content
    return content ? { key, content, refused: null } : undefined
  }

  list(): HeldObject[] {
    return heldOf(this.#kept)
  }

  owns({ namespace, name }: PodName): boolean {
    return this.#kept[keyOf('pods', namespace, name)] !== undefined
  }

  /** Nothing is left of a pod. */
  forgotten({ namespace, name }: PodName): void {
    const key = keyOf('pods', namespace, name)
    if (this.#kept[key]?.content !== null) return
    const { [key]: _gone, ...kept } = this.#kept
    this.#kept = kept
    void this.#save()
  }

  /** Calls `listener` with the pods that are new, changed or gone. */
  onChange(listener: (keys: Key[]) => void): void {
    this.#listeners.push(listener)
  }

  /** The node's condition `StaticPodsRead`. */
  condition(): NodeCondition {
    const type = 'StaticPodsRead'
    if (this.#folderFault !== undefined) {
      const message = `the folder of static pods cannot be read, what ran goes on: ${this.#folderFault}`
      return { type, status: 'False', reason: 'FolderUnreadable', message }
    }
    const faults = [...this.#files.values()].flatMap(({ file, fault }) => (fault ? [`${file}: ${fault}`] : []))
    if (faults.length === 0)
      return { type, status: 'True', reason: 'StaticPodsRead', message: 'every file of the folder is followed' }
    return { type, status: 'False', reason: 'FileRefused', message: faults.join('; ').slice(0, 1024) }
  }

  /** Looks at the folder soon. */
  look(): void {
    if (this.#stopped) return
    clearTimeout(this.#soon)
    this.#soon = setTimeout(() => {
      this.#looking = this.#looking.then(() => this.#look())
    }, calmMs)
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearInterval(this.#timer)
    clearTimeout(this.#soon)
    this.#watcher?.close()
    await this.#looking
  }

  #watch(): void {
    const { folder, log } = this.#options
    try {
      this.#watcher = watch(folder, () => this.look())
      // The folder may go, and come again: from then on it is looked at now and then.
      this.#watcher.on('error', () => this.#watcher?.close())
    } catch (error) {
      log.info({ folder, reason: explain(error) }, 'static pods not watched')
    }
  }

  async #look(): Promise<void> {
    const { folder, nodeName, log, onFault } = this.#options
    try {
      const files = await readFolder(folder, nodeName, this.#files)
      this.#folderFault = undefined
      for (const { file, fault } of files) {
        if (fault === undefined || this.#files.get(file)?.fault === fault) continue
        log.error({ file, reason: fault }, 'static pod refused')
        onFault(file, fault)
      }
      this.#files = new Map(files.map((file) => [file.file, file]))
      await this.#take(files)
    } catch (error) {
      const reason = explain(error)
      if (this.#folderFault !== reason) log.error({ folder, reason }, 'static pods not read')
      this.#folderFault = reason
    }
  }

  async #take(files: readonly StaticFile[]): Promise<void> {
    const next: Kept = {}
    for (const { file, pods } of files) for (const { key, content } of pods) next[key] = { file, content }
    const faulty = new Set(files.flatMap(({ file, fault }) => (fault === undefined ? [] : [file])))
    for (const [key, { file, content }] of Object.entries(this.#kept) as [Key, Kept[Key]][]) {
      // Of a file that was bad when edgecore started, what it said before goes on.
      next[key] ??= { file, content: faulty.has(file) ? content : null }
    }
    const uid = (kept: Kept, key: Key) => kept[key]?.content?.metadata.uid
    const changed = (Object.keys(next) as Key[]).filter((key) => uid(next, key) !== uid(this.#kept, key))
    if (changed.length === 0) return
    this.#kept = next
    await this.#save()
    this.#options.log.info({ pods: changed }, 'static pods changed')
    for (const listener of this.#listeners) listener(changed)
  }

  /** What the disk does not take now is read from the folder again at the next start. */
  async #save(): Promise<void> {
    const { store, log } = this.#options
    const text = JSON.stringify(this.#kept)
    await store
      .commit(() => setMeta(store.db, metaName, text))
      .catch((error: unknown) => log.debug({ reason: explain(error) }, 'static pods not kept'))
  }
}
