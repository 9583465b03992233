import type { TwinReport } from './reports.ts'
import { type ModelProperty, validateValue } from './twin-values.ts'

export { type ModelProperty, maxValueBytes, validateValue } from './twin-values.ts'

/**
 * A device's twin: per property a desired value (`expected` in the MQTT topics) and a reported one (`actual`).
 *
 * Invariants:
 * - A version counts the changes of its value: it never goes back, not even over a deletion.
 * - A value equal to the one held changes nothing.
 * - What the cloud wrote last is remembered beside the desired value in force. Only a different value from the cloud is
 *   an edit, and an edit wins; hearing the same again leaves a change in place that was made here.
 */
export interface Twin {
  /** The MQTT twin type: string, int, float, boolean, … */
  type: string
  /** A property that is not optional cannot be deleted. */
  optional: boolean
  /** A tombstone: no values, but the versions go on when the property comes back. */
  deleted: boolean
  /** The desired value that the cloud wrote last, or undefined when it wants nothing. */
  cloudDesired: string | undefined
  desired: Slot
  reported: Slot
}

export interface Slot {
  value: string | undefined
  /** When the value was written, milliseconds since the epoch. */
  at: number | undefined
  version: number
}

/** The twins of one device by property, tombstones included. */
export type Twins = ReadonlyMap<string, Twin>

export type Model = ReadonlyMap<string, ModelProperty>

/** A write from this side of the link, by an MQTT client or a driver; null deletes the property. */
export interface PropertyUpdate {
  desired?: string | undefined
  reported?: string | undefined
  /** The type of a property that is new and that the model does not know. */
  type?: string | undefined
  optional?: boolean | undefined
}

export type Update = ReadonlyMap<string, PropertyUpdate | null>

/** One row that changes: `before` is undefined for a property never seen. */
export interface Change {
  property: string
  before: Twin | undefined
  after: Twin
}

export interface Refusal {
  property: string
  reason: string
}

/** No device has more properties than this, deleted ones included. */
export const maxProperties = 1000

/** No write takes the values of a device beyond this many bytes in all: a report of them must fit into a frame. */
export const maxTwinBytes = 1024 * 1024

/** Devices with values no longer than this need no adding up. */
const shortValue = 512

const empty: Slot = { value: undefined, at: undefined, version: 0 }
const nothing: Twin = {
  type: 'string',
  optional: true,
  deleted: true,
  cloudDesired: undefined,
  desired: empty,
  reported: empty,
}

/** The twin as others see it: a tombstone is nothing. */
export function visible(twin: Twin | undefined): Twin | undefined {
  return twin?.deleted ? undefined : twin
}

/** Whether anything changes that others see; what the cloud wrote last is not. */
export function shows({ before, after }: Change): boolean {
  if (before === undefined || before.deleted) return !after.deleted
  return (
    before.deleted !== after.deleted ||
    before.type !== after.type ||
    before.optional !== after.optional ||
    before.desired !== after.desired ||
    before.reported !== after.reported
  )
}

export interface LocalWrite {
  twins: Twins
  update: Update
  model: Model
  /** Milliseconds since the epoch. */
  now: number
}

/**
 * What a write of an MQTT client or a driver changes. Refused as a whole when one property is wrong, so that nobody has
 * to find out which half of a message was taken.
 */
export function applyLocal({ twins, update, model, now }: LocalWrite): { changes: Change[] } | { refusal: Refusal } {
  const changes: Change[] = []
  for (const [property, write] of update) {
    const before = twins.get(property)
    const reason = refusalOf(write, before, model.get(property))
    if (reason !== undefined) return { refusal: { property, reason } }
    const after =
      write === null ? tombstone(before, now) : written(before, write, { now, type: typeOf(model, property) })
    if (after !== undefined && after !== before) changes.push({ property, before, after })
  }
  const refusal = excess(twins, changes)
  return refusal ? { refusal } : { changes }
}

/** Names the limit of a device that the changes would go beyond. */
function excess(twins: Twins, changes: readonly Change[]): Refusal | undefined {
  const added = changes.filter(({ before }) => before === undefined)
  if (twins.size + added.length > maxProperties && added[0]) {
    return { property: added[0].property, reason: `a device has at most ${maxProperties} properties` }
  }
  const long = changes.find(({ after: { desired, reported } }) => isLong(desired) || isLong(reported))
  if (long === undefined) return undefined
  let bytes = 0
  for (const twin of twins.values()) bytes += bytesOf(twin)
  for (const { before, after } of changes) bytes += bytesOf(after) - (before ? bytesOf(before) : 0)
  if (bytes <= maxTwinBytes) return undefined
  return { property: long.property, reason: `the values of a device have at most ${maxTwinBytes} bytes in all` }
}

function isLong({ value = '' }: Slot): boolean {
  return value.length > shortValue
}

function bytesOf({ desired, reported }: Twin): number {
  return Buffer.byteLength(desired.value ?? '') + Buffer.byteLength(reported.value ?? '')
}

function refusalOf(
  write: PropertyUpdate | null,
  before: Twin | undefined,
  modelled: ModelProperty | undefined,
): string | undefined {
  const held = visible(before)
  if (write === null) return held?.optional === false ? 'the property is not optional and cannot be deleted' : undefined
  const { desired, reported } = write
  if (modelled?.accessMode === 'ReadOnly' && desired !== undefined && desired !== (held?.desired.value ?? '')) {
    return 'the property is read-only: its desired value may not be written'
  }
  if (modelled === undefined && held === undefined && !freeTypes.has(write.type ?? '')) {
    return 'the value type is not allowed'
  }
  const rule = modelled ?? { type: ruleOf(held?.type ?? write.type ?? '') }
  return (
    (desired === undefined ? undefined : validateValue(rule, desired)) ??
    (reported === undefined ? undefined : validateValue(rule, reported))
  )
}

/** The types that a client may give a property that the model does not know. */
const freeTypes: ReadonlySet<string> = new Set(['', 'string', 'int', 'integer', 'float', 'boolean'])

/** The model's type for a twin type of MQTT. */
function ruleOf(type: string): string {
  return type === 'integer' ? 'INT' : type.toUpperCase()
}

function tombstone(before: Twin | undefined, now: number): Twin | undefined {
  if (before === undefined || before.deleted) return before
  const gone = (slot: Slot): Slot => ({ value: undefined, at: now, version: slot.version + 1 })
  return { ...before, deleted: true, optional: true, desired: gone(before.desired), reported: gone(before.reported) }
}

function written(
  before: Twin | undefined,
  write: PropertyUpdate,
  { now, type }: { now: number; type: string | undefined },
): Twin {
  const held = visible(before)
  const base = held ?? { ...(before ?? nothing), type: type ?? (write.type || 'string'), deleted: false }
  // Empty text desires nothing, which is what a property without a desired value has.
  const desires = write.desired === '' && base.desired.value === undefined ? undefined : write.desired
  const desired = put(base.desired, desires, now)
  const reported = put(base.reported, write.reported, now)
  const optional = base.optional && write.optional !== false
  if (held && desired === held.desired && reported === held.reported && optional === held.optional) return held
  return { ...base, optional, desired, reported }
}

/** The slot with a value in it; the same slot when it holds that value already. */
function put(slot: Slot, value: string | undefined, now: number): Slot {
  return value === undefined || value === slot.value ? slot : { value, at: now, version: slot.version + 1 }
}

export interface CloudWrite {
  twins: Twins
  /** Desired values by property, as `spec.properties[].desired.value` has them. Empty text wants nothing. */
  desired: ReadonlyMap<string, string>
  model: Model
  now: number
}

/**
 * What the desired values of a Device change. Repeating it changes nothing more. A value that the model refuses is left
 * out and named; the old one stays, and the new one is tried again when the model or the value changes.
 */
export function applyCloud({ twins, desired, model, now }: CloudWrite): { changes: Change[]; refusals: Refusal[] } {
  const changes: Change[] = []
  const refusals: Refusal[] = []
  for (const property of new Set([...twins.keys(), ...desired.keys()])) {
    const before = twins.get(property)
    const want = desired.get(property) || undefined
    const reason = want === undefined ? undefined : refusalOfDesired(want, model.get(property))
    if (reason !== undefined) refusals.push({ property, reason })
    const value = reason === undefined ? want : before?.cloudDesired
    const after = edited(before, value, { now, type: typeOf(model, property) })
    if (after !== undefined && after !== before) changes.push({ property, before, after })
  }
  return { changes, refusals }
}

function refusalOfDesired(value: string, modelled: ModelProperty | undefined): string | undefined {
  if (modelled?.accessMode === 'ReadOnly') return 'the property is read-only: its desired value may not be written'
  return validateValue(modelled, value)
}

function edited(
  before: Twin | undefined,
  value: string | undefined,
  { now, type }: { now: number; type: string | undefined },
): Twin | undefined {
  const typed = before && !before.deleted && type !== undefined && before.type !== type ? { ...before, type } : before
  if (value === before?.cloudDesired) return typed
  const base = typed ?? { ...nothing, type: type ?? 'string' }
  const desired = value === base.desired.value ? base.desired : { value, at: now, version: base.desired.version + 1 }
  if (!base.deleted) return { ...base, cloudDesired: value, desired }
  // The cloud no longer wants anything of a deleted property: it stays deleted.
  if (value === undefined) return { ...base, cloudDesired: undefined }
  return { ...base, type: type ?? base.type, deleted: false, cloudDesired: value, desired }
}

/** The desired values that the device does not report yet. Empty text wants nothing. */
export function delta(twins: Twins): Map<string, string> {
  const differing = new Map<string, string>()
  for (const [property, { deleted, desired, reported }] of twins) {
    if (!deleted && desired.value && desired.value !== reported.value) differing.set(property, desired.value)
  }
  return differing
}

/** What goes upward of these changes, by property: null for a deleted one. Undefined when nothing shows. */
export function reportOf(changes: readonly Change[]): Record<string, TwinReport | null> | undefined {
  const shown = changes.filter(shows)
  if (shown.length === 0) return undefined
  return Object.fromEntries(shown.map(({ property, after }) => [property, after.deleted ? null : twinReport(after)]))
}

export function twinReport({ type, desired, reported }: Twin): TwinReport {
  const report: TwinReport = { type }
  if (desired.value !== undefined) report.desired = { value: desired.value, at: desired.at ?? 0 }
  if (reported.value !== undefined) report.reported = { value: reported.value, at: reported.at ?? 0 }
  return report
}

const namePattern = /^[a-zA-Z0-9\-_.,:/@#]{1,128}$/

/** Whether an MQTT client may name a property so, by KubeEdge's rule. */
export function isPropertyName(text: string): boolean {
  // "__proto__" would not survive as a key of a plain object on its way to the cloud.
  return namePattern.test(text) && text !== '__proto__'
}

/** The twin type of a property that the model knows. */
function typeOf(model: Model, property: string): string | undefined {
  return model.get(property)?.type?.toLowerCase()
}
