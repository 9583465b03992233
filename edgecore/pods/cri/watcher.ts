import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { PodName, Sandbox } from '../runtime.ts'
import type { Scheduler } from '../scheduler.ts'
import { methods } from './api.ts'
import type { CriClient } from './client.ts'
import { codes, type GrpcError } from './grpc.ts'
import { ownerOf, type View } from './view.ts'

export interface WatcherOptions {
  client: Pick<CriClient, 'call' | 'stream'>
  view: Pick<View, 'list' | 'owner' | 'expire' | 'runs'>
  scheduler: Scheduler
  log: Log
  /** The engine is there, anew. */
  up: () => void
}

/** With events, a look at everything now and then is for what they might have missed. */
const lookMs = 30_000
/** An engine without events is looked at this often, as kubelet does. */
const pollMs = 1000
const firstAgainMs = 250
const longestAgainMs = 5000
/** containerd tells of an exit before its CRI knows of it: how long to ask for. */
const settleMs = [0, 10, 20, 40, 80, 160, 320, 640]

/**
 * Finds out what happens to pods by itself: by the engine's events where it has some, by looking where it has none, and
 * by one look at everything whenever the engine has come back.
 */
export class Watcher {
  readonly #options: WatcherOptions
  #changed: ((pod: PodName) => void) | undefined
  #engine: { name: string; version: string } | undefined
  /** A line for each pod that was seen last: what it is made of and how that is doing. */
  #seen = new Map<string, { pod: PodName; state: string }>()
  #reachable = true
  #againMs = firstAgainMs
  #everyMs = lookMs
  #looking = false
  #endStream: () => void = () => {}
  #cancel: () => void = () => {}

  constructor(options: WatcherOptions) {
    this.#options = options
  }

  /** The engine that answered last. */
  get engine(): { name: string; version: string } | undefined {
    return this.#engine
  }

  start(changed: (pod: PodName) => void): () => void {
    this.#changed = changed
    void this.#connect()
    return () => this.stop()
  }

  stop(): void {
    this.#changed = undefined
    this.#cancel()
    this.#endStream()
  }

  tell(pod: PodName): void {
    this.#changed?.(pod)
  }

  async #connect(): Promise<void> {
    const { client, log, up } = this.#options
    try {
      const { runtime_name: name, runtime_version: version } = await client.call(methods.version, {})
      if (this.#changed === undefined) return
      const known = this.#engine?.name === name && this.#engine.version === version
      if (!known || !this.#reachable) log.info({ engine: name, engineVersion: version }, 'container engine up')
      this.#engine = { name, version }
      this.#reachable = true
      this.#everyMs = lookMs
      up()
      if (name === 'containerd') this.#followContainerd()
      else this.#follow()
      await this.#look()
      // What happened between the two beginnings.
      this.#lookAfter(pollMs)
    } catch (error) {
      this.#lost(error)
    }
  }

  #lost(error: unknown): void {
    if (this.#changed === undefined) return
    this.#endStream()
    if (this.#reachable) this.#options.log.warn({ reason: explain(error) }, 'container engine away')
    this.#reachable = false
    this.#after(this.#againMs, () => this.#connect())
    this.#againMs = Math.min(this.#againMs * 2, longestAgainMs)
  }

  #lookAfter(ms: number): void {
    this.#after(ms, async () => {
      await this.#look()
      this.#againMs = firstAgainMs
      this.#lookAfter(this.#everyMs)
    })
  }

  #after(ms: number, run: () => Promise<void>): void {
    this.#cancel()
    if (this.#changed === undefined) return
    this.#cancel = this.#options.scheduler.after(ms, () => void run().catch((error) => this.#lost(error)))
  }

  /** Any engine's own events, which come when its lists are up to date. */
  #follow(): void {
    const end = this.#options.client.stream(
      methods.events,
      {},
      {
        message: ({ container_id, sandbox }) => {
          this.#options.view.expire(container_id)
          if (sandbox !== undefined) this.tell(ownerOf(sandbox.labels))
        },
        end: (error) => this.#ended(end, error),
      },
    )
    this.#endStream = end
  }

  /** containerd's events: of everything it runs, whoever asked for it. */
  #followContainerd(): void {
    const filters = ['exit', 'oom'].map((what) => `topic=="/tasks/${what}",namespace=="k8s.io"`)
    const end = this.#options.client.stream(
      methods.subscribe,
      { filters },
      {
        message: ({ topic, event }) => {
          const { container_id = '', id = '' } = event?.value ?? {}
          // The end of a command that was run in a container is not the end of the container.
          if (topic === '/tasks/exit' && id !== container_id) return
          void this.#settled(container_id)
        },
        end: (error) => this.#ended(end, error),
      },
    )
    this.#endStream = end
  }

  #ended(end: () => void, error: GrpcError | undefined): void {
    if (this.#endStream !== end || this.#changed === undefined) return
    this.#endStream = () => {}
    // CRI-O, unless it was told to tell of events, ends them at once as if all was well (`enable_pod_events`).
    const hasNone = error === undefined && this.#engine?.name !== 'containerd'
    if (!hasNone && error?.code !== codes.unimplemented)
      return this.#lost(error ?? new Error('the engine ended its events'))
    this.#everyMs = pollMs
    this.#lookAfter(pollMs)
  }

  /** Waits until the engine's lists know what its event says, then tells whose container it is. */
  async #settled(id: string): Promise<void> {
    const { view, scheduler } = this.#options
    const pod = view.owner(id)
    if (pod === undefined) return
    for (const ms of settleMs) {
      if (ms > 0) await new Promise<void>((resolve) => scheduler.after(ms, resolve))
      if (!(await view.runs(id).catch(() => false))) break
    }
    view.expire(id)
    this.tell(pod)
  }

  /** Looks at everything and tells of the pods that are not as they were. */
  async #look(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      const before = this.#seen
      const now = statesOf(await this.#options.view.list())
      this.#seen = now
      for (const [key, { pod, state }] of now) if (before.get(key)?.state !== state) this.tell(pod)
      for (const [key, { pod }] of before) if (!now.has(key)) this.tell(pod)
    } finally {
      this.#looking = false
    }
  }
}

function statesOf(sandboxes: readonly Sandbox[]): Map<string, { pod: PodName; state: string }> {
  const states = new Map<string, { pod: PodName; state: string }>()
  for (const { id, pod, ready, containers } of sandboxes) {
    const key = `${pod.namespace}/${pod.name}`
    const own = [`${id}=${ready}`, ...containers.map((one) => `${one.id}=${one.state.is}`)].join(' ')
    states.set(key, { pod, state: `${states.get(key)?.state ?? ''} ${own}` })
  }
  return states
}
