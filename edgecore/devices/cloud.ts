import { nodeTopic } from '@kedge/shared/device-topics'
import { type Device, type DeviceModel, parseDevice, parseDeviceModel } from '@kedge/shared/devices'
import { explain } from '@kedge/shared/errors'
import { type Key, keyOf, parseKey } from '@kedge/shared/objects'
import { applyCloud, type Model, type Refusal } from '@kedge/shared/twin'
import type { HeldObject, Objects } from '../store/objects.ts'
import type { DeviceRow, TwinTable } from '../store/twins.ts'
import { localityChanged } from './local-values.ts'
import { type Member, membershipUpdated } from './messages.ts'
import { deviceEvent } from './refusals.ts'
import { attributesOf, descriptionOf, type Entry } from './registry.ts'
import { type Context, desiredOf, type Message, type Outcome, type Requests } from './requests.ts'
import type { Transaction } from './writer.ts'

/** What the cloud says of a device, as far as it can be read. */
interface Described {
  device: Device | undefined
  deviceModel: DeviceModel | undefined
  model: Model
  problem: string | undefined
}

type DescribedModel = Omit<Described, 'device'>

interface Moves {
  added: Member[]
  removed: Member[]
}

const noModel = { deviceModel: undefined, model: new Map() }
const undescribed: Described = { device: undefined, ...noModel, problem: undefined }

/** Brings what the cloud wants of devices into their twins. Called inside the writer's transaction. */
export class Cloud {
  readonly #context: Context & { objects: Objects; requests: Requests }
  /** Models read in the work under way. */
  readonly #models = new Map<Key, DescribedModel>()

  constructor(context: Context & { objects: Objects; requests: Requests }) {
    this.#context = context
  }

  /** Fills the registry from the database, as it was left; what the cloud wants comes with `apply`. */
  load(table: TwinTable): void {
    const { registry } = this.#context
    registry.clear()
    const twins = table.all()
    for (const row of table.devices()) {
      const [namespace = '', name = ''] = row.device.split('/')
      registry.add(entryOf({ ...row, namespace, name }, undescribed, twins.get(row.device) ?? new Map()))
    }
  }

  /** Reads anew what the cloud says of every device, without applying it. */
  describe(): void {
    this.#models.clear()
    for (const entry of this.#context.registry.all()) {
      const held = this.#context.objects.get(keyOf('devices', entry.namespace, entry.name))
      if (held) Object.assign(entry, this.#describe(held, entry.namespace))
    }
  }

  /** Every key whose device this node has, or had when it stopped. */
  allKeys(): Key[] {
    const { objects, registry } = this.#context
    const keys = new Set<Key>(objects.list('devices').map(({ key }) => key))
    for (const { namespace, name } of registry.all()) keys.add(keyOf('devices', namespace, name))
    return [...keys]
  }

  /**
   * Applies the newest copy of these devices, and of the devices whose model is among the keys. Doing it again changes
   * nothing. A device that cannot be applied is logged and named in an event; the others are not touched by it.
   */
  apply(transaction: Transaction, keys: readonly Key[]): Outcome {
    const outcome: Outcome = { messages: [], desired: new Map(), touched: [] }
    const moves: Moves = { added: [], removed: [] }
    this.#models.clear()
    for (const device of this.#devicesOf(keys)) {
      outcome.touched.push(`${device.namespace}/${device.name}`)
      try {
        this.#applyOne(transaction, device, { outcome, moves })
      } catch (error) {
        this.#context.log.error({ ...device, reason: explain(error) }, 'device not applied')
      }
    }
    if (moves.added.length + moves.removed.length > 0) outcome.messages.unshift(this.#membership(moves))
    return outcome
  }

  #applyOne(
    transaction: Transaction,
    { namespace, name }: { namespace: string; name: string },
    { outcome, moves }: { outcome: Outcome; moves: Moves },
  ): void {
    const id = `${namespace}/${name}`
    const held = this.#context.objects.get(keyOf('devices', namespace, name))
    const uid = held?.content.metadata.uid ?? ''
    const known = this.#context.registry.get(id)
    const stays = known !== undefined && held !== undefined && known.uid === uid
    if (known && !stays) {
      transaction.drop(id)
      this.#context.refusals.forget(id)
      this.#context.log.info({ device: id }, 'device removed')
      moves.removed.push({ id, name })
    }
    if (!held) return
    const described = this.#describe(held, namespace)
    const entry = stays ? known : this.#add(transaction, { namespace, name, uid }, described)
    if (!stays) moves.added.push({ id, name, description: descriptionOf(described.device) })
    this.#update(transaction, { entry, described, outcome })
  }

  /** The devices that these keys mean, each once. */
  #devicesOf(keys: readonly Key[]): { namespace: string; name: string }[] {
    const meant = new Map<string, { namespace: string; name: string }>()
    for (const key of keys) {
      const parts = parseKey(key)
      if (parts?.resource === 'devices') meant.set(`${parts.namespace}/${parts.name}`, parts)
      if (parts?.resource !== 'devicemodels') continue
      for (const { id, namespace, name, device } of this.#context.registry.all()) {
        const model = device?.spec?.deviceModelRef?.name
        if (namespace === parts.namespace && model === parts.name) meant.set(id, { namespace, name })
      }
    }
    return [...meant.values()]
  }

  #add(transaction: Transaction, row: { namespace: string; name: string; uid: string }, described: Described): Entry {
    const entry = entryOf(
      { ...row, state: 'unknown', lastOnline: null },
      { ...described, problem: undefined },
      new Map(),
    )
    transaction.add(entry)
    this.#context.log.info({ device: entry.id }, 'device added')
    return entry
  }

  #update(
    transaction: Transaction,
    { entry, described, outcome }: { entry: Entry; described: Described; outcome: Outcome },
  ): void {
    const { clock, newId, requests } = this.#context
    const told = entry.problem
    const before = entry.device
    Object.assign(entry, described)
    transaction.tellAgain(entry, before && described.device ? localityChanged(before, described.device) : [])
    if (before && described.device)
      outcome.messages.push(...this.#context.requests.attributesChanged(entry, attributesOf(before)))
    if (described.problem !== undefined) {
      if (told !== described.problem) this.#warn(transaction, entry, 'DeviceUnusable', described.problem)
      return
    }
    const properties = described.device?.spec?.properties ?? []
    const desired = new Map(properties.map(({ name, desired }) => [name, desired?.value ?? '']))
    const { changes, refusals } = applyCloud({ twins: entry.twins, desired, model: entry.model, now: clock.now() })
    this.#tellRefusals(transaction, entry, refusals)
    transaction.change(entry, changes)
    outcome.messages.push(...requests.changed(entry, { changes, eventId: newId() }))
    for (const [id, values] of desiredOf(entry, changes)) outcome.desired.set(id, values)
  }

  #tellRefusals(transaction: Transaction, entry: Entry, refusals: readonly Refusal[]): void {
    const text = refusals.map(({ property, reason }) => `desired ${property}: ${reason}`).join('; ')
    if (text !== entry.refused && text !== '') this.#warn(transaction, entry, 'DesiredRefused', text)
    entry.refused = text
  }

  #warn(transaction: Transaction, entry: Entry, reason: string, message: string): void {
    const { clock, log } = this.#context
    log.warn(
      { device: entry.id, problem: message },
      reason === 'DesiredRefused' ? 'desired refused' : 'device unusable',
    )
    transaction.event(deviceEvent(entry, { now: clock.now(), type: 'Warning', reason, message }))
  }

  #describe({ content, refused }: HeldObject, namespace: string): Described {
    const parsed = parseDevice(content)
    if (!parsed.ok || refused !== null) {
      const why = parsed.ok ? refused : parsed.reason
      return { ...undescribed, problem: `the device cannot be read: ${why}` }
    }
    return { device: parsed.device, ...this.#model(parsed.device, namespace) }
  }

  #model({ spec }: Device, namespace: string): DescribedModel {
    const name = spec?.deviceModelRef?.name
    if (!name) return { ...noModel, problem: 'spec.deviceModelRef.name is missing: name a DeviceModel' }
    const key = keyOf('devicemodels', namespace, name)
    const model = this.#models.get(key) ?? this.#readModel(key, { namespace, name })
    this.#models.set(key, model)
    return model
  }

  #readModel(key: Key, { namespace, name }: { namespace: string; name: string }): DescribedModel {
    const held = this.#context.objects.get(key)
    if (!held) return { ...noModel, problem: `there is no DeviceModel ${name} in namespace ${namespace}` }
    const parsed = parseDeviceModel(held.content)
    if (!parsed.ok) return { ...noModel, problem: `DeviceModel ${name} cannot be read: ${parsed.reason}` }
    const properties = parsed.model.spec?.properties ?? []
    const model = new Map(properties.map((each) => [each.name ?? '', each]))
    return { deviceModel: parsed.model, model, problem: undefined }
  }

  #membership({ added, removed }: Moves): Message {
    const { nodeName, newId, clock } = this.#context
    const payload = membershipUpdated({ eventId: newId(), now: clock.now() }, added, removed)
    return { topic: nodeTopic(nodeName, 'membership/updated'), payload }
  }
}

function entryOf(
  row: Pick<DeviceRow, 'uid' | 'state' | 'lastOnline'> & { namespace: string; name: string },
  described: Described,
  twins: Entry['twins'],
): Entry {
  const { namespace, name, uid, state, lastOnline } = row
  const id = `${namespace}/${name}`
  return {
    id,
    namespace,
    name,
    uid,
    state,
    lastOnline,
    heard: lastOnline,
    twins,
    refused: '',
    pushFaults: '',
    ...described,
  }
}
