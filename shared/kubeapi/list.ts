import { fromStorage } from './convert.ts'
import type { ApiKind } from './kinds.ts'
import { type ListMeta, type Rendering, renderList } from './render.ts'
import type { ListOptions } from './request.ts'
import {
  type FieldSelector,
  type LabelSelector,
  matchesFields,
  matchesLabels,
  parseFieldSelector,
  parseLabelSelector,
  selectedName,
} from './selectors.ts'
import { badRequest, expired, tooLargeVersion } from './status.ts'
import type { Entry, ListRequest, Storage } from './storage.ts'

export interface Selection {
  labels: LabelSelector
  fields: FieldSelector
}

/** Reads the selectors of a list, watch or deletecollection. Throws a 400 `StatusError`. */
export function selectionOf(kind: ApiKind, options: Pick<ListOptions, 'labelSelector' | 'fieldSelector'>): Selection {
  return {
    labels: parseLabelSelector(options.labelSelector),
    fields: parseFieldSelector(options.fieldSelector, kind),
  }
}

export function isSelected(kind: ApiKind, { labels, fields }: Selection, entry: Entry): boolean {
  if (labels.length === 0 && fields.length === 0) return true
  if (!matchesLabels(labels, entry.object.metadata.labels)) return false
  return fields.length === 0 || matchesFields(fields, fromStorage(kind, entry.object))
}

/** Where a list in pieces goes on: everything in the state of one resourceVersion. */
interface Place {
  rv: number
  namespace: string
  name: string
}

function encodePlace(place: Place): string {
  return Buffer.from(JSON.stringify({ v: 1, ...place })).toString('base64url')
}

function decodePlace(token: string): Place {
  try {
    const { v, rv, namespace, name } = JSON.parse(Buffer.from(token, 'base64url').toString('utf8'))
    if (v === 1 && Number.isSafeInteger(rv) && typeof namespace === 'string' && typeof name === 'string') {
      return { rv, namespace, name }
    }
  } catch {
    // Not one of ours, said below.
  }
  throw badRequest('continue key is not valid: it was not issued by this server')
}

const expiredToken =
  'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter.'

/** The state that a list speaks of; undefined for the newest. Throws 400, 410 or 504. */
function stateOf(storage: Storage, options: ListOptions, place: Place | undefined): number | undefined {
  if (place !== undefined) {
    if (place.rv < storage.oldest) throw expired(expiredToken)
    return place.rv
  }
  const asked = Number(options.resourceVersion)
  if (asked > storage.revision) throw tooLargeVersion(asked, storage.revision)
  if (options.resourceVersionMatch !== 'Exact') return undefined
  if (asked < storage.oldest) throw expired(`The provided resource version is too old: ${asked} (${storage.oldest})`)
  return asked
}

/** How many entries are read at once while a selector passes over most of them. */
const step = 500

interface Listing {
  entries: Entry[]
  metadata: ListMeta
}

/** The entries that a list request asks for, with what goes into the list's metadata. */
export function listEntries(
  storage: Storage,
  { kind, namespace, options }: { kind: ApiKind; namespace: string; options: ListOptions },
): Listing {
  const selection = selectionOf(kind, options)
  const place = options.continue === '' ? undefined : decodePlace(options.continue)
  const at = stateOf(storage, options, place)
  const resourceVersion = String(at ?? storage.revision)
  const scope = {
    resource: kind.storage,
    ...(namespace === '' ? {} : { namespace }),
    ...(at === undefined ? {} : { at }),
  }
  const name = selectedName(selection.fields)
  if (name !== undefined && namespace !== '' && at === undefined) {
    const entry = storage.get({ resource: kind.storage, namespace, name })
    const found = entry !== undefined && isSelected(kind, selection, entry)
    return { entries: found ? [entry] : [], metadata: { resourceVersion } }
  }
  const { entries, more } = collect(storage, { kind, selection, scope, place, limit: options.limit })
  const last = entries.at(-1)
  if (!more || last === undefined) return { entries, metadata: { resourceVersion } }
  const next = { rv: at ?? storage.revision, namespace: last.namespace, name: last.name }
  const plain = selection.labels.length === 0 && selection.fields.length === 0
  const remaining = plain ? { remainingItemCount: storage.count({ ...scope, after: next }) } : {}
  return { entries, metadata: { resourceVersion, continue: encodePlace(next), ...remaining } }
}

interface Collection {
  kind: ApiKind
  selection: Selection
  scope: ListRequest
  place: Place | undefined
  limit: number
}

/** Up to `limit` selected entries, and whether another one follows. */
function collect(storage: Storage, { kind, selection, scope, place, limit }: Collection) {
  const entries: Entry[] = []
  if (limit === 0) {
    const all = storage.list({ ...scope, ...(place === undefined ? {} : { after: place }) })
    return { entries: all.filter((entry) => isSelected(kind, selection, entry)), more: false }
  }
  let after: ListRequest['after'] = place
  for (;;) {
    const read = storage.list({ ...scope, ...(after === undefined ? {} : { after }), limit: Math.max(step, limit + 1) })
    for (const entry of read) {
      if (!isSelected(kind, selection, entry)) continue
      if (entries.length === limit) return { entries, more: true }
      entries.push(entry)
    }
    if (read.length < Math.max(step, limit + 1)) return { entries, more: false }
    after = read.at(-1)
  }
}

/** The JSON text that answers a list request. Throws a `StatusError`. */
export function list(
  storage: Storage,
  request: { namespace: string; options: ListOptions },
  rendering: Rendering,
): string {
  const { entries, metadata } = listEntries(storage, { kind: rendering.kind, ...request })
  return renderList(rendering, entries, metadata)
}
