import { type DeviceName, deviceTopic } from '@kedge/shared/device-topics'
import type { Device, DeviceModel } from '@kedge/shared/devices'
import type { Model, Twin } from '@kedge/shared/twin'
import type { Attributes, Fault } from './messages.ts'

/** A device of this node, as the cloud describes it and as it is. */
export interface Entry {
  /** `<namespace>/<name>` */
  readonly id: string
  readonly namespace: string
  readonly name: string
  readonly uid: string
  /** As it reported it last, `unknown` before. */
  state: string
  /** Milliseconds since the epoch, or null when it never was online. */
  lastOnline: number | null
  /** When it last said that it is online, written or not: the database may lag behind by a minute. */
  heard: number | null
  /** Tombstones included. */
  twins: Map<string, Twin>
  /** Undefined when its content cannot be read. */
  device: Device | undefined
  /** Undefined when there is none, or it cannot be read. */
  deviceModel: DeviceModel | undefined
  /** Its properties by name. */
  model: Model
  /** Why the desired values of the cloud are not applied: what is wrong with the device or its model. */
  problem: string | undefined
  /** Desired values of the cloud that the model refuses, as they were last told. */
  refused: string
  /** What of its `pushMethod` cannot be done, as it was last told. */
  pushFaults: string
  /** Whether it has said its state since edgecore started: until then the state is only what was held. */
  spoke?: boolean
  /** How much it has said since `since`, monotonic milliseconds. */
  burst?: { since: number; count: number }
}

/**
 * The devices of this node, in memory.
 *
 * Invariant: holds what the database holds plus what the transaction under way adds; when that fails, it is filled anew.
 */
export class Registry {
  readonly #byId = new Map<string, Entry>()
  readonly #byName = new Map<string, Set<Entry>>()

  get(id: string): Entry | undefined {
    return this.#byId.get(id)
  }

  all(): Iterable<Entry> {
    return this.#byId.values()
  }

  add(entry: Entry): void {
    this.remove(entry.id)
    this.#byId.set(entry.id, entry)
    const namesakes = this.#byName.get(entry.name) ?? new Set<Entry>()
    this.#byName.set(entry.name, namesakes.add(entry))
  }

  remove(id: string): void {
    const entry = this.#byId.get(id)
    if (entry === undefined) return
    this.#byId.delete(id)
    const namesakes = this.#byName.get(entry.name)
    namesakes?.delete(entry)
    if (namesakes?.size === 0) this.#byName.delete(entry.name)
  }

  clear(): void {
    this.#byId.clear()
    this.#byName.clear()
  }

  /** The device that a topic names. A bare name is the only device of that name, or the one in namespace `default`. */
  find({ namespace, name }: DeviceName): Entry | undefined {
    if (namespace !== undefined) return this.#byId.get(`${namespace}/${name}`)
    const namesakes = this.#byName.get(name)
    if (namesakes?.size === 1) return [...namesakes][0]
    return this.#byId.get(`default/${name}`)
  }

  /** The answer to a request for a device that `find` did not find; `unknown` is KubeEdge's text for one. */
  missing({ namespace, name }: DeviceName, unknown: string): Fault {
    const namesakes = namespace === undefined ? [...(this.#byName.get(name) ?? [])] : []
    if (namesakes.length === 0) return { code: 404, reason: unknown }
    const ids = namesakes.map(({ id }) => id).sort()
    const topic = deviceTopic({ namespace: '<namespace>', name }, 'twin/update')
    return { code: 404, reason: `several devices are named ${name} (${ids.join(', ')}): use ${topic}` }
  }

  /** The names under which the device's topics are served: with its namespace, and alone where that means it. */
  namesOf({ namespace, name, id }: Entry): DeviceName[] {
    const alone = { namespace: undefined, name }
    return this.find(alone)?.id === id ? [{ namespace, name }, alone] : [{ namespace, name }]
  }
}

/** What `membership` messages say of a device: its label `description`; a virtual device without one is called so. */
export function descriptionOf(device: Device | undefined): string | undefined {
  const virtual = device?.spec?.protocol?.protocolName === 'virtual' ? 'virtual device' : undefined
  return device?.metadata.labels?.description ?? virtual
}

/**
 * The attributes of a device on KubeEdge's topics: its labels, but for the one that is its description. KubeEdge has the
 * messages, and since v1beta1 nothing that they could tell of.
 */
export function attributesOf(device: Device | undefined): Attributes {
  const { description: _, ...attributes } = device?.metadata.labels ?? {}
  return attributes
}
