import { admit } from '@kedge/shared/kubeapi/validate'
import { describe, expect, it } from 'vitest'
import { builtIn, created, deviceKind, told } from '../../../support/kinds.ts'

const configMap = builtIn('ConfigMap')
const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')"
const label =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')"

describe('names', () => {
  it.each([
    [{ name: 'a-b.c' }, []],
    [{ name: 'Upper' }, [`metadata.name: Invalid value: "Upper": ${subdomain}`]],
    [{ name: '-a' }, [`metadata.name: Invalid value: "-a": ${subdomain}`]],
    [
      { name: 'a'.repeat(254) },
      [`metadata.name: Invalid value: "${'a'.repeat(254)}": must be no more than 253 characters`],
    ],
    [{}, ['metadata.name: Required value: name or generateName is required']],
    [{ generateName: 'a-' }, []],
  ])('%j', (metadata, expected) => expect(told(created(configMap, { metadata }))).toEqual(expected))

  it('of namespaces are labels', () => {
    expect(told(created(builtIn('Namespace'), { metadata: { name: 'a.b' } }))).toEqual([
      `metadata.name: Invalid value: "a.b": ${label}`,
    ])
  })

  it('of events are whatever a path can hold', () => {
    const involvedObject = { kind: 'Pod', name: 'x', namespace: 'default' }
    const event = (name: string) =>
      told(created(builtIn('Event'), { metadata: { name, namespace: 'default' }, involvedObject }))
    expect(event('Web.17A')).toEqual([])
    expect(event('a/b')).toEqual([`metadata.name: Invalid value: "a/b": may not contain '/'`])
  })
})

describe('labels, annotations, finalizers, owners', () => {
  const found = (metadata: Record<string, unknown>) =>
    told(created(configMap, { metadata: { name: 'x', ...metadata } }))

  it.each([
    [{ labels: { app: 'Web_1.0', 'example.com/a': '', 'a.b/C_d': 'x' } }, []],
    [{ annotations: { 'Example.com/Any': 'any text\n{}' }, finalizers: ['example.com/a'] }, []],
  ])('%j are fine', (metadata, expected) => expect(found(metadata)).toEqual(expected))

  it.each([
    [{ labels: { 'a b': 'x' } }, /^metadata\.labels: Invalid value: "a b": name part must consist of alphanumeric/],
    [
      { labels: { a: 'x y' } },
      /^metadata\.labels: Invalid value: "x y": a valid label must be an empty string or consist/,
    ],
    [{ labels: { a: 'x'.repeat(64) } }, /must be no more than 63 characters$/],
    [{ labels: { ['x'.repeat(64)]: '' } }, /name part must be no more than 63 characters$/],
    [{ labels: { '/a': '' } }, /prefix part must be non-empty$/],
    [{ labels: { 'A/a': '' } }, /prefix part a lowercase RFC 1123 subdomain/],
    [{ labels: { 'a/b/c': '' } }, /a qualified name must consist of .* with an optional DNS subdomain prefix/],
    [{ annotations: { 'a b': '' } }, /^metadata\.annotations: Invalid value: "a b"/],
    [
      { annotations: { a: 'x'.repeat(256 * 1024) } },
      /^metadata\.annotations: Too long: may not be more than 262144 bytes$/,
    ],
    [{ finalizers: ['a b'] }, /^metadata\.finalizers\[0\]: Invalid value: "a b"/],
    [
      { ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'a' }] },
      /^metadata\.ownerReferences\[0\]\.uid: Invalid value: "": must not be empty$/,
    ],
  ])('%j is refused', (metadata, message) => {
    const faults = found(metadata)
    expect(faults).toHaveLength(1)
    expect(faults[0]).toMatch(message)
  })

  it('only one owner manages', () => {
    const owner = (name: string) => ({ apiVersion: 'v1', kind: 'Pod', name, uid: name, controller: true })
    expect(found({ ownerReferences: [owner('a'), owner('b')] })[0]).toMatch(
      /Only one reference can have Controller set to true/,
    )
  })

  it('advise a domain for finalizers of custom resources', () => {
    const { warnings, causes } = created(deviceKind('Device'), {
      metadata: { name: 'x', finalizers: ['plain', 'a.b/c', 'orphan'] },
    })
    expect(causes).toEqual([])
    expect(warnings).toHaveLength(1)
    expect(warnings[0]).toMatch(/^metadata\.finalizers: "plain": prefer a domain-qualified finalizer name/)
  })
})

describe('what only the server says', () => {
  it('is left out of what is created', () => {
    const metadata = {
      name: 'x',
      uid: 'u',
      resourceVersion: '1',
      generation: 7,
      creationTimestamp: '2020-01-01T00:00:00Z',
      deletionTimestamp: '2020-01-01T00:00:00Z',
      deletionGracePeriodSeconds: 3,
      selfLink: '/x',
      managedFields: [{ manager: 'm' }],
      labels: {},
    }
    expect(created(configMap, { metadata }).object.metadata).toEqual({ name: 'x' })
  })

  const old = {
    apiVersion: 'v1',
    kind: 'ConfigMap',
    metadata: {
      name: 'x',
      namespace: 'default',
      uid: 'u',
      creationTimestamp: '2020-01-01T00:00:00Z',
      finalizers: ['a/b'],
    },
  }
  const update = (metadata: Record<string, unknown>, more = {}) =>
    admit({
      kind: configMap,
      operation: 'update',
      object: { metadata },
      old: { ...old, metadata: { ...old.metadata, ...more } },
    })

  it('stays as it was in an update', () => {
    const metadata = {
      name: 'x',
      namespace: 'default',
      creationTimestamp: null,
      generation: 9,
      resourceVersion: '5',
      labels: { a: 'b' },
    }
    expect(update(metadata).object.metadata).toEqual({
      name: 'x',
      namespace: 'default',
      resourceVersion: '5',
      labels: { a: 'b' },
      uid: 'u',
      creationTimestamp: '2020-01-01T00:00:00Z',
    })
  })

  it('cannot be changed', () => {
    expect(told(update({ name: 'y', namespace: 'default' }))).toEqual([
      'metadata.name: Invalid value: "y": field is immutable',
    ])
    expect(told(update({ name: 'x', namespace: 'n' }))).toEqual([
      'metadata.namespace: Invalid value: "n": field is immutable',
    ])
    expect(told(update({ name: 'x', namespace: 'default', uid: 'v' }))).toEqual([
      'metadata.uid: Invalid value: "v": field is immutable',
    ])
  })

  it('no finalizer comes to what is being deleted', () => {
    const deleting = { deletionTimestamp: '2026-01-01T00:00:00Z' }
    const next = { name: 'x', namespace: 'default', finalizers: ['a/b', 'c/d'] }
    expect(told(update(next, deleting))).toEqual([
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"c/d"}',
    ])
    expect(told(update({ name: 'x', namespace: 'default' }, deleting))).toEqual([])
    expect(update({ name: 'x', namespace: 'default' }, deleting).object.metadata).toMatchObject(deleting)
  })
})

describe('what cannot be read', () => {
  it.each([
    [[], 'ConfigMap', /must be of type Object/],
    [
      { apiVersion: 'v2' },
      'ConfigMap',
      /^the API version in the data \(v2\) does not match the expected API version \(v1\)$/,
    ],
    [{ kind: 'Pod' }, 'ConfigMap', /^the kind in the data \(Pod\) does not match the expected kind \(ConfigMap\)$/],
    [
      { metadata: { labels: { a: 1 } } },
      'ConfigMap',
      /^ConfigMap in version "v1" cannot be handled as a ConfigMap: json: cannot unmarshal number into Go struct field ConfigMap\.metadata\.labels of type string$/,
    ],
    [{ data: { a: 1 } }, 'ConfigMap', /cannot unmarshal number into Go struct field ConfigMap\.data of type string$/],
    [{ data: [] }, 'ConfigMap', /cannot unmarshal array into Go struct field ConfigMap\.data of type map$/],
    [{ metadata: { creationTimestamp: 'x' } }, 'ConfigMap', /parsing time "x" as "2006-01-02T15:04:05Z07:00"/],
    [{ data: { a: '%' } }, 'Secret', /illegal base64 data at input byte 0$/],
    [
      { spec: { containers: 'x' } },
      'Pod',
      /cannot unmarshal string into Go struct field Pod\.spec\.containers of type \[\]$/,
    ],
    [
      { spec: { containers: [{ ports: [{ containerPort: '80' }] }] } },
      'Pod',
      /Pod\.spec\.containers\.ports\.containerPort of type int32$/,
    ],
    [
      { spec: { containers: [{ resources: { limits: { cpu: 'many' } } }] } },
      'Pod',
      /quantities must match the regular expression/,
    ],
    [
      { spec: { terminationGracePeriodSeconds: 1.5 } },
      'Pod',
      /cannot unmarshal number into Go struct field Pod\.spec\.terminationGracePeriodSeconds of type int64$/,
    ],
  ])('%j as a %s', (object, kind, message) => {
    expect(admit({ kind: builtIn(kind), operation: 'create', object }).malformed).toMatch(message)
  })

  it('what nests deeper than anything should', () => {
    const spec = JSON.parse(`${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}`)
    expect(created(deviceKind('Device'), { spec }).malformed).toBe('the object nests deeper than 250 levels')
  })

  it('metadata of a custom resource', () => {
    const object = { metadata: { name: 'x', labels: { a: 1 } } }
    expect(admit({ kind: deviceKind('Device'), operation: 'create', object }).malformed).toMatch(
      /^Device in version "v1beta1" cannot be handled as a Device: json: cannot unmarshal number/,
    )
  })

  it('null says nothing in a built-in kind', () => {
    const { object, malformed, unknown } = created(configMap, {
      metadata: { name: 'x', creationTimestamp: null, labels: null },
      data: null,
    })
    expect({ object, malformed, unknown }).toEqual({
      object: { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'x' } },
      malformed: undefined,
      unknown: [],
    })
  })
})
