import { fromStorage } from './convert.ts'
import { type Rendering, renderEntry, renderObject } from './render.ts'
import type { Entry } from './storage.ts'
import { toTable } from './tables.ts'

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED'
  entry: Entry
}

/** The annotation of the bookmark after the last of the initial events. */
export const initialEventsEnd = 'k8s.io/initial-events-end'

/** What was encoded of a change is shared by all watchers that want it in the same form. */
const shared = new WeakMap<object, Map<string, Buffer>>()

/** One line of a watch stream. `origin` is the change it tells of; `first` that it is the first of its stream. */
export function encodeEvent(
  rendering: Rendering,
  event: WatchEvent,
  { origin, first }: { origin: object; first: boolean },
): Buffer {
  const { kind, form, includeObject } = rendering
  const known = shared.get(origin) ?? new Map<string, Buffer>()
  shared.set(origin, known)
  const key = `${event.type} ${kind.group}/${kind.version} ${kind.definition?.rv} ${Object.values(form).join()} ${includeObject} ${first && form.as === 'table'}`
  const encoded = known.get(key) ?? Buffer.from(line(rendering, event, first))
  known.set(key, encoded)
  return encoded
}

function line(rendering: Rendering, { type, entry }: WatchEvent, first: boolean): string {
  return `{"type":"${type}","object":${objectText(rendering, { type, entry }, first)}}\n`
}

function objectText(rendering: Rendering, { type, entry }: WatchEvent, first: boolean): string {
  const { kind, form } = rendering
  if (form.as === 'table') return tableRow(rendering, entry, first)
  // When the last state of an object was written is not known.
  if (type === 'DELETED' && kind.custom) return renderObject(rendering, fromStorage(kind, entry.object))
  return renderEntry(rendering, entry)
}

/** Only the first table of a stream says what its columns are. */
function tableRow({ kind, form, includeObject, now }: Rendering, entry: Entry, first: boolean): string {
  const object = fromStorage(kind, entry.object)
  const metadata = { resourceVersion: object.metadata.resourceVersion }
  const table = toTable(kind, [object], { now, includeObject, metadata })
  const version = form.as === 'table' ? form.version : 'v1'
  const columns = first ? {} : { columnDefinitions: null }
  return JSON.stringify({ ...table, apiVersion: `meta.k8s.io/${version}`, ...columns })
}
