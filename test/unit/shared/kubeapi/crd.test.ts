import { establish, kindsOf } from '@kedge/shared/kubeapi/crd'
import type { Schema } from '@kedge/shared/kubeapi/schema'
import { admit } from '@kedge/shared/kubeapi/validate'
import { must } from '@kedge/shared/must'
import type { KubeObject } from '@kedge/shared/objects'
import { describe, expect, it } from 'vitest'
import { builtIn, created, thingCrd, thingKind, told } from '../../../support/kinds.ts'

const kind = builtIn('CustomResourceDefinition')
const now = '2026-01-01T00:00:00Z'
const at = 'spec.versions[0].schema.openAPIV3Schema'

/** Admits a definition of which some fields are other than usual; `spec.names.kind` and the like name a field. */
function define(changes: Record<string, unknown>, crd: KubeObject = thingCrd({ type: 'object' }), old?: KubeObject) {
  const object = structuredClone(crd)
  for (const [path, value] of Object.entries(changes)) {
    const steps = path.split('.')
    const last = steps.pop() ?? ''
    const holder = steps.reduce<Record<string, unknown>>((held, step) => held[step] as Record<string, unknown>, object)
    holder[last] = value
  }
  return admit({ kind, operation: old === undefined ? 'create' : 'update', object, old })
}

const withSpec = (spec: unknown) => define({}, thingCrd(spec as Schema))

describe('definitions', () => {
  it('get the names that they leave out', () => {
    const { object, causes, unknown } = define({ 'spec.names': { kind: 'Thing', plural: 'things' } })
    expect({ causes, unknown }).toEqual({ causes: [], unknown: [] })
    expect(object.spec?.names).toEqual({ kind: 'Thing', plural: 'things', singular: 'thing', listKind: 'ThingList' })
    expect(object.spec?.conversion).toEqual({ strategy: 'None' })
  })

  it.each([
    [
      { 'metadata.name': 'other.example.com' },
      /^metadata\.name: Invalid value: "other\.example\.com": must be spec\.names\.plural\+"\."\+spec\.group$/,
    ],
    [
      { 'spec.group': 'local', 'metadata.name': 'things.local' },
      /^spec\.group: Invalid value: "local": should be a domain with at least one dot$/,
    ],
    [
      { 'spec.group': 'a.k8s.io', 'metadata.name': 'things.a.k8s.io' },
      /^metadata\.annotations\[api-approved\.kubernetes\.io\]: Required value: protected groups/,
    ],
    [{ 'spec.scope': 'World' }, /^spec\.scope: Unsupported value: "World": supported values: "Cluster", "Namespaced"$/],
    [{ 'spec.names.shortNames': ['Th'] }, /^spec\.names\.shortNames\[0\]: Invalid value: "Th": a DNS-1035 label/],
    [{ 'spec.names.kind': 'Thing_' }, /^spec\.names\.kind: Invalid value: "Thing_": may have mixed case/],
    [
      { 'spec.names.listKind': 'Thing' },
      /^spec\.names\.listKind: Invalid value: "Thing": kind and listKind may not be the same$/,
    ],
    [
      { 'spec.versions.0.storage': false },
      /^spec\.versions: Invalid value: \["v1"\]: must have exactly one version marked as storage version$/,
    ],
    [{ 'spec.versions.0.name': 'V1' }, /^spec\.versions\[0\]\.name: Invalid value: "V1": a DNS-1035 label/],
    [
      { 'spec.versions.0.schema': null },
      /^spec\.versions\[0\]\.schema\.openAPIV3Schema: Required value: schemas are required$/,
    ],
    [
      { 'spec.conversion': { strategy: 'Webhook' } },
      /^spec\.conversion\.strategy: Forbidden: this server calls no webhooks/,
    ],
    [{ 'spec.preserveUnknownFields': true }, /^spec\.preserveUnknownFields: Invalid value: true/],
    [
      { 'spec.versions.0.additionalPrinterColumns': [{ name: 'A', type: 'text', jsonPath: '.a' }] },
      /additionalPrinterColumns\[0\]\.type: Unsupported value: "text"/,
    ],
    [
      { 'spec.versions.0.additionalPrinterColumns': [{ name: 'A', type: 'string', jsonPath: 'a' }] },
      /additionalPrinterColumns\[0\]\.jsonPath: Invalid value: "a": must start with a dot$/,
    ],
    [
      { 'spec.versions.0.schema.openAPIV3Schema.type': 'string' },
      /openAPIV3Schema\.type: Invalid value: "string": must be object at the root$/,
    ],
  ])('with %j are refused', (changes, message) => {
    const faults = told(define(changes))
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(message)
  })

  it('with two versions need two names and one storage', () => {
    const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: { type: 'object' } } }
    expect(told(define({ 'spec.versions': [version, version] }))).toEqual([
      'spec.versions: Invalid value: ["v1","v1"]: must have exactly one version marked as storage version',
      'spec.versions: Invalid value: ["v1","v1"]: must contain unique version names',
    ])
  })

  it.each([
    [
      { type: 'object', properties: { a: {} } },
      [`${at}.properties[spec].properties[a].type: Required value: must not be empty for specified object fields`],
    ],
    [{ type: 'array' }, [`${at}.properties[spec].items: Required value: must be specified`]],
    [
      { type: 'array', items: {} },
      [`${at}.properties[spec].items.type: Required value: must not be empty for specified array items`],
    ],
    [
      { type: 'float' },
      [
        `${at}.properties[spec].type: Unsupported value: "float": supported values: "array", "boolean", "integer", "number", "object", "string"`,
      ],
    ],
    [{ type: 'object', $ref: '#/a' }, [`${at}.properties[spec].$ref: Forbidden: $ref is not supported`]],
    [
      { type: 'object', additionalProperties: false },
      [`${at}.properties[spec].additionalProperties: Forbidden: additionalProperties cannot be set to false`],
    ],
    [
      { type: 'object', properties: {}, additionalProperties: true },
      [
        `${at}.properties[spec].additionalProperties: Forbidden: additionalProperties and properties are mutual exclusive`,
      ],
    ],
    [
      { type: 'string', pattern: '[' },
      [`${at}.properties[spec].pattern: Invalid value: "[": must be a valid regular expression`],
    ],
    [
      { type: 'integer', default: 'x' },
      [
        `${at}.properties[spec].default: Invalid value: "string": ${at}.properties[spec].default in body must be of type integer: "string"`,
      ],
    ],
    [
      { type: 'object', default: { a: 1 } },
      [`${at}.properties[spec].default: Invalid value: {"a":1}: must not have unknown fields`],
    ],
    [
      { type: 'object', anyOf: [{ description: 'x' }] },
      [`${at}.properties[spec].anyOf[0].description: Forbidden: must be empty to be structural`],
    ],
    [
      {
        type: 'array',
        'x-kubernetes-list-type': 'map',
        'x-kubernetes-list-map-keys': ['k'],
        items: { type: 'object', properties: { k: { type: 'string' } } },
      },
      [
        `${at}.properties[spec].items.properties[k].default: Required value: this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property`,
      ],
    ],
    [
      { type: 'object', required: 'a' },
      [
        `${at}.properties[spec].required: Invalid value: "string": ${at}.properties[spec].required must be of type array: "string"`,
      ],
    ],
    [
      { type: 'object', properties: { a: 'x' } },
      [
        `${at}.properties[spec].properties[a]: Invalid value: "string": ${at}.properties[spec].properties[a] must be of type object: "string"`,
      ],
    ],
    [
      { type: 'array', items: { type: 'string' }, 'x-kubernetes-list-type': 'bag' },
      [
        `${at}.properties[spec].x-kubernetes-list-type: Unsupported value: "bag": supported values: "atomic", "map", "set"`,
      ],
    ],
    [{ type: 'object', required: null, anyOf: null }, []],
    [{ type: 'object', default: {}, required: ['a'], properties: { a: { type: 'integer', default: 3 } } }, []],
    [{ 'x-kubernetes-int-or-string': true, anyOf: [{ type: 'integer' }, { type: 'string' }] }, []],
    [{ type: 'object', 'x-kubernetes-preserve-unknown-fields': true }, []],
  ])('with a spec of %j', (spec, expected) => expect(told(withSpec(spec))).toEqual(expected))

  it('are told what is not enforced', () => {
    const { warnings, causes } = withSpec({ type: 'object', 'x-kubernetes-validations': [{ rule: 'self.a > 1' }] })
    expect(causes).toEqual([])
    expect(warnings).toEqual([
      `${at}.properties[spec]: x-kubernetes-validations (CEL rules) of spec are not checked by this server`,
    ])
  })

  it('keep scope, group, kind and plural', () => {
    const old = establish(define({}).object, [], now)
    expect(told(define({ 'spec.scope': 'Cluster', 'spec.names.kind': 'Other' }, old, old))).toEqual([
      'spec.scope: Invalid value: "Cluster": field is immutable',
      'spec.names.kind: Invalid value: "Other": field is immutable',
    ])
  })

  it('keep the versions that objects may be stored in', () => {
    const old = establish(define({}).object, [], now)
    expect(told(define({ 'spec.versions.0.name': 'v2' }, old, old))).toEqual([
      'status.storedVersions[0]: Invalid value: "v1": must appear in spec.versions',
    ])
  })
})

describe('the metadata that a schema describes', () => {
  const top = (properties: Record<string, unknown>) =>
    define({ 'spec.versions.0.schema': { openAPIV3Schema: { type: 'object', properties } } })
  const implied =
    'Forbidden: must not specify anything other than name and generateName, but metadata is implicitly specified'

  it.each<[Record<string, unknown>, string[]]>([
    [{ metadata: { type: 'object' }, kind: { type: 'string' }, apiVersion: { type: 'string' } }, []],
    [{ metadata: { type: 'object', properties: { name: { type: 'string', maxLength: 3 } } } }, []],
    [{ metadata: { type: 'string' } }, [`${at}.properties[metadata].type: Invalid value: "string": must be object`]],
    [
      { metadata: { type: 'object', properties: { labels: { type: 'object' } } } },
      [`${at}.properties[metadata]: ${implied}`],
    ],
    [{ metadata: { type: 'object', required: ['name'] } }, [`${at}.properties[metadata]: ${implied}`]],
    [
      { metadata: { type: 'object', properties: { name: { type: 'string', default: 'x' } } } },
      [`${at}.properties[metadata].properties[name].default: Forbidden: must not be set in top-level metadata`],
    ],
    [{ kind: { type: 'integer' } }, [`${at}.properties[kind].type: Invalid value: "integer": must be string`]],
  ])('is only how objects are named: %j', (properties, expected) => expect(told(top(properties))).toEqual(expected))

  it('holds names to what it says', () => {
    const naming = { type: 'object', properties: { name: { type: 'string', pattern: '^a' } } }
    const { object } = top({ metadata: naming })
    const thing = must(kindsOf(establish(object, [], '2026-01-01T00:00:00Z'))[0], 'Thing')
    const named = (name: string) => told(created(thing, { metadata: { name, namespace: 'default' } }))
    expect(named('abc')).toEqual([])
    expect(named('b')).toEqual([`metadata.name: Invalid value: "b": metadata.name in body should match '^a'`])
  })
})

describe('establishing', () => {
  it('accepts the names, and notes the storage version', () => {
    expect(establish(thingCrd({ type: 'object' }), [], now).status).toEqual({
      acceptedNames: { kind: 'Thing', listKind: 'ThingList', plural: 'things', singular: 'thing' },
      conditions: [
        {
          type: 'NamesAccepted',
          status: 'True',
          reason: 'NoConflicts',
          message: 'no conflicts found',
          lastTransitionTime: now,
        },
        {
          type: 'Established',
          status: 'True',
          reason: 'InitialNamesAccepted',
          message: 'the initial names have been accepted',
          lastTransitionTime: now,
        },
      ],
      storedVersions: ['v1'],
    })
  })

  it('again changes nothing, also when its own kinds are among those taken', () => {
    const once = establish(thingCrd({ type: 'object' }), [], now)
    expect(establish(once, kindsOf(once), '2027-01-01T00:00:00Z')).toEqual(once)
  })

  it('refuses names that another kind of the group has', () => {
    const crd = thingCrd({ type: 'object' })
    const taken = [
      {
        ...thingKind({ type: 'object' }),
        storage: 'others.example.com',
        kind: 'Other',
        listKind: 'OtherList',
        plural: 'others',
        singular: 'other',
        shortNames: ['things'],
      },
    ]
    const refused = establish(crd, taken, now)
    expect(refused.status?.conditions).toMatchObject([
      { type: 'NamesAccepted', status: 'False', reason: 'PluralConflict', message: '"things" is already in use' },
      { type: 'Established', status: 'False', reason: 'NotAccepted' },
    ])
    expect(kindsOf(refused)).toEqual([])
    const elsewhere = taken.map((one) => ({ ...one, group: 'other.com' }))
    expect(kindsOf(establish(crd, elsewhere, now))).toHaveLength(1)
  })

  it('remembers older storage versions', () => {
    const crd = establish(thingCrd({ type: 'object' }), [], now)
    const version = { served: true, schema: { openAPIV3Schema: { type: 'object' } } }
    const versions = [
      { ...version, name: 'v1', storage: false },
      { ...version, name: 'v2', storage: true },
    ]
    const next = establish({ ...crd, spec: { ...crd.spec, versions } }, [], now)
    expect(next.status?.storedVersions).toEqual(['v1', 'v2'])
    expect(kindsOf(next).map(({ version: name, storageApiVersion }) => [name, storageApiVersion])).toEqual([
      ['v2', 'example.com/v2'],
      ['v1', 'example.com/v2'],
    ])
  })
})

describe('the kinds of a definition', () => {
  it('are those that it serves', () => {
    const crd = thingCrd(
      { type: 'object' },
      {
        subresources: { status: {} },
        deprecated: true,
        selectableFields: [{ jsonPath: '.spec.colour' }],
      },
    )
    const [served] = kindsOf(establish(crd, [], now))
    expect(served).toMatchObject({
      group: 'example.com',
      version: 'v1',
      namespaced: true,
      custom: true,
      storage: 'things.example.com',
      subresources: [{ name: 'status' }],
      deprecated: 'example.com/v1 Thing is deprecated',
      selectableFields: ['spec.colour'],
    })
    expect(kindsOf(establish(thingCrd({ type: 'object' }, { served: false }), [], now))).toEqual([])
    expect(kindsOf(crd)).toEqual([])
  })
})
