import { statfsSync } from 'node:fs'
import { cpus, totalmem } from 'node:os'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import { type Key, keyOf, parseKey } from '@kedge/shared/objects'
import { podRefs } from '@kedge/shared/pod-refs'
import type { Service } from '@kedge/shared/service'
import type { Objects } from '../store/objects.ts'
import type { Outbox } from '../store/outbox.ts'
import { PodStatuses } from '../store/pods.ts'
import type { Store } from '../store/store.ts'
import { Admission, type Room } from './admission.ts'
import type { Capacity } from './field-refs.ts'
import { Images } from './images.ts'
import { Mounts } from './mounts.ts'
import type { PodName, Runtime } from './runtime.ts'
import { type Scheduler, systemScheduler } from './scheduler.ts'
import { type Ending, PodWorker } from './worker.ts'

export interface PodsOptions {
  store: Store
  /** What this node should run. */
  objects: Pick<Objects, 'get' | 'list'>
  outbox: Outbox
  clock: Clock
  log: Log
  runtime: Runtime
  /** Folder of this edgecore's data; volumes lie under `pods/` in it. */
  dataDir: string
  /** Address of this node, for `Pod.status.hostIP`. */
  hostIP: string
  scheduler?: Scheduler
  /**
   * Whether what this node holds was verified with the cloud at least once; until then nothing that runs is taken down
   * for not being in it.
   */
  verified: () => boolean
  /** What the node has to give; without it everyone is let in. */
  room?: () => Room
  /** Whether a pod is none of the cloud's: nothing has to be verified to take it down, and no status goes up. */
  isLocal?: (pod: PodName) => boolean
  /** Told of a pod of which nothing is left. */
  forgotten?: (pod: PodName) => void
}

export interface Pods extends Service {
  /** Objects changed, and the change is committed. Keys of any kind may be among them. */
  wake(keys: readonly Key[]): void
  /** Resolves once every pod is as far as it can get by itself: what remains waits for time or for someone else. */
  settled(): Promise<void>
  /** Takes a pod down, by its grace, and keeps it down until `release`, in this run of edgecore. */
  hold(pod: PodName): void
  /** Lets a pod that was held come up again, in a new sandbox. */
  release(pod: PodName): void
  /** Ends one container by its hook and its grace; what the pod wants runs again. Rejects when the engine is away. */
  end(pod: PodName, container: Ending): Promise<void>
  /** The images of the pods. */
  readonly images: Images
}

const retryMs = 5000

/**
 * Runs the pods that the store holds. What the engine runs already is adopted as it is, and stopping leaves it running.
 */
export function startPods(options: PodsOptions): Pods {
  return new PodManager(options)
}

class PodManager implements Pods {
  readonly #options: PodsOptions
  readonly #scheduler: Scheduler
  readonly #mounts: Mounts
  readonly #real: boolean
  readonly #capacity: Capacity
  readonly images: Images
  readonly #admission: Admission | undefined
  readonly #held = new Set<string>()
  readonly #statuses: PodStatuses
  readonly #verified: () => boolean
  readonly #workers = new Map<string, PodWorker>()
  readonly #unwatch: () => void
  #sweptVerified = false
  #sweeping: Promise<void> | undefined
  #stopped = false
  #cancelRetry: () => void = () => {}

  constructor(options: PodsOptions) {
    const { store, runtime, clock, dataDir, scheduler = systemScheduler } = options
    this.#options = options
    this.#scheduler = scheduler
    // An engine that runs nothing says so in its notice.
    this.#real = runtime.notice === undefined
    this.#mounts = new Mounts(dataDir, { real: this.#real, log: options.log })
    this.images = new Images(runtime, clock)
    this.#capacity = capacityOf(dataDir)
    this.#statuses = new PodStatuses(store.db)
    this.#verified = options.verified
    this.#admission = options.room && this.#admit(options.room)
    this.#unwatch = runtime.watch((pod) => this.#wake(pod))
    for (const { key } of options.objects.list('pods')) this.#wake(nameOf(key))
    this.#sweep()
  }

  wake(keys: readonly Key[]): void {
    if (this.#stopped) return
    const referred = new Set<Key>()
    for (const key of keys) {
      const parts = parseKey(key)
      if (parts?.resource === 'pods') this.#wake(parts)
      if (parts?.resource === 'configmaps' || parts?.resource === 'secrets') referred.add(key)
    }
    if (referred.size > 0) this.#wakeReferring(referred)
    if (!this.#sweptVerified && this.#verified()) this.#sweep()
  }

  hold(pod: PodName): void {
    this.#held.add(idOf(pod))
    this.#wake(pod)
  }

  release(pod: PodName): void {
    if (this.#held.delete(idOf(pod))) this.#wake(pod)
  }

  async end(pod: PodName, container: Ending): Promise<void> {
    const worker = this.#workers.get(idOf(pod))
    if (worker === undefined) throw new Error(`nobody looks after pod ${idOf(pod)}`)
    await worker.end(container)
  }

  /** Who was reported to have been taken up, and not to have ended, is in. */
  #admit(room: () => Room): Admission {
    const running = new Set(this.#statuses.all().flatMap(({ uid, status }) => (hasEnded(status) ? [] : [uid])))
    const { objects } = this.#options
    const admitted = objects
      .list('pods')
      .flatMap(({ content }) => (running.has(content.metadata.uid ?? '') ? [content] : []))
    const wanted = () => new Set(objects.list('pods').map(({ key }) => idOf(nameOf(key))))
    return new Admission({ admitted, wanted, room })
  }

  async settled(): Promise<void> {
    for (;;) {
      const busy = [...this.#workers.values()].flatMap((worker) => worker.running ?? [])
      if (this.#sweeping !== undefined) busy.push(this.#sweeping)
      if (busy.length === 0) return
      await Promise.all(busy)
    }
  }

  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelRetry()
    this.#unwatch()
    await Promise.all([this.#sweeping, ...[...this.#workers.values()].map((worker) => worker.stop())])
  }

  #wake({ namespace, name }: PodName): void {
    if (this.#stopped) return
    const pod = idOf({ namespace, name })
    let worker = this.#workers.get(pod)
    if (worker === undefined) {
      worker = this.#hire({ namespace, name })
      this.#workers.set(pod, worker)
    }
    worker.wake()
  }

  #hire(name: PodName): PodWorker {
    const { store, objects, outbox, clock, log, runtime, hostIP, isLocal } = this.#options
    return new PodWorker(name, {
      ...{ store, objects, outbox, clock, log, runtime, hostIP },
      statuses: this.#statuses,
      images: this.images,
      ...(this.#admission && { admission: this.#admission }),
      held: (pod) => this.#held.has(idOf(pod)),
      mounts: this.#mounts,
      real: this.#real,
      capacity: this.#capacity,
      scheduler: this.#scheduler,
      verified: () => this.#verified() || isLocal?.(name) === true,
      ...(isLocal && { isLocal }),
      now: () => clock.now(),
      ...(clock.corrected && { corrected: (time: number) => clock.corrected?.(time) ?? time }),
      gone: (worker) => {
        this.#workers.delete(worker.pod)
        this.#options.forgotten?.(worker.name)
      },
    })
  }

  #wakeReferring(keys: ReadonlySet<Key>): void {
    for (const { key, content } of this.#options.objects.list('pods')) {
      const { namespace } = nameOf(key)
      const { configMaps, secrets } = podRefs(content)
      const refers =
        configMaps.some((name) => keys.has(keyOf('configmaps', namespace, name))) ||
        secrets.some((name) => keys.has(keyOf('secrets', namespace, name)))
      if (refers) this.#wake(nameOf(key))
    }
  }

  #sweep(): void {
    if (this.#stopped) return
    this.#sweeping ??= this.#look().finally(() => {
      this.#sweeping = undefined
    })
  }

  /** Finds what is left of pods that nobody wants any more: in the engine, among the statuses and among the files. */
  async #look(): Promise<void> {
    const verified = this.#verified()
    try {
      const seen = await this.#options.runtime.list()
      for (const { pod } of seen) this.#wake(pod)
      for (const { pod } of this.#statuses.all()) this.#wake(parse(pod))
      if (verified) await this.#sweepFiles(new Set(seen.map(({ pod }) => pod.uid)))
      this.#sweptVerified = verified
    } catch (error) {
      this.#options.log.warn({ reason: explain(error), retryMs }, 'pod sweep failed')
      if (!this.#stopped) this.#cancelRetry = this.#scheduler.after(retryMs, () => this.#sweep())
    }
  }

  async #sweepFiles(seen: ReadonlySet<string>): Promise<void> {
    const uids = await this.#mounts.uids()
    const wanted = new Set(this.#options.objects.list('pods').map(({ content }) => content.metadata.uid))
    const kept = new Set(this.#statuses.all().map(({ uid }) => uid))
    for (const uid of uids) {
      if (!seen.has(uid) && !wanted.has(uid) && !kept.has(uid)) await this.#mounts.remove(uid)
    }
  }
}

/** What there is altogether: what a container sees that asks for its limits and has none. */
function capacityOf(dataDir: string): Capacity {
  const { blocks, bsize } = statfsSync(dataDir)
  return { cpuMillis: cpus().length * 1000, memoryBytes: totalmem(), diskBytes: blocks * bsize }
}

function nameOf(key: Key): PodName {
  return must(parseKey(key), `a pod in the key ${key}`)
}

function idOf({ namespace, name }: PodName): string {
  return `${namespace}/${name}`
}

function hasEnded({ phase }: Record<string, unknown>): boolean {
  return phase === 'Succeeded' || phase === 'Failed'
}

function parse(pod: string): PodName {
  const [namespace = '', name = ''] = pod.split('/')
  return { namespace, name }
}
