import { type Key, type KubeObject, keyOf, parseKey } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import { type Answer, accepted, refused } from './answer.ts'
import type { CatalogChange } from './catalog-entry.ts'
import { hasCode, isRefusal } from './errors.ts'
import { KeyedWorker, type Pass } from './keyed-worker.ts'
import { deviceStatusPath } from './paths.ts'
import { type WriterParts, workerOptions } from './writer-parts.ts'

export interface DeviceStatusMirrorParts extends WriterParts {
  catalog: {
    keys(): Iterable<Key>
    get(key: Key): { object: KubeObject } | undefined
    onChange(listener: (change: CatalogChange) => void): () => void
  }
}

/**
 * Keeps a DeviceStatus for each Device, as KubeEdge 1.23 does: what is written to the Device's status, once more. It
 * follows the Devices, so that it says what they say, whoever wrote it.
 */
export class DeviceStatusMirror implements Service {
  readonly #parts: DeviceStatusMirrorParts
  readonly #worker: KeyedWorker<Answer>
  /** What each DeviceStatus says, JSON. */
  readonly #written = new Map<string, string>()
  #unsubscribe = () => {}

  constructor(parts: DeviceStatusMirrorParts) {
    this.#parts = parts
    const pass = (key: string) => this.#pass(key as Key)
    this.#worker = new KeyedWorker({ ...workerOptions(parts), interval: 0, pass })
  }

  /** Brings the objects of devices that there are up to date, and keeps them so; call it when the catalog is ready. */
  async start(): Promise<void> {
    const { kube, catalog } = this.#parts
    const { items } = await kube.list(deviceStatusPath())
    for (const item of items)
      this.#written.set(keyOf('devices', item.metadata.namespace ?? '', item.metadata.name), textOf(item))
    this.#unsubscribe = catalog.onChange(({ key, after }) => {
      if (key.startsWith('devices/')) this.#look(key, after)
    })
    // Of what is no device any more, the device was deleted while nobody looked.
    const devices = [...catalog.keys()].filter((key) => key.startsWith('devices/'))
    for (const key of new Set([...devices, ...this.#written.keys()])) {
      this.#look(key as Key, catalog.get(key as Key)?.object)
    }
  }

  #look(key: Key, device: KubeObject | undefined): void {
    if (device === undefined || textOf(device) !== this.#written.get(key)) this.#worker.wake(key)
  }

  async stop(): Promise<void> {
    this.#unsubscribe()
    await this.#worker.stop()
  }

  async #pass(key: Key): Promise<Pass<Answer>> {
    const device = this.#parts.catalog.get(key)?.object
    try {
      if (device === undefined) await this.#remove(key)
      else await this.#write(key, device)
    } catch (error) {
      if (!isRefusal(error)) throw error
      return { wrote: false, result: refused(error.message) }
    }
    return { wrote: true, result: accepted, gone: device === undefined }
  }

  async #write(key: Key, device: KubeObject): Promise<void> {
    const { kube, counters } = this.#parts
    const text = textOf(device)
    if (text === this.#written.get(key)) return
    const { namespace = '', name } = parseKey(key) ?? { name: '' }
    const { uid = '' } = device.metadata
    const status = JSON.parse(text) as Record<string, unknown>
    const owner = { apiVersion: device.apiVersion, kind: 'Device', name, uid, controller: true }
    const metadata = { name, namespace, ownerReferences: [owner] }
    try {
      await kube.patch(deviceStatusPath(namespace, name), { metadata: { ownerReferences: [owner] }, status })
    } catch (error) {
      if (!hasCode(error, 404)) throw error
      const object = { apiVersion: device.apiVersion, kind: 'DeviceStatus', metadata, spec: {}, status }
      await kube.create(deviceStatusPath(namespace), object as unknown as KubeObject)
    }
    counters.add('writes')
    this.#written.set(key, text)
  }

  async #remove(key: Key): Promise<void> {
    const { namespace = '', name = '' } = parseKey(key) ?? {}
    this.#written.delete(key)
    await this.#parts.kube.delete(deviceStatusPath(namespace, name)).catch((error: unknown) => {
      if (!hasCode(error, 404)) throw error
    })
  }
}

/** What the two kinds have in common. */
function textOf({ status = {} }: KubeObject): string {
  const { twins = [], state, lastOnlineTime } = status
  return JSON.stringify({ twins, state, lastOnlineTime })
}
