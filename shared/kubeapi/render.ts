import type { KubeObject } from '../objects.ts'
import { fromStorage } from './convert.ts'
import { isAsDefined } from './definition.ts'
import { type ApiKind, apiVersionOf } from './kinds.ts'
import type { Form } from './negotiate.ts'
import type { Entry } from './storage.ts'
import { type TableOptions, toTable } from './tables.ts'

export interface ListMeta {
  resourceVersion: string
  continue?: string
  remainingItemCount?: number
}

export interface Rendering {
  kind: ApiKind
  form: Form
  /** What each row of a table carries of its object. */
  includeObject: TableOptions['includeObject']
  /** Milliseconds since the epoch. */
  now: number
}

/** The JSON text of one object, as asked for. */
export function renderObject(rendering: Rendering, object: KubeObject): string {
  const { kind, form, includeObject, now } = rendering
  switch (form.as) {
    case 'object':
      return JSON.stringify(object)
    case 'metadata':
      return JSON.stringify(partial(object, form.version))
    case 'table': {
      const metadata = { resourceVersion: object.metadata.resourceVersion }
      return JSON.stringify(versioned(toTable(kind, [object], { now, includeObject, metadata }), form.version))
    }
  }
}

/** As `renderObject`, of the stored state of an object that is there: its text goes out as it is where that is what was asked for. */
export function renderEntry(rendering: Rendering, entry: Entry): string {
  const { kind, form } = rendering
  if (form.as === 'object' && isStoredForm(kind, entry) && isAsDefined(kind, entry)) return entry.text
  return renderObject(rendering, fromStorage(kind, entry.object))
}

export function renderList(rendering: Rendering, entries: readonly Entry[], metadata: ListMeta): string {
  const { kind, form, includeObject, now } = rendering
  if (form.as === 'object') {
    const head = JSON.stringify({ kind: kind.listKind, apiVersion: apiVersionOf(kind), metadata })
    return `${head.slice(0, -1)},"items":[${entries.map((entry) => renderEntry(rendering, entry)).join(',')}]}`
  }
  const objects = entries.map((entry) => fromStorage(kind, entry.object))
  if (form.as === 'table') {
    const table = toTable(kind, objects, { now, includeObject, metadata: { ...metadata } })
    return JSON.stringify(versioned(table, form.version))
  }
  const items = objects.map((object) => partial(object, form.version))
  return JSON.stringify({
    kind: 'PartialObjectMetadataList',
    apiVersion: `meta.k8s.io/${form.version}`,
    metadata,
    items,
  })
}

function isStoredForm(kind: ApiKind, { text }: Entry): boolean {
  const apiVersion = apiVersionOf(kind)
  return apiVersion === kind.storageApiVersion && text.startsWith(`{"apiVersion":${JSON.stringify(apiVersion)},`)
}

function partial({ metadata }: KubeObject, version: string): object {
  return { kind: 'PartialObjectMetadata', apiVersion: `meta.k8s.io/${version}`, metadata }
}

function versioned<T extends object>(table: T, version: string): T {
  return version === 'v1' ? table : { ...table, apiVersion: `meta.k8s.io/${version}` }
}
