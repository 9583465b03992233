import { fromStorage } from '@kedge/shared/kubeapi/convert'
import { establish, kindsOf } from '@kedge/shared/kubeapi/crd'
import type { ApiKind } from '@kedge/shared/kubeapi/kinds'
import { type Rendering, renderEntry } from '@kedge/shared/kubeapi/render'
import type { Schema } from '@kedge/shared/kubeapi/schema'
import { Entry } from '@kedge/shared/kubeapi/storage'
import { encodeEvent } from '@kedge/shared/kubeapi/watch-events'
import { asDefinedNow } from '@kedge/shared/kubeapi/write'
import { must } from '@kedge/shared/must'
import type { KubeObject } from '@kedge/shared/objects'
import { describe, expect, it } from 'vitest'
import { builtIn, thingCrd } from '../../../support/kinds.ts'

const text: Schema = { type: 'string' }
const withDefault: Schema = { type: 'object', properties: { a: text, b: { type: 'string', default: 'x' } } }
const other: Schema = { type: 'object', properties: { a: text, c: { type: 'string', default: 'y' } } }

/** A definition that was stored at resourceVersion 10; v1 is the version that objects are stored in. */
function definition(specs: Record<string, Schema>): KubeObject {
  const crd = thingCrd({ type: 'object' })
  const versions = Object.entries(specs).map(([name, spec]) => ({
    name,
    served: true,
    storage: name === 'v1',
    schema: { openAPIV3Schema: { type: 'object', properties: { spec } } },
  }))
  const stored = { ...crd, metadata: { ...crd.metadata, resourceVersion: '10' }, spec: { ...crd.spec, versions } }
  return establish(stored, [], '2026-01-01T00:00:00Z')
}

function kinds(specs: Record<string, Schema>): Record<string, ApiKind> {
  return Object.fromEntries(kindsOf(definition(specs)).map((kind) => [kind.version, kind]))
}

const only = (spec: Schema) => must(kinds({ v1: spec }).v1, 'v1')
const key = { resource: 'things.example.com', namespace: 'default', name: 'x' }

function entryOf(spec: object, rv: number, metadata: object = {}): Entry {
  const meta = { name: 'x', namespace: 'default', ...metadata, resourceVersion: String(rv) }
  return new Entry(key, rv, JSON.stringify({ apiVersion: 'example.com/v1', kind: 'Thing', metadata: meta, spec }))
}

const rendering = (kind: ApiKind): Rendering => ({ kind, form: { as: 'object' }, includeObject: 'None', now: 0 })
const shown = (kind: ApiKind, entry: Entry) => JSON.parse(renderEntry(rendering(kind), entry)).spec

describe('an object stored before its definition changed', () => {
  const kind = only(withDefault)

  it('is read with the new defaults and without the fields that went', () => {
    const entry = entryOf({ a: '1', gone: true }, 9)
    expect(shown(kind, entry)).toEqual({ a: '1', b: 'x' })
    expect(fromStorage(kind, entry.object).metadata).toEqual(entry.object.metadata)
  })

  it('stays as it is stored, also where defaults go deep', () => {
    const deep = only({ type: 'object', properties: { list: { type: 'array', items: withDefault }, one: withDefault } })
    const entry = entryOf({ list: [{ a: '1' }], one: {} }, 9)
    expect(shown(deep, entry)).toEqual({ list: [{ a: '1', b: 'x' }], one: { b: 'x' } })
    expect(entry.object).toEqual(JSON.parse(entry.text))
  })

  it('keeps what its schema preserves', () => {
    const open = only({ ...withDefault, 'x-kubernetes-preserve-unknown-fields': true })
    expect(shown(open, entryOf({ any: [1] }, 9))).toEqual({ any: [1], b: 'x' })
  })

  it('is so in its last event, whose resourceVersion is newer', () => {
    const event = { type: 'DELETED', entry: entryOf({ gone: true }, 11) } as const
    const line = encodeEvent(rendering(kind), event, { origin: {}, first: true })
    expect(JSON.parse(line.toString()).object.spec).toEqual({ b: 'x' })
  })

  it('is so once its deletion is marked, which is a newer write', () => {
    expect(shown(kind, entryOf({ gone: true }, 11, { deletionTimestamp: '2026-01-01T00:00:00Z' }))).toEqual({ b: 'x' })
  })
})

describe('an object stored under the present definition', () => {
  it('goes out as the text that is stored', () => {
    const entry = entryOf({ a: '1', b: 'z' }, 11)
    expect(renderEntry(rendering(only(withDefault)), entry)).toBe(entry.text)
  })

  it('has the defaults of the version it is stored in, and the fields of the one it is read in', () => {
    const { v1, v2 } = kinds({ v1: withDefault, v2: other })
    const entry = entryOf({ a: '1', c: 'from v2' }, 11)
    expect(shown(must(v1, 'v1'), entry)).toEqual({ a: '1', b: 'x' })
    expect(shown(must(v2, 'v2'), entry)).toEqual({ a: '1' })
  })
})

it('objects of built-in kinds go out as the text that is stored', () => {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' }, unknown: 1 }
  const entry = new Entry({ ...key, resource: 'configmaps' }, 1, JSON.stringify(object))
  expect(renderEntry(rendering(builtIn('ConfigMap')), entry)).toBe(entry.text)
  expect(fromStorage(builtIn('ConfigMap'), entry.object)).toBe(entry.object)
})

describe('a write that waited while its definition changed', () => {
  const before = only(withDefault)
  /** The storage after a change of the definition, at resourceVersion 11. */
  const after = (object: KubeObject) => {
    const text = JSON.stringify({ ...object, metadata: { ...object.metadata, resourceVersion: '11' } })
    return { get: () => new Entry({ resource: 'definitions', namespace: '', name: object.metadata.name }, 11, text) }
  }

  it('is held to what it says now', () => {
    const now = asDefinedNow(after(definition({ v1: other })), before)
    expect(now.schema.properties?.spec).toEqual(other)
    expect(now.definition?.rv).toBe(11)
  })

  it('finds nothing when its version, or the definition, is gone', () => {
    const v2 = must(kinds({ v1: other, v2: other }).v2, 'v2')
    expect(() => asDefinedNow(after(definition({ v1: other })), v2)).toThrow('not found')
    expect(() => asDefinedNow({ get: () => undefined }, before)).toThrow('not found')
  })
})
