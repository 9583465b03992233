import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { type Service, sleep } from '@kedge/shared/service'
import type { Kube, ListOptions, WatchEvent } from './api.ts'
import type { Counters } from './counters.ts'
import { isExpired } from './errors.ts'
import {
  afterEnd,
  afterFailure,
  afterOpen,
  afterProgress,
  firstState,
  type LoopState,
  type Next,
} from './watch-plan.ts'

/** Where a loop puts what it learns. Its calls come one at a time and must not throw. */
export interface WatchSink {
  /** Makes an object smaller before it is kept; undefined when it need not be kept at all. */
  trim(object: KubeObject): KubeObject | undefined
  /** The whole collection: what is not in it is gone. */
  replace(objects: KubeObject[]): void
  /** One object was added or changed (untrimmed). */
  put(object: KubeObject): void
  remove(object: KubeObject): void
}

export interface WatchLoopOptions {
  kube: Pick<Kube, 'list' | 'confirm' | 'watch'>
  path: string
  selector?: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>
  sink: WatchSink
  log: Log
  clock: Clock
  counters?: Counters
  random?: () => number
}

/**
 * Keeps a sink equal to one collection of the Kubernetes API for as long as it runs: list, watch from there, resume
 * after the last event or bookmark, list again when the server has forgotten that version (410) or has been put back
 * behind it, and wait longer and longer while it cannot be reached. Never gives up.
 */
export class WatchLoop implements Service {
  readonly #options: WatchLoopOptions
  readonly #random: () => number
  readonly #stop = new AbortController()
  #watch = new AbortController()
  #state: LoopState = firstState
  #relist = false
  #toldAt = 0
  #running: Promise<void> | undefined

  constructor(options: WatchLoopOptions) {
    this.#options = options
    this.#random = options.random ?? Math.random
  }

  start(): void {
    this.#running ??= this.#run()
  }

  async stop(): Promise<void> {
    this.#stop.abort()
    this.#watch.abort()
    await this.#running
  }

  /** Lists again soon: what the sink threw away is needed after all. */
  relist(): void {
    this.#relist = true
    this.#watch.abort()
  }

  async #run(): Promise<void> {
    while (!this.#stop.signal.aborted) {
      const wait = await this.#round().catch((error: unknown) => this.#failed(error))
      if (wait > 0) await sleep(wait, this.#stop.signal)
    }
  }

  /** One list or one watch; resolves with the milliseconds to wait after it. */
  async #round(): Promise<number> {
    if (this.#relist) this.#state = { ...this.#state, version: undefined }
    const { version } = this.#state
    return version === undefined ? this.#list() : this.#follow(version)
  }

  async #list(): Promise<number> {
    const { kube, path, selector, sink, counters } = this.#options
    this.#relist = false
    counters?.add('lists')
    const trim = (object: KubeObject) => sink.trim(object)
    const list = await kube.list(path, { ...selector, signal: this.#stop.signal, trim })
    sink.replace(list.items)
    return this.#take(afterProgress(this.#state, list.resourceVersion))
  }

  async #follow(resourceVersion: string): Promise<number> {
    const { kube, path, clock, selector } = this.#options
    this.#watch = new AbortController()
    if (this.#state.doubted) await kube.confirm(path, { resourceVersion, signal: this.#stop.signal })
    if (this.#stop.signal.aborted || this.#watch.signal.aborted) return 0
    const began = clock.monotonic()
    let progressed = false
    const onOpen = () => void this.#take(afterOpen(this.#state))
    for await (const event of kube.watch(path, { ...selector, resourceVersion, signal: this.#watch.signal, onOpen })) {
      this.#apply(event)
      progressed = true
    }
    if (this.#watch.signal.aborted) return 0
    return this.#take(afterEnd(this.#state, { progressed, lasted: clock.monotonic() - began }, this.#random()))
  }

  #apply({ type, object }: WatchEvent): void {
    const { sink } = this.#options
    if (type === 'ADDED' || type === 'MODIFIED') sink.put(object)
    else if (type === 'DELETED') sink.remove(object)
    const version = object.metadata?.resourceVersion
    if (version) this.#take(afterProgress(this.#state, version))
  }

  #failed(error: unknown): number {
    if (this.#stop.signal.aborted) return 0
    if (isExpired(error)) this.#options.counters?.add('expired')
    return this.#take(afterFailure(this.#state, error, this.#random()), error)
  }

  #take({ state, wait, tell }: Next, error?: unknown): number {
    this.#state = state
    if (tell !== undefined) this.#tell(tell, error)
    return wait
  }

  #tell(tell: 'outage' | 'missing' | 'back', error: unknown): void {
    const { log, path, clock } = this.#options
    const now = clock.monotonic()
    if (tell === 'outage') log.warn({ path, error: explain(error) }, 'watch interrupted')
    else if (tell === 'missing') log.info({ path }, 'kind not served yet')
    else log.info({ path, afterMs: Math.round(now - this.#toldAt) }, 'watch resumed')
    if (tell !== 'back') this.#toldAt = now
  }
}
