import type { Clock } from '@kedge/shared/clock'
import { type DeviceAction, type DeviceName, deviceTopic, nodeTopic } from '@kedge/shared/device-topics'
import type { Log } from '@kedge/shared/log'
import { applyLocal, type Change, delta, shows, type Update } from '@kedge/shared/twin'
import { flood, floods } from './floods.ts'
import {
  type Attributes,
  attributesUpdated,
  type DeviceSummary,
  deltaMessage,
  document,
  type Fault,
  fault,
  getResult,
  isOnline,
  membershipResult,
  type Read,
  readGet,
  readState,
  readTwinUpdate,
  stateResult,
  updateResult,
} from './messages.ts'
import { deviceEvent, type Refusals } from './refusals.ts'
import { attributesOf, descriptionOf, type Entry, type Registry } from './registry.ts'
import { stateCycleOf } from './state-cycle.ts'
import type { Transaction } from './writer.ts'

export interface Message {
  topic: string
  payload: string
}

/** What follows from a piece of work once it is committed. */
export interface Outcome {
  messages: Message[]
  /** Desired values that changed, for the drivers: `<namespace>/<name>`, then property. A deleted one is empty text. */
  desired: Map<string, Record<string, string>>
  /** Devices that came, went or are described otherwise: `<namespace>/<name>`. */
  touched: string[]
}

export interface Context {
  registry: Registry
  refusals: Refusals
  clock: Clock
  /** A new unique id: a UUID. */
  newId: () => string
  nodeName: string
  log: Log
}

/** KubeEdge's words for an update of a device that is not there. */
const unknownDevice = 'update rejected due to the device is not existed'

/** One request on a device topic, from the registry to the answers. Called inside the writer's transaction. */
export class Requests {
  readonly #context: Context

  constructor(context: Context) {
    this.#context = context
  }

  twinUpdate(transaction: Transaction, name: DeviceName, payload: Buffer): Outcome {
    const answer = 'twin/update/result'
    const request = readTwinUpdate(payload)
    const entry = this.#find(transaction, name)
    if (!request.ok || entry === undefined) {
      return this.#refuse(transaction, { name, answer, request, unknown: unknownDevice })
    }
    const now = this.#context.clock.now()
    const { eventId, body: update } = request
    const applied = applyLocal({ twins: entry.twins, update, model: entry.model, now })
    if ('refusal' in applied) {
      const failed = { ok: false as const, eventId, fault: { code: 400 as const, ...applied.refusal } }
      return this.#refuse(transaction, { name, answer, request: failed, unknown: '' })
    }
    transaction.change(entry, applied.changes)
    const result = updateResult({ eventId, now }, { update, twins: entry.twins, changes: applied.changes })
    const messages = this.#answers(entry, { name, answer, payload: result })
    messages.push(...this.changed(entry, { changes: applied.changes, eventId, asked: deletedInVain(update, entry) }))
    return { messages, desired: desiredOf(entry, applied.changes), touched: [] }
  }

  twinGet(transaction: Transaction, name: DeviceName, payload: Buffer): Outcome {
    const answer = 'twin/get/result'
    const request = readGet(payload)
    const entry = this.#find(transaction, name)
    if (!request.ok || entry === undefined) {
      const id = name.namespace === undefined ? name.name : `${name.namespace}/${name.name}`
      return this.#refuse(transaction, { name, answer, request, unknown: `Device ${id} not found while getting twin` })
    }
    const result = getResult({ eventId: request.eventId, now: this.#context.clock.now() }, entry.twins)
    return only(this.#answers(entry, { name, answer, payload: result }))
  }

  stateUpdate(transaction: Transaction, name: DeviceName, payload: Buffer): Outcome {
    const answer = 'state/update/result'
    const request = readState(payload)
    const entry = this.#find(transaction, name)
    if (!request.ok || entry === undefined) {
      return this.#refuse(transaction, { name, answer, request, unknown: unknownDevice })
    }
    const now = this.#context.clock.now()
    this.setState(transaction, entry, request.body)
    const result = stateResult({ eventId: this.#context.newId(), now }, summary(entry))
    return only(this.#answers(entry, { name, answer, payload: result }))
  }

  membershipGet(node: string, payload: Buffer): Outcome {
    const { registry, clock, nodeName } = this.#context
    const request = readGet(payload)
    const stamp = { eventId: request.eventId, now: clock.now() }
    const topic = nodeTopic(node, 'membership/get/result')
    if (!request.ok) return only([{ topic, payload: fault(stamp, request.fault) }])
    if (node !== nodeName) {
      return only([{ topic, payload: fault(stamp, { code: 404, reason: `this is node ${nodeName}` }) }])
    }
    const members = [...registry.all()].sort((a, b) => (a.id < b.id ? -1 : 1)).map(summary)
    return only([{ topic, payload: membershipResult(stamp, members) }])
  }

  /** A driver's report: as an update on MQTT, without a result, since nobody asked on a topic. */
  reported(transaction: Transaction, entry: Entry, values: Readonly<Record<string, string>>) {
    const update = new Map(Object.entries(values).map(([property, reported]) => [property, { reported }]))
    const { clock, newId } = this.#context
    this.#heed(transaction, entry)
    const applied = applyLocal({ twins: entry.twins, update, model: entry.model, now: clock.now() })
    if ('refusal' in applied) return applied
    transaction.change(entry, applied.changes)
    return only(this.changed(entry, { changes: applied.changes, eventId: newId() }))
  }

  /** Keeps a state; one that says nothing new is not written again, but for that it is online still, once in its cycle. */
  setState(transaction: Transaction, entry: Entry, state: string): void {
    const now = this.#context.clock.now()
    if (isOnline(state)) entry.heard = now
    const stale = isOnline(state) && Math.abs(now - (entry.lastOnline ?? 0)) >= stateCycleOf(entry.device)
    // A device that is new is held as unknown; the first to say that is news to the cloud.
    const first = state === 'unknown' && !entry.spoke
    entry.spoke = true
    if (entry.state !== state || stale || first) transaction.setState(entry, state, entry.heard)
  }

  /** The document and the delta that follow a change, on each topic form that names the device. */
  changed(entry: Entry, told: { changes: readonly Change[]; eventId: string; asked?: readonly string[] }): Message[] {
    const { registry, clock } = this.#context
    const changes = told.changes.filter(shows)
    if (changes.length === 0 && !told.asked?.length) return []
    const payload = document({ eventId: told.eventId, now: clock.now() }, changes, told.asked)
    const messages = each(registry.namesOf(entry), 'twin/update/document', payload)
    return changes.length > 0 ? [...messages, ...this.openDelta(entry)] : messages
  }

  /** What is said of a device whose attributes change; nothing when none did. */
  attributesChanged(entry: Entry, before: Attributes): Message[] {
    const { registry, clock, newId } = this.#context
    const payload = attributesUpdated({ eventId: newId(), now: clock.now() }, before, attributesOf(entry.device))
    return payload === undefined ? [] : each(registry.namesOf(entry), 'updated', payload)
  }

  /** The delta of a device on each topic form that names it; none when nothing differs. */
  openDelta(entry: Entry): Message[] {
    const { registry, clock, newId } = this.#context
    const differing = delta(entry.twins)
    if (differing.size === 0) return []
    const payload = deltaMessage({ eventId: newId(), now: clock.now() }, entry.twins, differing)
    return each(registry.namesOf(entry), 'twin/update/delta', payload)
  }

  /** The device that a request is for. */
  #find(transaction: Transaction, name: DeviceName): Entry | undefined {
    const entry = this.#context.registry.find(name)
    if (entry !== undefined) this.#heed(transaction, entry)
    return entry
  }

  #heed(transaction: Transaction, entry: Entry): void {
    if (!floods(entry, this.#context.clock.monotonic())) return
    this.warn(transaction, entry, { reason: 'Flood', text: `${flood} messages came within a second` })
  }

  /** An answer goes where the sender listens and, since the device is known, to its two-level topic as well. */
  #answers(entry: Entry, { name, answer, payload }: { name: DeviceName; answer: DeviceAction; payload: string }) {
    const names = name.namespace === undefined ? [name, { namespace: entry.namespace, name: entry.name }] : [name]
    return each(names, answer, payload)
  }

  #refuse(
    transaction: Transaction,
    refused: { name: DeviceName; answer: DeviceAction; request: Read<unknown>; unknown: string },
  ): Outcome {
    const { registry, clock, log } = this.#context
    const { name, answer, request, unknown } = refused
    const entry = registry.find(name)
    const why: Fault = request.ok ? registry.missing(name, unknown) : request.fault
    const { code, reason, property } = why
    const text = property === undefined ? reason : `${property}: ${reason}`
    if (entry !== undefined) this.warn(transaction, entry, { reason: 'WriteRefused', text })
    log.debug({ device: entry?.id ?? name.name, answer, code, reason, property }, 'device request refused')
    const payload = fault({ eventId: request.eventId, now: clock.now() }, why)
    return only(entry ? this.#answers(entry, { name, answer, payload }) : each([name], answer, payload))
  }

  /** Leaves a Warning event on a device and a line in the log, not too often. `reason` is one word for machines. */
  warn(transaction: Transaction, entry: Entry, { reason, text }: { reason: string; text: string }): void {
    const { refusals, clock, log } = this.#context
    const message = refusals.say({ device: entry.id, reason, text, at: clock.monotonic() })
    if (message === undefined) return
    log.warn({ device: entry.id, reason, message }, 'device warning')
    transaction.event(deviceEvent(entry, { now: clock.now(), type: 'Warning', reason, message }))
  }
}

function only(messages: Message[]): Outcome {
  return { messages, desired: new Map(), touched: [] }
}

function each(names: readonly DeviceName[], action: DeviceAction, payload: string): Message[] {
  return names.map((name) => ({ topic: deviceTopic(name, action), payload }))
}

/** Properties that were to be deleted and did not exist: KubeEdge lists them in the document. */
function deletedInVain(update: Update, { twins }: Entry): string[] {
  return [...update].filter(([property, write]) => write === null && !twins.has(property)).map(([property]) => property)
}

/** The desired values among the changes. */
export function desiredOf({ id }: Entry, changes: readonly Change[]): Map<string, Record<string, string>> {
  const values = changes
    .filter(({ before, after }) => before?.desired.value !== after.desired.value)
    .map(({ property, after }) => [property, after.desired.value ?? ''])
  return values.length > 0 ? new Map([[id, Object.fromEntries(values)]]) : new Map()
}

function summary({ namespace, name, device, state, heard }: Entry): DeviceSummary {
  const description = descriptionOf(device) ?? ''
  return { namespace, name, description, state, lastOnline: heard, attributes: attributesOf(device) }
}
