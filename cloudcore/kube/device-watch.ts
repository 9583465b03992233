import type { Log } from '@kedge/shared/log'
import { type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { Catalog } from './catalog.ts'
import type { CatalogChange, NodeChange } from './catalog-entry.ts'
import type { Condition } from './conditions.ts'
import { deviceConditions, type NodeStanding, type SyncStanding } from './device-conditions.ts'
import type { StatusTwin } from './device-status.ts'
import { isJson } from './merge-patch.ts'
import { nodeOf } from './trim.ts'

export interface DeviceWatchParts {
  catalog: Pick<Catalog, 'get' | 'node' | 'keys' | 'devicesOn' | 'onChange' | 'onNodeChange' | 'ready'>
  presence: {
    of(node: string, grace: number): { is: 'connected' | 'disconnected' | 'unknown' }
    /** Called with a node whose standing may have changed, or with undefined when that holds for all. */
    onChange(listener: (node: string | undefined) => void): void
  }
  /** Where an object stands on a node, as far as the sync with that node knows. */
  standing?: (node: string, key: Key) => SyncStanding | undefined
  /** Milliseconds that a node may be out of reach before its devices say so: each of them is a write. */
  grace: number
  log: Log
}

/** The DeviceModel that a device refers to; undefined when it names none. */
export function modelKeyOf(device: KubeObject): Key | undefined {
  const ref = device.spec?.deviceModelRef
  if (!isJson(ref) || typeof ref.name !== 'string' || ref.name === '') return undefined
  return keyOf('devicemodels', device.metadata.namespace ?? '', ref.name)
}

/** What cloudcore has to say of a device, and whose word on which device may have changed. */
export class DeviceWatch implements Service {
  readonly #parts: DeviceWatchParts
  readonly #byModel = new Map<Key, Set<Key>>()
  readonly #touched = new Set<Key>()
  #touch: (key: Key) => void = () => {}
  #unsubscribe: (() => void)[] = []
  #scheduled: NodeJS.Immediate | undefined
  #stopped = false

  constructor(parts: DeviceWatchParts) {
    this.#parts = parts
  }

  /** Calls `touch` for each device that should be looked at again: all of them once the catalog is ready. */
  async start(touch: (key: Key) => void): Promise<void> {
    const { catalog, presence } = this.#parts
    this.#touch = touch
    const indexing = catalog.onChange((change) => this.#changed(change))
    this.#unsubscribe.push(indexing)
    await catalog.ready
    if (this.#stopped) return
    this.#unsubscribe.push(catalog.onNodeChange((change) => this.#nodeChanged(change)))
    presence.onChange((node) => (node === undefined ? this.#all() : this.#node(node)))
    this.#all()
  }

  async stop(): Promise<void> {
    this.#stopped = true
    clearImmediate(this.#scheduled)
    for (const unsubscribe of this.#unsubscribe) unsubscribe()
  }

  /** The conditions of a device that has these twins. */
  conditionsFor(device: KubeObject, twins: readonly StatusTwin[]): Condition[] {
    const key = modelKeyOf(device)
    const model = key && this.#parts.catalog.get(key)?.object
    const node = nodeOf(device)
    const on = (about: Key | undefined) => (node && about ? this.#parts.standing?.(node, about) : undefined)
    const sync = on(keyOf('devices', device.metadata.namespace ?? '', device.metadata.name))
    return deviceConditions({ device, model, node: this.#standing(node), twins, sync, modelSync: on(key) })
  }

  /** Something has become known of an object on a node, or, without a key, of all of them. */
  synced(node: string, key?: Key): void {
    if (key === undefined) this.#node(node)
    else if (key.startsWith('devices/')) this.#look([key])
    else this.#look(this.#byModel.get(key) ?? [])
  }

  #standing(node: string | undefined): NodeStanding {
    const { catalog, presence, grace } = this.#parts
    if (node === undefined || catalog.node(node) === undefined) return 'missing'
    return presence.of(node, grace).is
  }

  #changed({ key, before, after }: CatalogChange): void {
    if (key.startsWith('devices/')) {
      this.#index(key, before && modelKeyOf(before), after && modelKeyOf(after))
      this.#look([key])
    } else if (key.startsWith('devicemodels/')) this.#look(this.#byModel.get(key) ?? [])
  }

  #index(key: Key, from: Key | undefined, to: Key | undefined): void {
    if (from === to) return
    const old = from && this.#byModel.get(from)
    old?.delete(key)
    if (from !== undefined && old?.size === 0) this.#byModel.delete(from)
    if (to === undefined) return
    const devices = this.#byModel.get(to)
    if (devices === undefined) this.#byModel.set(to, new Set([key]))
    else devices.add(key)
  }

  /** Only a node's coming and going matters to its devices. */
  #nodeChanged({ name, before, after }: NodeChange): void {
    if ((before === undefined) !== (after === undefined)) this.#node(name)
  }

  #node(name: string): void {
    const devices = [...this.#parts.catalog.devicesOn(name)]
    this.#look(devices.map(({ metadata }) => keyOf('devices', metadata.namespace ?? '', metadata.name)))
  }

  #all(): void {
    this.#look([...this.#parts.catalog.keys()].filter((key) => key.startsWith('devices/')))
  }

  #look(keys: Iterable<Key>): void {
    for (const key of keys) this.#touched.add(key)
    if (this.#touched.size > 0 && !this.#stopped) this.#scheduled ??= setImmediate(() => this.#some())
  }

  /** A few at a time, so that ten thousand devices hold nobody up. */
  #some(): void {
    this.#scheduled = undefined
    let left = 100
    for (const key of this.#touched) {
      if (left-- === 0) break
      this.#touched.delete(key)
      this.#touch(key)
    }
    this.#look([])
  }
}
