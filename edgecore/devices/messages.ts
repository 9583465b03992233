import { isUtf8 } from 'node:buffer'
import { rfc3339 } from '@kedge/shared/clock'
import { type Change, isPropertyName, type PropertyUpdate, type Twin, type Update, visible } from '@kedge/shared/twin'

/**
 * The payloads of KubeEdge's device topics: reading requests, writing answers. The error texts are KubeEdge's, word for
 * word, where KubeEdge has one; `property` beside them names the property at fault. Times are milliseconds since the
 * epoch.
 */

export const malformed = 'Unmarshal update request body failed, please check the request'
export const noTwin = 'Update twin error, key:twin does not exist'
export const badKey =
  'The key of twin must only include upper or lowercase letters, number, english, and special letter - _ . , : / @ # and the length of key should be less than 128 bytes'

/** No request is longer, in bytes. */
export const maxRequestBytes = 1024 * 1024

/** What a client is told when its request was not carried out. */
export interface Fault {
  code: 400 | 404 | 500
  reason: string
  property?: string | undefined
}

export type Read<T> = { ok: true; eventId: string; body: T } | { ok: false; eventId: string; fault: Fault }

function bad(eventId: string, reason: string, property?: string): { ok: false; eventId: string; fault: Fault } {
  return { ok: false, eventId, fault: { code: 400, reason, property } }
}

/** Reads a request that asks for something and carries nothing else; no payload at all is taken too. */
export function readGet(payload: Buffer): Read<undefined> {
  if (payload.length === 0) return { ok: true, eventId: '', body: undefined }
  const request = readObject(payload)
  return request.ok ? { ...request, body: undefined } : request
}

export function readTwinUpdate(payload: Buffer): Read<Update> {
  const request = readObject(payload)
  if (!request.ok) return request
  const { eventId, body } = request
  if (body.twin === undefined || body.twin === null) return bad(eventId, noTwin)
  if (!isRecord(body.twin)) return bad(eventId, malformed)
  const update = new Map<string, PropertyUpdate | null>()
  for (const [property, value] of Object.entries(body.twin)) {
    if (!isPropertyName(property)) return bad(eventId, badKey, clip(property))
    const write = value === null ? null : readProperty(value)
    if (write === undefined) return bad(eventId, malformed, property)
    update.set(property, write)
  }
  return { ok: true, eventId, body: update }
}

/** One property of a twin update, or undefined when a field has the wrong type. A value that is missing says nothing. */
function readProperty(value: unknown): PropertyUpdate | undefined {
  if (!isRecord(value)) return undefined
  const expected = value.expected ?? {}
  const actual = value.actual ?? {}
  const metadata = value.metadata ?? {}
  if (!isRecord(expected) || !isRecord(actual) || !isRecord(metadata)) return undefined
  const desired = expected.value ?? undefined
  const reported = actual.value ?? undefined
  const type = metadata.type ?? undefined
  const optional = value.optional ?? undefined
  if (!isText(desired) || !isText(reported) || !isText(type)) return undefined
  if (optional !== undefined && typeof optional !== 'boolean') return undefined
  return { desired, reported, type, optional }
}

const states: ReadonlySet<string> = new Set(['ok', 'online', 'offline', 'unhealthy', 'unknown'])

/** Reads a device's state, kept as it was written. */
export function readState(payload: Buffer): Read<string> {
  const request = readObject(payload)
  if (!request.ok) return request
  const { eventId, body } = request
  if (typeof body.state !== 'string') return bad(eventId, malformed)
  if (!states.has(body.state.toLowerCase())) {
    return bad(eventId, `the state must be one of ${[...states].join(', ')}, not ${clip(body.state)}`)
  }
  return { ok: true, eventId, body: body.state }
}

/** As much of a client's text as is told back to it. */
function clip(text: string): string {
  return [...text.slice(0, 256)].slice(0, 128).join('')
}

/** Whether a device in this state can be talked to. */
export function isOnline(state: string): boolean {
  const lower = state.toLowerCase()
  return lower === 'online' || lower === 'ok'
}

function readObject(payload: Buffer): Read<Record<string, unknown>> {
  // Another broker may let one through. Parsing it would hold up the other devices.
  if (payload.length > maxRequestBytes) {
    return bad('', `the message has ${payload.length} bytes, at most ${maxRequestBytes} are taken`)
  }
  if (!isUtf8(payload)) return bad('', malformed)
  try {
    const body: unknown = JSON.parse(payload.toString('utf8'))
    if (!isRecord(body)) return bad('', malformed)
    const eventId = body.event_id ?? ''
    return typeof eventId === 'string' ? { ok: true, eventId, body } : bad('', malformed)
  } catch {
    return bad('', malformed)
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}

function isText(value: unknown): value is string | undefined {
  return value === undefined || typeof value === 'string'
}

interface Stamp {
  eventId: string
  now: number
}

/** One property as a message shows it, with the sides asked for. Versions stay inside. */
function shown({ type, optional, desired, reported }: Twin, sides: { expected: boolean; actual: boolean }) {
  return {
    expected: sides.expected ? side(desired) : undefined,
    actual: sides.actual ? side(reported) : undefined,
    optional,
    metadata: { type },
  }
}

function side({ value, at }: Twin['desired']) {
  return value === undefined ? undefined : { value, metadata: { timestamp: at } }
}

const both = { expected: true, actual: true }

export function fault({ eventId, now }: Stamp, { code, reason, property }: Fault): string {
  return JSON.stringify({ event_id: eventId, timestamp: now, code, reason, property })
}

/**
 * `twin/update/result`: what was written, as it now stands, whether that was a change or not; null for what was deleted.
 */
export function updateResult(
  { eventId, now }: Stamp,
  { update, twins, changes }: { update: Update; twins: ReadonlyMap<string, Twin>; changes: readonly Change[] },
): string {
  const twin: Record<string, unknown> = {}
  for (const { property, after } of changes) if (after.deleted) twin[property] = null
  for (const [property, write] of update) {
    const held = visible(twins.get(property))
    if (!write || !held) continue
    twin[property] = shown(held, { expected: write.desired !== undefined, actual: write.reported !== undefined })
  }
  return JSON.stringify({ event_id: eventId, timestamp: now, twin })
}

/** `twin/update/document`: each property before and after. `asked` adds properties that were deleted in vain. */
export function document({ eventId, now }: Stamp, changes: readonly Change[], asked: readonly string[] = []): string {
  const twin: Record<string, unknown> = {}
  for (const property of asked) twin[property] = { last: null, current: null }
  for (const { property, before, after } of changes) {
    const [last, current] = [visible(before), visible(after)]
    twin[property] = { last: last ? shown(last, both) : null, current: current ? shown(current, both) : null }
  }
  return JSON.stringify({ event_id: eventId, timestamp: now, twin })
}

/** `twin/update/delta`: every property that something is desired of, and which of them differ. */
export function deltaMessage(
  { eventId, now }: Stamp,
  twins: ReadonlyMap<string, Twin>,
  delta: ReadonlyMap<string, string>,
): string {
  const twin: Record<string, unknown> = {}
  for (const [property, held] of twins) {
    if (!held.deleted && held.desired.value) twin[property] = shown(held, both)
  }
  return JSON.stringify({ event_id: eventId, timestamp: now, twin, delta: Object.fromEntries(delta) })
}

/** `twin/get/result`: all properties. */
export function getResult({ eventId, now }: Stamp, twins: ReadonlyMap<string, Twin>): string {
  const twin: Record<string, unknown> = {}
  for (const [property, held] of twins) if (!held.deleted) twin[property] = shown(held, both)
  return JSON.stringify({ event_id: eventId, timestamp: now, twin })
}

export interface DeviceSummary {
  namespace: string
  name: string
  description: string
  state: string
  /** Milliseconds since the epoch, or null when it never was. */
  lastOnline: number | null
  attributes: Attributes
}

/** What is fixed about a device: its labels, by name. */
export type Attributes = Readonly<Record<string, string>>

/** RFC 3339, or empty text for never. */
export function lastOnlineText(at: number | null): string {
  return at === null ? '' : rfc3339(at)
}

/** `state/update/result` */
export function stateResult({ eventId, now }: Stamp, { name, state, lastOnline }: DeviceSummary): string {
  const device = { name, state, lastOnlineTime: lastOnlineText(lastOnline) }
  return JSON.stringify({ event_id: eventId, timestamp: now, device })
}

/** `membership/get/result` */
export function membershipResult({ eventId, now }: Stamp, members: readonly DeviceSummary[]): string {
  const devices = members.map(({ namespace, name, description, state, lastOnline, attributes }) => ({
    id: `${namespace}/${name}`,
    name,
    description,
    state,
    last_online: lastOnlineText(lastOnline),
    attributes: shownAttributes(attributes),
  }))
  return JSON.stringify({ event_id: eventId, timestamp: now, devices })
}

/** `updated`: the attributes that changed, null for one that is gone; undefined when none did. */
export function attributesUpdated({ eventId, now }: Stamp, before: Attributes, after: Attributes): string | undefined {
  const changed = Object.entries(after).filter(([name, value]) => before[name] !== value)
  const gone = Object.keys(before).filter((name) => after[name] === undefined)
  if (changed.length + gone.length === 0) return undefined
  const attributes = {
    ...shownAttributes(Object.fromEntries(changed)),
    ...Object.fromEntries(gone.map((name) => [name, null])),
  }
  return JSON.stringify({ event_id: eventId, timestamp: now, attributes })
}

function shownAttributes(attributes: Attributes) {
  const shown = Object.entries(attributes).map(([name, value]) => [
    name,
    { value, optional: true, metadata: { type: 'string' } },
  ])
  return Object.fromEntries(shown) as Record<string, unknown>
}

export interface Member {
  id: string
  name: string
  description?: string | undefined
}

/** `membership/updated` */
export function membershipUpdated(
  { eventId, now }: Stamp,
  added: readonly Member[],
  removed: readonly Member[],
): string {
  return JSON.stringify({
    event_id: eventId,
    timestamp: now,
    added_devices: added.length > 0 ? added : null,
    removed_devices: removed.length > 0 ? removed : null,
  })
}
