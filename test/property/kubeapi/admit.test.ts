import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { establish, kindsOf } from '@kedge/shared/kubeapi/crd'
import { qualified } from '@kedge/shared/kubeapi/kinds'
import { openApiV3 } from '@kedge/shared/kubeapi/openapi'
import { applyPatch } from '@kedge/shared/kubeapi/patch'
import type { Schema } from '@kedge/shared/kubeapi/schema'
import { toTable } from '@kedge/shared/kubeapi/tables'
import { admit } from '@kedge/shared/kubeapi/validate'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { manifests } from '../../support/device-manifests.ts'
import { deviceKind, thingCrd } from '../../support/kinds.ts'

const kinds = [...builtIns, deviceKind('Device'), deviceKind('DeviceModel')]
const kind = fc.constantFrom(...kinds)

/** Words that mean something somewhere, so that random objects reach deeper than the first check. */
const word = fc.constantFrom(
  ...[
    'metadata',
    'name',
    'namespace',
    'labels',
    'annotations',
    'finalizers',
    'ownerReferences',
    'uid',
    'spec',
    'status',
  ],
  ...[
    'containers',
    'initContainers',
    'volumes',
    'image',
    'env',
    'ports',
    'resources',
    'limits',
    'tolerations',
    'taints',
  ],
  ...['conditions', 'type', 'data', 'stringData', 'immutable', 'involvedObject', 'eventTime', 'request', 'usages'],
  ...['group', 'names', 'versions', 'schema', 'openAPIV3Schema', 'properties', 'items', 'default', 'storage', 'served'],
  ...['twins', 'desired', 'value', 'configData', 'nodeName', 'podIPs', 'containerStatuses', 'state', 'terminated'],
)
const leaf = fc.oneof(
  fc.string(),
  fc.integer(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.constant('2026-01-01T00:00:00Z'),
)
const { tree } = fc.letrec<{ tree: unknown }>((tie) => ({
  tree: fc.oneof(
    { depthSize: 'medium', withCrossShrink: true },
    leaf,
    fc.array(tie('tree'), { maxLength: 3 }),
    fc.dictionary(fc.oneof({ weight: 9, arbitrary: word }, { weight: 1, arbitrary: fc.string() }), tie('tree'), {
      maxKeys: 5,
    }),
  ),
}))
const anything = fc.dictionary(word, tree, { maxKeys: 6 })

describe('whatever is sent', () => {
  it('is admitted or refused, never a crash, and left as it was', () => {
    fc.assert(
      fc.property(kind, fc.oneof(anything, tree), (one, object) => {
        const before = structuredClone(object)
        const { causes, unknown, warnings } = admit({ kind: one, operation: 'create', object })
        for (const { field, message } of causes) expect([typeof field, typeof message]).toEqual(['string', 'string'])
        for (const text of [...unknown, ...warnings]) expect(typeof text).toBe('string')
        expect(object).toEqual(before)
      }),
      { numRuns: 1000 },
    )
  })

  it('is printed, whatever is in it', () => {
    fc.assert(
      fc.property(kind, anything, (one, object) => {
        const metadata = { name: 'x', labels: {} }
        const table = toTable(one, [{ ...object, metadata } as never], { now: 0, includeObject: 'Object' })
        expect(table.rows[0]?.cells).toHaveLength(table.columnDefinitions.length)
        for (const cell of table.rows[0]?.cells ?? [])
          expect(['string', 'number', 'boolean', 'object']).toContain(typeof cell)
      }),
      { numRuns: 500 },
    )
  })
})

const name = fc.stringMatching(/^[a-z]{1,5}$/)
const container = fc.record(
  {
    name,
    image: fc.constantFrom('nginx', 'nginx:1', 'a/b@sha256:0'),
    args: fc.array(fc.string()),
    env: fc.uniqueArray(fc.record({ name, value: fc.string() }), { selector: (one) => one.name }),
    ports: fc.uniqueArray(fc.record({ containerPort: fc.integer({ min: 1, max: 65535 }) }), {
      selector: (one) => one.containerPort,
    }),
    resources: fc.record({
      limits: fc.record({
        cpu: fc.constantFrom(1, '0.5', '1500m', '2000m'),
        memory: fc.constantFrom('1024Mi', '1.5Gi', 1e6),
      }),
    }),
    livenessProbe: fc.record({ httpGet: fc.record({ port: fc.integer({ min: 1, max: 65535 }) }) }),
  },
  { requiredKeys: ['name', 'image'] },
)
const pod = fc.record({
  metadata: fc.record({ name }),
  spec: fc.record(
    {
      containers: fc.uniqueArray(container, { selector: (one) => one.name, minLength: 1, maxLength: 3 }),
      volumes: fc.uniqueArray(
        fc.oneof(
          fc.record({ name }),
          fc.record({ name, configMap: fc.record({ name }) }),
          fc.record({ name, secret: fc.record({ secretName: name }) }),
        ),
        { selector: (one) => one.name, maxLength: 3 },
      ),
      hostNetwork: fc.boolean(),
      tolerations: fc.array(fc.record({ key: name, operator: fc.constant('Exists') }), { maxLength: 2 }),
    },
    { requiredKeys: ['containers'] },
  ),
})

const podKind = builtIns.find((one) => one.kind === 'Pod') ?? deviceKind('Device')

describe('what was admitted', () => {
  it('is admitted again without a change: pods', () => {
    fc.assert(
      fc.property(pod, (object) => {
        const once = admit({ kind: podKind, operation: 'create', object })
        expect(once.causes.filter(({ field }) => !field.includes('hostPort'))).toEqual([])
        const again = admit({ kind: podKind, operation: 'update', object: once.object, old: once.object })
        expect(again.object).toEqual(once.object)
        expect(again.unknown).toEqual([])
      }),
    )
  })

  it.each(manifests.map((one) => [`${one.kind} ${one.metadata.name}`, one] as const))(
    'is admitted again without a change: %s',
    (_, manifest) => {
      const one = deviceKind(manifest.kind)
      const { object } = admit({ kind: one, operation: 'create', object: manifest })
      expect(admit({ kind: one, operation: 'update', object, old: object })).toMatchObject({
        object,
        causes: [],
        unknown: [],
      })
    },
  )

  it('stays as it is under an empty patch', () => {
    fc.assert(
      fc.property(pod, (object) => {
        const old = admit({ kind: podKind, operation: 'create', object }).object
        for (const mediaType of ['application/merge-patch+json', 'application/strategic-merge-patch+json']) {
          const patched = applyPatch({ mediaType, patch: {}, object: old, kind: podKind })
          expect(admit({ kind: podKind, operation: 'update', object: patched, old }).object).toEqual(old)
        }
      }),
    )
  })
})

/** Now and then something that has no place in a schema. */
const sprinkle = fc.oneof(
  { weight: 20, arbitrary: fc.constant({}) },
  {
    weight: 1,
    arbitrary: fc.dictionary(
      fc.constantFrom('type', 'enum', 'required', 'pattern', 'anyOf', 'items', 'default', 'minimum'),
      leaf,
      {
        maxKeys: 1,
      },
    ),
  },
)
const plain: fc.Arbitrary<Schema> = fc.oneof(
  fc.record(
    {
      type: fc.constant('string' as const),
      pattern: fc.constantFrom('^a+$', '(?i)x', '\\p{L}', 'a\\-b'),
      enum: fc.array(fc.string()),
      default: fc.string(),
    },
    { requiredKeys: ['type'] },
  ),
  fc.record(
    { type: fc.constant('integer' as const), minimum: fc.integer(), default: fc.integer() },
    { requiredKeys: ['type'] },
  ),
  fc.record({ type: fc.constant('boolean' as const), nullable: fc.boolean() }),
  fc.constant({ 'x-kubernetes-int-or-string': true }),
  fc.constant({ type: 'object' as const, 'x-kubernetes-preserve-unknown-fields': true }),
)
/** Schemas, mostly structural. */
const { schema } = fc.letrec<{ schema: Schema }>((tie) => ({
  schema: fc
    .tuple(
      fc.oneof(
        { depthSize: 'small', maxDepth: 4 },
        plain,
        fc.record({
          type: fc.constant('object' as const),
          properties: fc.dictionary(word, tie('schema'), { maxKeys: 4 }),
        }),
        fc.record({ type: fc.constant('object' as const), additionalProperties: tie('schema') }),
        fc.record({ type: fc.constant('array' as const), items: tie('schema') }),
        fc.record({
          type: fc.constant('array' as const),
          items: plain,
          'x-kubernetes-list-type': fc.constantFrom('set', 'atomic'),
        }),
      ),
      sprinkle,
    )
    .map(([one, more]) => ({ ...one, ...more }) as Schema),
}))

it('a definition that is admitted declares a kind that takes or refuses whatever comes', () => {
  const crdKind = builtIns.find((one) => one.kind === 'CustomResourceDefinition') ?? podKind
  let served = 0
  fc.assert(
    fc.property(schema, fc.array(tree, { maxLength: 5 }), (spec, values) => {
      const crd = admit({ kind: crdKind, operation: 'create', object: JSON.parse(JSON.stringify(thingCrd(spec))) })
      if (crd.causes.length > 0 || crd.malformed !== undefined) return
      const [thing] = kindsOf(establish(crd.object, [], '2026-01-01T00:00:00Z'))
      if (thing === undefined) throw new Error('no kind is served')
      served += 1
      for (const value of values) {
        const { object, causes } = admit({
          kind: thing,
          operation: 'create',
          object: { metadata: { name: 'x' }, spec: value },
        })
        if (causes.length > 0) continue
        const again = admit({ kind: thing, operation: 'update', object, old: object })
        expect(again).toMatchObject({ object, causes: [], unknown: [] })
      }
      openApiV3([thing])
    }),
    { numRuns: 500 },
  )
  expect(served).toBeGreaterThan(20)
})

it('every kind says where it is stored', () => {
  for (const one of kinds) expect(one.storage === qualified(one) || one.storage === 'events').toBe(true)
})
