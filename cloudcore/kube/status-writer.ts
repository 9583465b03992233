import { isKey, type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import type { NodeReport, Report, UploadReport } from '@kedge/shared/reports'
import { type Service, stopAll } from '@kedge/shared/service'
import { type Answer, refused } from './answer.ts'
import type { CatalogChange } from './catalog-entry.ts'
import type { Condition } from './conditions.ts'
import type { LiveDevice, StatusTwin } from './device-status.ts'
import { DeviceWriter } from './device-writer.ts'
import { type DiscoveredSettings, DiscoveredWriter } from './discovered-writer.ts'
import { EventWriter } from './event-writer.ts'
import { GapWriter } from './gap-writer.ts'
import { hasLost } from './lost-status.ts'
import { PodWriter } from './pod-writer.ts'
import { nodeOf } from './trim.ts'
import type { WriterParts } from './writer-parts.ts'

export interface StatusWriterParts extends WriterParts {
  catalog: {
    get(key: Key): { object: KubeObject } | undefined
    keys(): Iterable<Key>
    onChange(listener: (change: CatalogChange) => void): () => void
    ready: Promise<void>
  }
  nodes: { report(node: string, report: NodeReport): Promise<Answer> }
  /** At most one write per device in this time, in milliseconds, after the first. */
  statusInterval: number
  /** What cloudcore has to say of a device with these twins. */
  conditionsFor: (device: KubeObject, twins: readonly StatusTwin[]) => Condition[]
  /** What becomes of devices that announce themselves; they are proposed unless given. */
  discovered?: DiscoveredSettings
  /** Where uploads go; they are refused unless given. */
  uploads?: { accept(node: string, report: UploadReport): Promise<Answer> } | undefined
  /** Asks a node to report a pod or a device again. */
  ask?: (node: string, key: Key) => void
}

const noUploads = 'nobody takes uploads here: start cloudcore with --uploads URL'

/**
 * The way from reports to Kubernetes.
 *
 * Invariants:
 * - a node is heard only on what is its own: its pods, its devices, its Node;
 * - nothing is accepted before Kubernetes has answered, or is known to hold it already.
 */
export class StatusWriter implements Service {
  readonly #parts: StatusWriterParts
  readonly #pods: PodWriter
  readonly #devices: DeviceWriter
  readonly #events: EventWriter
  readonly #gaps: GapWriter
  readonly #discovered: DiscoveredWriter
  readonly #unsubscribe: () => void
  readonly #stopped: Promise<void>
  #isReady = false
  #isStopped = false
  #stopNow: () => void = () => {}

  constructor(parts: StatusWriterParts) {
    this.#parts = parts
    this.#pods = new PodWriter(parts)
    this.#devices = new DeviceWriter(parts)
    this.#events = new EventWriter(parts)
    this.#gaps = new GapWriter(parts)
    this.#discovered = new DiscoveredWriter({
      ...parts,
      discovered: parts.discovered ?? { is: 'propose', namespace: 'default' },
    })
    this.#unsubscribe = parts.catalog.onChange((change) => this.#changed(change))
    this.#stopped = new Promise((resolve) => {
      this.#stopNow = resolve
    })
    void parts.catalog.ready.then(() => {
      this.#isReady = true
    })
  }

  /**
   * Resolves once Kubernetes has accepted the report or never will, and tries for as long as it takes. Rejects when
   * cloudcore stops first.
   */
  async accept(node: string, report: Report): Promise<Answer> {
    await this.#ready()
    switch (report.is) {
      case 'node':
        return this.#parts.nodes.report(node, report)
      case 'pod':
        return this.#foreign(node, 'pods', report) ?? this.#pods.accept(report)
      case 'device':
        return this.#foreign(node, 'devices', report) ?? this.#devices.accept(report)
      case 'event':
        return this.#events.accept(node, report)
      case 'gap':
        return this.#gaps.accept(node, report)
      case 'discovered':
        return this.#discovered.accept(node, report.announcements)
      case 'upload':
        return this.#parts.uploads?.accept(node, report) ?? refused(noUploads)
    }
  }

  /** Looks again at what cloudcore says of a device. */
  touch(device: Key): void {
    this.#devices.touch(device)
  }

  /** The newest values that a device's node has reported, whether written yet or not. */
  live(device: Key): Readonly<LiveDevice> | undefined {
    return this.#devices.live(device)
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#stopNow()
    this.#unsubscribe()
    const { log } = this.#parts
    const writers = [this.#pods, this.#devices, this.#events, this.#gaps, this.#discovered]
    await stopAll(writers, (error) => log.error({ error }, 'status writer stop'))
  }

  #changed(change: CatalogChange): void {
    this.#parts.freshest.caughtUp(change)
    const { key, before, after } = change
    const isReported = key.startsWith('pods/') || key.startsWith('devices/')
    if (isReported && before !== undefined && before.metadata.uid !== after?.metadata.uid)
      this.#events.gone(key, before)
    if (isReported && after !== undefined && hasLost(change)) this.#ask(key, after)
  }

  /** What cloudcore remembers itself need not be asked for. */
  #ask(key: Key, object: KubeObject): void {
    const node = nodeOf(object)
    if (node !== undefined && this.#devices.live(key) === undefined) this.#parts.ask?.(node, key)
  }

  /** Before the catalog knows every kind, what is missing in it proves nothing. */
  async #ready(): Promise<void> {
    if (!this.#isReady && !this.#isStopped) await Promise.race([this.#parts.catalog.ready, this.#stopped])
    if (this.#isStopped) throw new Error('cloudcore is stopping')
  }

  /** What is gone is nobody's: the writers answer it. */
  #foreign(node: string, resource: 'pods' | 'devices', about: { namespace: string; name: string }): Answer | undefined {
    const key = keyOf(resource, about.namespace, about.name)
    if (!isKey(key)) return refused(`"${about.namespace}/${about.name}" is not a namespace and a name`)
    const object = this.#parts.catalog.get(key)?.object
    if (object === undefined || nodeOf(object) === node) return undefined
    this.#parts.counters.add('refused')
    return refused(`${key} is bound to ${nodeOf(object) ?? 'no node'}, not to ${node}`)
  }
}
