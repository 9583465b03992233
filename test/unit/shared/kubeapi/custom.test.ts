import { sumUp } from '@kedge/shared/kubeapi/causes'
import type { Schema } from '@kedge/shared/kubeapi/schema'
import { admit } from '@kedge/shared/kubeapi/validate'
import { describe, expect, it } from 'vitest'
import { created, thingKind, told } from '../../../support/kinds.ts'

const specOf = (properties: Record<string, Schema>, more: Schema = {}) =>
  thingKind({ type: 'object', properties, ...more })
const admitted = (field: Schema, value: unknown) => created(specOf({ f: field }), { spec: { f: value } })
const integer: Schema = { type: 'integer' }
const text: Schema = { type: 'string' }

/** [schema of spec.f, value, causes] */
const cases: [Schema, unknown, string[]][] = [
  [integer, 1, []],
  [integer, '1', ['spec.f: Invalid value: "string": spec.f in body must be of type integer: "string"']],
  [integer, 1.5, ['spec.f: Invalid value: "number": spec.f in body must be of type integer: "number"']],
  [{ type: 'number' }, 1, []],
  [text, null, ['spec.f: Invalid value: "null": spec.f in body must be of type string: "null"']],
  [{ ...text, nullable: true }, null, []],
  [
    { type: 'array', items: text },
    {},
    ['spec.f: Invalid value: "object": spec.f in body must be of type array: "object"'],
  ],
  [
    { type: 'array', items: integer },
    [1, 'x'],
    ['spec.f[1]: Invalid value: "string": spec.f[1] in body must be of type integer: "string"'],
  ],
  [{ ...text, enum: ['a', 'b'] }, 'c', ['spec.f: Unsupported value: "c": supported values: "a", "b"']],
  [{ ...text, pattern: '^[a-z]+$' }, 'A', [`spec.f: Invalid value: "A": spec.f in body should match '^[a-z]+$'`]],
  [{ ...text, pattern: '(?i)^[a-z]+$' }, 'A', []],
  [
    { ...text, minLength: 2, maxLength: 3 },
    'ä',
    ['spec.f: Invalid value: "ä": spec.f in body should be at least 2 chars long'],
  ],
  [{ ...text, minLength: 2, maxLength: 3 }, '👍👍👍', []],
  [{ ...text, maxLength: 3 }, 'abcd', ['spec.f: Too long: may not be more than 3 bytes']],
  [
    { ...integer, minimum: 1, maximum: 5 },
    0,
    ['spec.f: Invalid value: 0: spec.f in body should be greater than or equal to 1'],
  ],
  [
    { ...integer, minimum: 1, maximum: 5 },
    6,
    ['spec.f: Invalid value: 6: spec.f in body should be less than or equal to 5'],
  ],
  [
    { ...integer, minimum: 1, exclusiveMinimum: true },
    1,
    ['spec.f: Invalid value: 1: spec.f in body should be greater than 1'],
  ],
  [
    { ...integer, maximum: 1, exclusiveMaximum: true },
    1,
    ['spec.f: Invalid value: 1: spec.f in body should be less than 1'],
  ],
  [{ type: 'number', multipleOf: 0.1 }, 0.3, []],
  [{ ...integer, multipleOf: 5 }, 7, ['spec.f: Invalid value: 7: spec.f in body should be a multiple of 5']],
  [{ ...integer, format: 'int32' }, 2 ** 31, ['spec.f: Invalid value: 2147483648: spec.f in body should be an int32']],
  [
    { type: 'array', items: text, minItems: 1 },
    [],
    ['spec.f: Invalid value: 0: spec.f in body should have at least 1 items'],
  ],
  [{ type: 'array', items: text, maxItems: 1 }, ['a', 'b'], ['spec.f: Too many: 2: must have at most 1 items']],
  [
    { type: 'array', items: text, 'x-kubernetes-list-type': 'set' },
    ['a', 'b', 'a'],
    ['spec.f[2]: Duplicate value: "a"'],
  ],
  [
    {
      type: 'array',
      items: { type: 'object', properties: { k: text, v: text }, required: ['k'] },
      'x-kubernetes-list-type': 'map',
      'x-kubernetes-list-map-keys': ['k'],
    },
    [
      { k: 'a', v: '1' },
      { k: 'a', v: '2' },
    ],
    ['spec.f[1]: Duplicate value: {"k":"a"}'],
  ],
  [
    { type: 'object', additionalProperties: integer },
    { a: 1, b: 'x' },
    ['spec.f.b: Invalid value: "string": spec.f.b in body must be of type integer: "string"'],
  ],
  [
    { type: 'object', additionalProperties: integer, maxProperties: 1 },
    { a: 1, b: 2 },
    ['spec.f: Too many: 2: must have at most 1 items'],
  ],
  [{ type: 'object', properties: { a: text }, required: ['a'] }, {}, ['spec.f.a: Required value']],
  [{ 'x-kubernetes-int-or-string': true }, '80%', []],
  [{ 'x-kubernetes-int-or-string': true }, 80, []],
  [
    { 'x-kubernetes-int-or-string': true },
    true,
    ['spec.f: Invalid value: "boolean": spec.f in body must be of type integer,string: "boolean"'],
  ],
  [{ ...text, format: 'date-time' }, '2026-01-01T00:00:00Z', []],
  [
    { ...text, format: 'date-time' },
    '2026-13-01T00:00:00Z',
    ['spec.f: Invalid value: "2026-13-01T00:00:00Z": spec.f in body must be of type date-time: "2026-13-01T00:00:00Z"'],
  ],
  [{ ...text, format: 'made-up' }, 'x', []],
  [
    { ...text, anyOf: [{ pattern: '^a' }, { pattern: '^b' }] },
    'c',
    ['spec.f: Invalid value: "c": "spec.f" must validate at least one schema (anyOf)'],
  ],
  [
    { ...text, allOf: [{ pattern: '^a' }, { minLength: 3 }] },
    'a',
    ['spec.f: Invalid value: "a": spec.f in body should be at least 3 chars long'],
  ],
  [
    { ...text, not: { pattern: '^a' } },
    'a',
    ['spec.f: Invalid value: "a": "spec.f" must not validate the schema (not)'],
  ],
  [
    { type: 'object', properties: { a: text, b: text }, oneOf: [{ required: ['a'] }, { required: ['b'] }] },
    {},
    ['spec.f: Invalid value: {}: "spec.f" must validate one and only one schema (oneOf). Found none valid'],
  ],
]

describe('structural schemas', () => {
  it.each(cases)('%j with %j', (schema, value, expected) => expect(told(admitted(schema, value))).toEqual(expected))

  it.each([
    ['ipv4', '10.0.0.1', '10.0.0.256'],
    ['ipv6', '::1', '10.0.0.1'],
    ['cidr', '10.0.0.0/8', '10.0.0.0/33'],
    ['uuid', '123e4567-e89b-12d3-a456-426614174000', 'x'],
    ['byte', 'YQ==', 'YQ='],
    ['email', 'a@b.c', 'a'],
    ['hostname', 'a.b-c', 'a_b'],
    ['uri', 'https://a/b', 'a b'],
    ['date', '2024-02-29', '2026-02-29'],
    ['duration', '1h30m', '1x'],
    ['mac', '00:1a:2b:3c:4d:5e', '00:1a'],
  ])('format %s', (format, good, bad) => {
    expect(told(admitted({ ...text, format }, good))).toEqual([])
    expect(told(admitted({ ...text, format }, bad))).toHaveLength(1)
  })

  it('sum up as Kubernetes does', () => {
    const { causes } = created(specOf({ a: integer, b: integer }), { spec: { a: 'x', b: 'y' } })
    expect(sumUp(causes.slice(0, 1))).toBe(
      'spec.a: Invalid value: "string": spec.a in body must be of type integer: "string"',
    )
    expect(sumUp(causes)).toMatch(/^\[spec\.a: .*, spec\.b: .*\]$/)
  })
})

describe('pruning', () => {
  it('takes out and names what the schema does not know', () => {
    const kind = specOf({
      known: { type: 'object', properties: { a: text } },
      list: { type: 'array', items: { type: 'object', properties: { a: text } } },
    })
    const { object, unknown } = created(kind, {
      spec: { known: { a: 'x', b: 1 }, list: [{ a: 'x' }, { c: 1 }], other: {} },
      extra: 1,
      metadata: { name: 'x', foo: 1 },
    })
    expect(unknown).toEqual(['metadata.foo', 'spec.known.b', 'spec.list[1].c', 'spec.other', 'extra'])
    expect(object).toEqual({
      apiVersion: 'example.com/v1',
      kind: 'Thing',
      metadata: { name: 'x', generation: 1 },
      spec: { known: { a: 'x' }, list: [{ a: 'x' }, {}] },
    })
  })

  it('keeps what is to be preserved, but prunes what is described within', () => {
    const loose: Schema = {
      type: 'object',
      'x-kubernetes-preserve-unknown-fields': true,
      properties: { tight: { type: 'object', properties: { a: text } } },
    }
    const { object, unknown } = admitted(loose, { any: { thing: [1] }, tight: { a: 'x', b: 1 } })
    expect(object.spec).toEqual({ f: { any: { thing: [1] }, tight: { a: 'x' } } })
    expect(unknown).toEqual(['spec.f.tight.b'])
  })

  it('keeps type and metadata of embedded objects', () => {
    const embedded: Schema = {
      type: 'object',
      'x-kubernetes-embedded-resource': true,
      properties: { spec: { type: 'object' } },
    }
    const value = { apiVersion: 'v1', kind: 'Pod', metadata: { name: 'x' }, spec: {}, other: 1 }
    const { object, unknown } = admitted(embedded, value)
    expect(unknown).toEqual(['spec.f.other'])
    expect(object.spec?.f).toMatchObject({ kind: 'Pod', metadata: { name: 'x' } })
  })

  it('keeps a field named __proto__ an ordinary field', () => {
    const value = JSON.parse('{"__proto__": "x"}')
    const { object } = admitted({ type: 'object', additionalProperties: text }, value)
    expect(JSON.stringify(object.spec)).toBe('{"f":{"__proto__":"x"}}')
    expect(admitted({ type: 'object', properties: {} }, value).unknown).toEqual(['spec.f.__proto__'])
  })
})

describe('defaults', () => {
  const kind = specOf({
    a: { type: 'string', default: 'x' },
    inner: { type: 'object', default: {}, properties: { b: { type: 'integer', default: 3 } } },
    list: { type: 'array', items: { type: 'object', properties: { c: { type: 'boolean', default: true } } } },
    map: {
      type: 'object',
      additionalProperties: { type: 'object', properties: { d: { type: 'string', default: 'd' } } },
    },
    opt: { type: 'object', properties: { e: { type: 'string', default: 'e' } } },
    free: { type: 'string', nullable: true, default: 'f' },
  })

  it('fill what is missing, at every depth', () => {
    expect(created(kind, { spec: { list: [{}, { c: false }], map: { k: {} } } }).object.spec).toEqual({
      a: 'x',
      inner: { b: 3 },
      list: [{ c: true }, { c: false }],
      map: { k: { d: 'd' } },
      free: 'f',
    })
  })

  it('stand in for null where null is not allowed', () => {
    expect(created(kind, { spec: { a: null, free: null } }).object.spec).toMatchObject({ a: 'x', free: null })
  })

  it('are not shared between objects', () => {
    const [one, other] = [created(kind, { spec: {} }), created(kind, { spec: {} })]
    expect(one.object.spec?.inner).not.toBe(other.object.spec?.inner)
  })
})

describe('generation and status', () => {
  const open: Schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
  const withStatus = thingKind(open)
  const without = thingKind(open, {})
  const old = {
    apiVersion: 'example.com/v1',
    kind: 'Thing',
    metadata: { name: 'x', generation: 4, labels: { a: 'b' } },
    spec: { a: 1 },
    status: { b: 1 },
  }
  const update = (kind: typeof withStatus, object: Record<string, unknown>, subresource?: string) =>
    admit({ kind, operation: 'update', subresource, object: { metadata: { name: 'x' }, ...object }, old }).object

  it('count changes of anything but metadata and status', () => {
    expect(
      update(withStatus, { spec: { a: 1 }, metadata: { name: 'x', labels: { c: 'd' } } }).metadata.generation,
    ).toBe(4)
    expect(update(withStatus, { spec: { a: 2 } }).metadata.generation).toBe(5)
  })

  it('keep the status out of the object, and the object out of the status', () => {
    expect(update(withStatus, { spec: { a: 2 }, status: { b: 2 } }).status).toEqual({ b: 1 })
    const status = update(
      withStatus,
      { spec: { a: 2 }, status: { b: 2 }, metadata: { name: 'x', labels: { c: 'd' } } },
      'status',
    )
    expect(status).toMatchObject({ spec: { a: 1 }, status: { b: 2 }, metadata: { generation: 4, labels: { a: 'b' } } })
    expect(created(withStatus, { status: { b: 1 } }).object.status).toBeUndefined()
  })

  it('without the subresource the status is a field like others', () => {
    expect(created(without, { status: { b: 1 } }).object.status).toEqual({ b: 1 })
    expect(update(without, { spec: { a: 1 }, status: { b: 2 } })).toMatchObject({
      status: { b: 2 },
      metadata: { generation: 5 },
    })
  })
})
