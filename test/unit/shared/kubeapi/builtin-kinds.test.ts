import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { fromStorage, toStorage } from '@kedge/shared/kubeapi/convert'
import { apiVersionOf, byVersionPriority, qualified } from '@kedge/shared/kubeapi/kinds'
import { admit } from '@kedge/shared/kubeapi/validate'
import type { KubeObject } from '@kedge/shared/objects'
import { describe, expect, it } from 'vitest'
import { builtIn, created, told } from '../../../support/kinds.ts'

const coded = (text: string) => Buffer.from(text).toString('base64')

/** Admits an update of what was created from `before`. */
function updated(kind: string, before: Record<string, unknown>, after: Record<string, unknown>, subresource?: string) {
  const old = created(builtIn(kind), before).object
  const object = { metadata: old.metadata, ...after }
  return admit({ kind: builtIn(kind), operation: 'update', subresource, object, old })
}

describe('config maps', () => {
  const frozen = 'Forbidden: field is immutable when `immutable` is set'

  it.each([
    [{ data: { 'a.b-c_D': 'x' }, binaryData: { b: coded('x') } }, []],
    [
      { data: { 'a b': 'x' } },
      [
        `data[a b]: Invalid value: "a b": a valid config key must consist of alphanumeric characters, '-', '_' or '.' (e.g. 'key.name', or 'KEY_NAME', or 'key-name', regex used for validation is '[-._a-zA-Z0-9]+')`,
      ],
    ],
    [{ data: { '..': 'x' } }, [`data[..]: Invalid value: "..": must not be '..'`]],
    [{ data: { '..a': 'x' } }, [`data[..a]: Invalid value: "..a": must not start with '..'`]],
    [
      { data: { a: 'x' }, binaryData: { a: coded('x') } },
      ['data[a]: Invalid value: "a": duplicate of key present in binaryData'],
    ],
    [{ data: { a: 'x'.repeat(1024 * 1024 + 1) } }, [': Too long: may not be more than 1048576 bytes']],
  ])('%j', (content, expected) => expect(told(created(builtIn('ConfigMap'), content))).toEqual(expected))

  it.each([
    [{ data: { a: '1' }, immutable: true }, { data: { a: '1' }, immutable: true }, []],
    [{ data: { a: '1' }, immutable: true }, { data: { a: '2' }, immutable: true }, [`data: ${frozen}`]],
    [{ data: { a: '1' }, immutable: true }, { data: { a: '1' } }, [`immutable: ${frozen}`]],
    [{ immutable: true }, { binaryData: { a: coded('x') }, immutable: true }, [`binaryData: ${frozen}`]],
    [{ data: { a: '1' } }, { data: { a: '2' }, immutable: true }, []],
  ])('%j to %j', (before, after, expected) => expect(told(updated('ConfigMap', before, after))).toEqual(expected))
})

describe('secrets', () => {
  it('take plain text into data, over what is there', () => {
    const { object } = created(builtIn('Secret'), {
      data: { a: coded('old'), b: coded('b') },
      stringData: { a: 'new', ü: 'ü' },
    })
    expect(object).toMatchObject({ type: 'Opaque', data: { a: coded('new'), b: coded('b'), ü: coded('ü') } })
    expect(object.stringData).toBeUndefined()
  })

  it.each([
    ['kubernetes.io/tls', {}, ['data[tls.crt]: Required value', 'data[tls.key]: Required value']],
    ['kubernetes.io/tls', { 'tls.crt': coded('c'), 'tls.key': coded('k') }, []],
    ['kubernetes.io/ssh-auth', {}, ['data[ssh-privatekey]: Required value']],
    ['kubernetes.io/basic-auth', {}, ['data[username]: Required value', 'data[password]: Required value']],
    ['kubernetes.io/basic-auth', { username: coded('u') }, []],
    ['kubernetes.io/dockerconfigjson', { '.dockerconfigjson': coded('{"auths":{}}') }, []],
    [
      'kubernetes.io/dockerconfigjson',
      { '.dockerconfigjson': coded('secret') },
      ['data[.dockerconfigjson]: Invalid value: "<secret contents redacted>": not JSON'],
    ],
    [
      'kubernetes.io/service-account-token',
      {},
      ['metadata.annotations[kubernetes.io/service-account.name]: Required value'],
    ],
    ['example.com/any', {}, []],
  ])('of type %s with %j', (type, data, expected) =>
    expect(told(created(builtIn('Secret'), { type, data }))).toEqual(expected),
  )

  it('keep their type', () => {
    expect(told(updated('Secret', { type: 'a' }, { type: 'b' }))).toEqual([
      'type: Invalid value: "b": field is immutable',
    ])
  })
})

describe('namespaces', () => {
  it('start active, with the label of their name and the finalizer', () => {
    expect(created(builtIn('Namespace'), { metadata: { name: 'n' }, status: { phase: 'Terminating' } }).object).toEqual(
      {
        apiVersion: 'v1',
        kind: 'Namespace',
        metadata: { name: 'n', labels: { 'kubernetes.io/metadata.name': 'n' } },
        spec: { finalizers: ['kubernetes'] },
        status: { phase: 'Active' },
      },
    )
  })

  it('lose finalizers only through finalize', () => {
    const before = { metadata: { name: 'n' } }
    expect(updated('Namespace', before, { spec: { finalizers: [] } }).object.spec).toEqual({
      finalizers: ['kubernetes'],
    })
    expect(updated('Namespace', before, { spec: { finalizers: [] } }, 'finalize').object.spec).toEqual({
      finalizers: [],
    })
  })
})

describe('nodes', () => {
  it('register with their status', () => {
    const status = { capacity: { cpu: '4', memory: '1Gi' }, conditions: [{ type: 'Ready', status: 'True' }] }
    expect(created(builtIn('Node'), { metadata: { name: 'edge-1' }, status }).object.status).toEqual(status)
  })

  it('keep the status when the node itself is written', () => {
    const before = { metadata: { name: 'n' }, status: { phase: 'Running' } }
    expect(updated('Node', before, { spec: { unschedulable: true } }).object).toMatchObject({
      spec: { unschedulable: true },
      status: { phase: 'Running' },
    })
    const status = updated(
      'Node',
      before,
      { spec: { unschedulable: true }, status: { phase: 'Pending' } },
      'status',
    ).object
    expect(status).toMatchObject({ status: { phase: 'Pending' } })
    expect(status.spec).toBeUndefined()
  })

  it.each([
    [
      [
        { key: 'a', effect: 'NoSchedule' },
        { key: 'a', effect: 'NoExecute' },
      ],
      [],
    ],
    [
      [{ key: 'a', effect: 'Never' }],
      [
        'spec.taints[0].effect: Unsupported value: "Never": supported values: "NoSchedule", "PreferNoSchedule", "NoExecute"',
      ],
    ],
    [
      [
        { key: 'a', effect: 'NoSchedule' },
        { key: 'a', effect: 'NoSchedule', value: 'x' },
      ],
      ['spec.taints[1]: Duplicate value: {"key":"a","effect":"NoSchedule","value":"x"}'],
    ],
    [[{ effect: 'NoSchedule' }], ['spec.taints[0].key: Required value']],
  ])('with taints %j', (taints, expected) => {
    const faults = told(created(builtIn('Node'), { metadata: { name: 'n' }, spec: { taints } }))
    expect(faults.slice(0, Math.max(expected.length, 1))).toEqual(expected)
  })
})

describe('leases', () => {
  it.each([
    [{ holderIdentity: 'n', leaseDurationSeconds: 40, renewTime: '2026-01-01T00:00:00.000000Z' }, []],
    [{ leaseDurationSeconds: 0 }, ['spec.leaseDurationSeconds: Invalid value: 0: must be greater than 0']],
    [{ leaseTransitions: -1 }, ['spec.leaseTransitions: Invalid value: -1: must be greater than or equal to 0']],
    [{ holderIdentity: '' }, []],
  ])('%j', (spec, expected) => expect(told(created(builtIn('Lease'), { spec }))).toEqual(expected))
})

const about = { kind: 'Pod', namespace: 'default', name: 'x' }

describe('events', () => {
  const newer = { eventTime: '2026-01-01T00:00:00.000000Z', action: 'a', reason: 'r', reportingInstance: 'i' }

  it.each([
    [{ involvedObject: about, reason: 'r' }, []],
    [{ involvedObject: { kind: 'Node', name: 'n' } }, []],
    [
      { involvedObject: { ...about, namespace: 'other' } },
      ['involvedObject.namespace: Invalid value: "other": does not match event.namespace'],
    ],
    [{ involvedObject: about, ...newer, reportingComponent: 'c' }, []],
    [
      { involvedObject: about, eventTime: newer.eventTime },
      ['reportingComponent', 'reportingInstance', 'action', 'reason'].map((field) => `${field}: Required value`),
    ],
  ])('of core/v1 %j', (event, expected) => expect(told(created(builtIn('Event', ''), event))).toEqual(expected))

  it.each([
    [{ regarding: about, ...newer, reportingController: 'c', type: 'Normal' }, []],
    [{ regarding: about, type: 'Normal' }, ['eventTime: Required value']],
    [
      { regarding: about, ...newer, reportingController: 'c', type: 'Other' },
      ['type: Invalid value: "Other": has invalid value: Other'],
    ],
  ])('of events.k8s.io %j', (event, expected) =>
    expect(told(created(builtIn('Event', 'events.k8s.io'), event))).toEqual(expected),
  )

  it('are stored once, and seen as either kind', () => {
    const [core, events] = [builtIn('Event', ''), builtIn('Event', 'events.k8s.io')]
    const stored: KubeObject = {
      apiVersion: 'v1',
      kind: 'Event',
      metadata: { name: 'x' },
      involvedObject: about,
      message: 'm',
      source: { component: 'c' },
      count: 2,
      firstTimestamp: 'f',
      lastTimestamp: 'l',
      reportingComponent: 'r',
      type: 'Normal',
    }
    expect(fromStorage(core, stored)).toBe(stored)
    const seen = fromStorage(events, stored)
    expect(seen).toEqual({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      metadata: { name: 'x' },
      regarding: about,
      note: 'm',
      deprecatedSource: { component: 'c' },
      deprecatedCount: 2,
      deprecatedFirstTimestamp: 'f',
      deprecatedLastTimestamp: 'l',
      reportingController: 'r',
      type: 'Normal',
    })
    expect(toStorage(events, seen)).toEqual(stored)
  })
})

describe('certificate signing requests', () => {
  const kind = builtIn('CertificateSigningRequest')
  const request = coded('-----BEGIN CERTIFICATE REQUEST-----\nMA==\n-----END CERTIFICATE REQUEST-----\n')
  const spec = { request, signerName: 'kedge.io/edge', usages: ['client auth'] }
  const approved = { conditions: [{ type: 'Approved', status: 'True' }] }
  const denied = { conditions: [...approved.conditions, { type: 'Denied', status: 'True' }] }

  it.each([
    [spec, []],
    [
      { ...spec, request: coded('x') },
      [`spec.request: Invalid value: "${coded('x')}": PEM block type must be CERTIFICATE REQUEST`],
    ],
    [
      { ...spec, signerName: 'edge' },
      [
        'spec.signerName: Invalid value: "edge": must be a fully qualified domain and path of the form "example.com/signer-name"',
      ],
    ],
    [{ ...spec, usages: [] }, ['spec.usages: Required value: usages field is required']],
    [
      { ...spec, expirationSeconds: 60 },
      ['spec.expirationSeconds: Invalid value: 60: may not specify a duration less than 600 seconds (10 minutes)'],
    ],
  ])('%j', (content, expected) => expect(told(created(kind, { spec: content }))).toEqual(expected))

  it.each([
    [['client auth', 'client auth'], 'spec.usages[1]: Duplicate value: "client auth"'],
    [['client auth', 'tea'], 'spec.usages[1]: Unsupported value: "tea": supported values: "any", "cert sign"'],
  ])('with usages %j are refused', (usages, expected) => {
    expect(told(created(kind, { spec: { ...spec, usages } }))[0]).toContain(expected)
  })

  it('start with no status, and keep what they ask for', () => {
    expect(created(kind, { spec, status: approved }).object.status).toBeUndefined()
    const changed = { spec: { ...spec, usages: ['server auth'] } }
    const { object, causes } = updated('CertificateSigningRequest', { spec }, changed)
    expect({ causes, spec: object.spec }).toEqual({ causes: [], spec })
  })

  it('are approved through approval only', () => {
    const { object, causes } = updated('CertificateSigningRequest', { spec }, { status: approved }, 'approval')
    expect({ causes, status: object.status }).toEqual({ causes: [], status: approved })
    expect(told(updated('CertificateSigningRequest', { spec }, { status: approved }, 'status'))).toEqual([
      'status.conditions: Forbidden: updates may not add a condition of type "Approved"',
    ])
    expect(told(updated('CertificateSigningRequest', { spec }, { status: denied }, 'approval'))).toEqual([
      'status.conditions[1].type: Invalid value: "Denied": Approved and Denied conditions are mutually exclusive',
    ])
  })

  it.each([
    [[], 'status.conditions: Forbidden: updates may not remove a condition of type "Approved"'],
    [
      [{ type: 'Approved', status: 'False' }],
      'status.conditions[0].status: Unsupported value: "False": supported values: "True"',
    ],
    [[...approved.conditions, ...approved.conditions], 'status.conditions[1].type: Duplicate value: "Approved"'],
  ])('stay approved, once: %j', (conditions, expected) => {
    const old = { ...created(kind, { spec }).object, status: approved }
    const object = { ...old, status: { conditions } }
    const admitted = admit({ kind, operation: 'update', subresource: 'approval', object, old })
    expect(told(admitted)).toEqual([expected])
  })

  it.each([
    ['nothing', 'must contain at least one CERTIFICATE PEM block'],
    ['-----BEGIN KEY-----\nAAAA\n-----END KEY-----\n', 'only CERTIFICATE PEM blocks are allowed, found "KEY"'],
    ['-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n', 'x509: malformed certificate'],
  ])('take no certificate that is none: %j', (text, fault) => {
    const status = { certificate: coded(text) }
    expect(told(updated('CertificateSigningRequest', { spec }, { status }, 'status'))).toEqual([
      `status.certificate: Invalid value: "<certificate data>": ${fault}`,
    ])
  })
})

describe('the table of kinds', () => {
  it('has each resource of a version once', () => {
    const ids = builtIns.map((kind) => `${apiVersionOf(kind)}/${kind.plural}`)
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('names kinds and resources as Kubernetes does', () => {
    expect(apiVersionOf(builtIn('Pod'))).toBe('v1')
    expect(apiVersionOf(builtIn('Lease'))).toBe('coordination.k8s.io/v1')
    expect(qualified(builtIn('Pod'))).toBe('pods')
    expect(qualified(builtIn('Lease'))).toBe('leases.coordination.k8s.io')
  })

  it('prefers versions as Kubernetes does', () => {
    const sorted = ['v10', 'v2', 'v1', 'v11beta2', 'v10beta3', 'v3beta1', 'v12alpha1', 'v11alpha2', 'foo1', 'foo10']
    expect([...sorted].reverse().sort(byVersionPriority)).toEqual(sorted)
  })
})
