import { join } from 'node:path'
import type { ContainerStatus } from '@kedge/edgecore/pods/container-status'
import { CriRuntime } from '@kedge/edgecore/pods/cri/engine'
import { Mounts } from '@kedge/edgecore/pods/mounts'
import { type Pods, startPods } from '@kedge/edgecore/pods/pods'
import { systemScheduler } from '@kedge/edgecore/pods/scheduler'
import type { PodStatus } from '@kedge/edgecore/pods/status'
import { Objects } from '@kedge/edgecore/store/objects'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { PodStatuses } from '@kedge/edgecore/store/pods'
import { Store } from '@kedge/edgecore/store/store'
import { hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { contentText, type Key, type KubeObject, keyOf, type Resource } from '@kedge/shared/objects'
import type { EventReport } from '@kedge/shared/reports'
import type { Containerd } from './containerd.ts'
import { eventually } from './eventually.ts'
import { tempDir, type WhenOver } from './temp-dir.ts'

const resources: Record<string, Resource> = { Pod: 'pods', ConfigMap: 'configmaps', Secret: 'secrets' }

/** Real processes on a machine that others keep busy. */
const patience = { within: 90_000 }

/** The pods part of an edge node over a real containerd, in real time. */
export class RealPodNode {
  readonly dir: string
  readonly containerd: Containerd
  readonly #store: Store
  readonly #objects: Objects
  readonly #outbox: Outbox
  #parts: { runtime: CriRuntime; pods: Pods } | undefined

  private constructor(containerd: Containerd, whenOver: WhenOver) {
    this.containerd = containerd
    this.dir = tempDir(whenOver)
    this.#store = Store.open({ path: join(this.dir, 'edge.db'), clock: systemClock, log: silentLog })
    this.#objects = new Objects(this.#store.db)
    this.#outbox = new Outbox(this.#store.db, systemClock)
  }

  static start(containerd: Containerd, whenOver: WhenOver): RealPodNode {
    const node = new RealPodNode(containerd, whenOver)
    node.start()
    whenOver(() => node.remove())
    return node
  }

  start(): void {
    const common = { clock: systemClock, scheduler: systemScheduler, log: silentLog }
    const { socket, dir } = this.containerd
    const runtime = new CriRuntime({ ...common, endpoint: () => socket, logRoot: join(dir, 'logs') })
    const pods = startPods({
      ...{ ...common, runtime, store: this.#store, objects: this.#objects, outbox: this.#outbox },
      ...{ dataDir: this.dir, hostIP: '127.0.0.1', verified: () => true },
    })
    this.#parts = { runtime, pods }
  }

  /** Stops edgecore; what runs goes on. */
  async stop(): Promise<void> {
    await this.parts.pods.stop()
    this.parts.runtime.close()
    this.#parts = undefined
  }

  /** Takes down all that runs, and what is mounted for it. */
  async remove(): Promise<void> {
    if (this.#parts === undefined) this.start()
    const { runtime, pods } = this.parts
    await pods.stop()
    for (const { id } of await runtime.list()) await runtime.removeSandbox(id)
    runtime.close()
    const mounts = new Mounts(this.dir, { real: true })
    for (const uid of await mounts.uids()) await mounts.remove(uid)
    this.#store.close()
  }

  get parts() {
    if (this.#parts === undefined) throw new Error('the node is not started')
    return this.#parts
  }

  async put(...all: KubeObject[]): Promise<void> {
    const keyed = all.map((object) => {
      const resource = resources[object.kind ?? ''] ?? 'pods'
      return { resource, object, key: keyOf(resource, object.metadata.namespace ?? 'default', object.metadata.name) }
    })
    await this.#store.commit(() => {
      for (const { resource, object, key } of keyed) {
        const text = contentText(resource, object)
        this.#objects.put(key, text, hashOf(key, text), null)
      }
    })
    this.#parts?.pods.wake(keyed.map(({ key }) => key))
  }

  async drop(...keys: Key[]): Promise<void> {
    await this.#store.commit(() => {
      for (const key of keys) this.#objects.drop(key)
    })
    this.#parts?.pods.wake(keys)
  }

  status(pod: string): PodStatus | undefined {
    return new PodStatuses(this.#store.db).get(`default/${pod}`)?.status as PodStatus | undefined
  }

  container(pod: string, name = 'web'): ContainerStatus | undefined {
    const { initContainerStatuses = [], containerStatuses = [] } = this.status(pod) ?? {}
    return [...initContainerStatuses, ...containerStatuses].find((one) => one.name === name)
  }

  /** Waits until the status is as wanted. */
  async when(pod: string, look: (status: PodStatus) => boolean): Promise<PodStatus> {
    try {
      return await eventually(() => {
        const status = this.status(pod)
        return status && look(status) ? status : undefined
      }, patience)
    } catch (cause) {
      const events = this.events(pod).map(({ reason, message }) => `${reason}: ${message}`)
      throw new Error(`${JSON.stringify(this.status(pod), null, 1)}\n${events.join('\n')}`, { cause })
    }
  }

  async running(pod: string): Promise<PodStatus> {
    return this.when(
      pod,
      ({ phase, containerStatuses }) => phase === 'Running' && containerStatuses.every((one) => one.ready),
    )
  }

  /** What a shell says in a running container of the pod. */
  async shell(pod: string, script: string, name = 'web'): Promise<string> {
    const id = this.container(pod, name)?.containerID?.split('//')[1] ?? ''
    const { stdout, stderr } = await this.parts.runtime.exec(id, ['/bin/sh', '-c', script], 10_000)
    return `${stdout}${stderr}`.trimEnd()
  }

  events(pod: string): EventReport[] {
    return this.#outbox
      .all()
      .flatMap(({ report }) => (report.is === 'event' && report.regarding.name === pod ? [report] : []))
  }
}
