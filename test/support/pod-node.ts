import { join } from 'node:path'
import type { ContainerStatus } from '@kedge/edgecore/pods/container-status'
import { type Pods, startPods } from '@kedge/edgecore/pods/pods'
import type { Runtime } from '@kedge/edgecore/pods/runtime'
import { SimulatedRuntime } from '@kedge/edgecore/pods/simulated'
import type { PodStatus } from '@kedge/edgecore/pods/status'
import { Objects } from '@kedge/edgecore/store/objects'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { PodStatuses } from '@kedge/edgecore/store/pods'
import { Store } from '@kedge/edgecore/store/store'
import { hashOf } from '@kedge/shared/changes'
import { silentLog } from '@kedge/shared/log'
import { contentText, type Key, type KubeObject, keyOf, parseKey } from '@kedge/shared/objects'
import type { EventReport, PodReport } from '@kedge/shared/reports'
import { HandClock } from './hand-clock.ts'

/** The pods part of an edge node on a real database, with a clock that is turned by hand. */
export class PodNode {
  readonly clock = new HandClock()
  readonly dir: string
  verified = true
  bootId = 'boot-1'
  /** Puts something between the pods and the engine. */
  wrap: (runtime: Runtime) => Runtime = (runtime) => runtime
  #store: Store | undefined
  #parts: { store: Store; objects: Objects; outbox: Outbox; runtime: Runtime; pods: Pods } | undefined

  constructor(dir: string) {
    this.dir = dir
  }

  async start(): Promise<void> {
    const { clock } = this
    this.#store ??= Store.open({ path: join(this.dir, 'edge.db'), clock, log: silentLog })
    const store = this.#store
    const objects = new Objects(store.db)
    const outbox = new Outbox(store.db, clock)
    const runtime = this.wrap(await SimulatedRuntime.open({ store, clock, scheduler: clock, bootId: this.bootId }))
    const common = { store, objects, outbox, clock, scheduler: clock, log: silentLog, runtime }
    const pods = startPods({ ...common, dataDir: this.dir, hostIP: '192.0.2.7', verified: () => this.verified })
    this.#parts = { store, objects, outbox, runtime, pods }
    await this.settle()
  }

  /** Stops edgecore between two passes: nothing is said, the database stays as it is. */
  async crash(): Promise<void> {
    await this.parts.pods.stop()
    this.clock.forget()
    this.#parts = undefined
  }

  /** As a kill in the middle of a pass, whose calls to the engine never come back: nothing is waited for. */
  abandon(): void {
    this.clock.forget()
    this.#parts = undefined
  }

  async reboot(): Promise<void> {
    await this.crash()
    this.bootId = `${this.bootId}+`
    await this.start()
  }

  close(): void {
    this.#store?.close()
  }

  get parts() {
    if (this.#parts === undefined) throw new Error('the node is not started')
    return this.#parts
  }

  get started(): boolean {
    return this.#parts !== undefined
  }

  /** Commits objects as the sync does, and wakes the pods; while edgecore is down they are just there afterwards. */
  async put(...all: KubeObject[]): Promise<void> {
    await this.#change(
      all.map((object) => {
        const resource = object.kind === 'Pod' ? 'pods' : object.kind === 'Secret' ? 'secrets' : 'configmaps'
        return { key: keyOf(resource, object.metadata.namespace ?? 'default', object.metadata.name), object }
      }),
    )
  }

  async drop(...keys: Key[]): Promise<void> {
    await this.#change(keys.map((key) => ({ key })))
  }

  async #change(changes: { key: Key; object?: KubeObject }[]): Promise<void> {
    const store = this.#store
    if (store === undefined) throw new Error('the node was never started')
    const objects = new Objects(store.db)
    await store.commit(() => {
      for (const { key, object } of changes) {
        if (object === undefined) objects.drop(key)
        else {
          const text = contentText(parseKey(key)?.resource ?? 'pods', object)
          objects.put(key, text, hashOf(key, text), null)
        }
      }
    })
    if (this.#parts === undefined) return
    this.#parts.pods.wake(changes.map(({ key }) => key))
    await this.settle()
  }

  async settle(): Promise<void> {
    // A call back from the engine may come a turn of the event loop after everybody has settled.
    for (let turn = 0; turn < 3; turn += 1) {
      await this.parts.pods.settled()
      await new Promise((resolve) => setImmediate(resolve))
    }
    await this.parts.pods.settled()
  }

  /** Lets time pass, stopping at each timer on the way. */
  async pass(ms: number): Promise<void> {
    let left = ms
    while (left > 0) {
      left -= this.clock.tick(left)
      await this.settle()
    }
  }

  status(pod: string): PodStatus | undefined {
    return new PodStatuses(this.parts.store.db).get(pod)?.status as PodStatus | undefined
  }

  container(pod: string, name: string): ContainerStatus | undefined {
    const status = this.status(pod)
    return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])].find(
      (one) => one.name === name,
    )
  }

  reports(): PodReport[] {
    return this.parts.outbox.all().flatMap(({ report }) => (report.is === 'pod' ? [report] : []))
  }

  events(): EventReport[] {
    return this.parts.outbox.all().flatMap(({ report }) => (report.is === 'event' ? [report] : []))
  }

  reasons(): string[] {
    return this.events().map(({ reason }) => reason)
  }

  /** Takes everything out of the outbox, as an acknowledgement would. */
  async acknowledge(): Promise<void> {
    const { store, outbox } = this.parts
    await store.commit(() => {
      for (const { seq, version } of outbox.all()) outbox.accepted(seq, version)
    })
  }
}

export interface PodOptions {
  uid?: string
  spec?: Record<string, unknown>
  annotations?: Record<string, string>
  deletion?: { graceSeconds: number }
}

export function pod(
  name: string,
  { uid = `uid-${name}`, spec = {}, annotations, deletion }: PodOptions = {},
): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: {
      name,
      namespace: 'default',
      uid,
      ...(annotations && { annotations }),
      ...(deletion && {
        deletionTimestamp: '2026-01-01T00:00:00Z',
        deletionGracePeriodSeconds: deletion.graceSeconds,
      }),
    },
    spec: { containers: [{ name: 'web', image: 'nginx:1.27' }], nodeName: 'edge-1', ...spec },
  }
}

export function simulate(simulation: unknown): Record<string, string> {
  return { 'kedge.io/simulate': JSON.stringify(simulation) }
}

export function configMap(name: string, data: Record<string, string>): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'default', uid: `uid-${name}` }, data }
}

export function secret(name: string, data: Record<string, string>): KubeObject {
  const encoded = Object.entries(data).map(([key, value]) => [key, Buffer.from(value).toString('base64')])
  const metadata = { name, namespace: 'default', uid: `uid-${name}` }
  return { apiVersion: 'v1', kind: 'Secret', metadata, type: 'Opaque', data: Object.fromEntries(encoded) }
}
