import type { ApiKind } from '@kedge/shared/kubeapi/kinds'
import { toTable } from '@kedge/shared/kubeapi/tables'
import type { KubeObject } from '@kedge/shared/objects'
import { describe, expect, it } from 'vitest'
import { builtIn, deviceKind, thingKind } from '../../../support/kinds.ts'

const now = Date.parse('2026-01-01T01:00:00Z')
const at = (time: string) => `2026-01-01T${time}Z`

/** The cells of one object by the name of the column; wide ones too. */
function cells(kind: ApiKind, object: Record<string, unknown>): Record<string, unknown> {
  const metadata = { name: 'x', creationTimestamp: at('00:55:00'), ...(object.metadata as object) }
  const table = toTable(kind, [{ ...object, metadata } as KubeObject], { now, includeObject: 'None' })
  const row = table.rows[0]?.cells ?? []
  return Object.fromEntries(table.columnDefinitions.map(({ name }, index) => [name, row[index]]))
}

function shownColumns(kind: ApiKind): string[] {
  const { columnDefinitions } = toTable(kind, [], { now, includeObject: 'None' })
  return columnDefinitions.map(({ name, priority }) => (priority === 0 ? name : `(${name})`))
}

describe('columns', () => {
  it.each([
    ['Pod', 'Name Ready Status Restarts Age (IP) (Node) (Nominated Node) (Readiness Gates)'],
    [
      'Node',
      'Name Status Roles Age Version (Internal-IP) (External-IP) (OS-Image) (Kernel-Version) (Container-Runtime)',
    ],
    ['ConfigMap', 'Name Data Age'],
    ['Secret', 'Name Type Data Age'],
    ['Namespace', 'Name Status Age'],
    ['ServiceAccount', 'Name Secrets Age'],
    ['Lease', 'Name Holder Age'],
    ['Event', 'Last Seen Type Reason Object (Subobject) (Source) Message (First Seen) (Count) (Name)'],
    ['CertificateSigningRequest', 'Name Age SignerName Requestor RequestedDuration Condition'],
    ['CustomResourceDefinition', 'Name Created At'],
  ])('of %s', (kind, columns) => expect(shownColumns(builtIn(kind)).join(' ')).toBe(columns))

  it('of Device and DeviceModel', () => {
    expect(shownColumns(deviceKind('Device')).join(' ')).toBe(
      'Name Model Node State In-Sync Last-Seen (Ready) (Protocol) Age',
    )
    expect(shownColumns(deviceKind('DeviceModel')).join(' ')).toBe('Name Protocol Age')
  })

  it('of a custom resource without any: name and age', () => {
    expect(shownColumns(thingKind({ type: 'object' }))).toEqual(['Name', 'Age'])
  })
})

describe('rows', () => {
  const object = { metadata: { name: 'a', creationTimestamp: at('00:00:00') }, data: { k: 'v' } }
  const row = (includeObject: 'None' | 'Metadata' | 'Object') =>
    toTable(builtIn('ConfigMap'), [object], { now, includeObject, metadata: { resourceVersion: '7' } })

  it('carry what was asked for of the object', () => {
    expect(row('None').rows[0]).toEqual({ cells: ['a', 1, '60m'] })
    expect(row('Object').rows[0]?.object).toBe(object)
    expect(row('Metadata').rows[0]?.object).toEqual({
      kind: 'PartialObjectMetadata',
      apiVersion: 'meta.k8s.io/v1',
      metadata: object.metadata,
    })
    expect(row('None').metadata).toEqual({ resourceVersion: '7' })
  })

  it('name the pods that will not run again', () => {
    const pods = [{ metadata: { name: 'a' }, status: { phase: 'Succeeded' } }]
    const table = toTable(builtIn('Pod'), pods, { now, includeObject: 'None' })
    expect(table.rows[0]?.conditions).toMatchObject([{ type: 'Completed', status: 'True', reason: 'Succeeded' }])
  })
})

const running = { state: { running: { startedAt: at('00:56:00') } }, ready: true, restartCount: 0 }
const spec = (...names: string[]) => ({ containers: names.map((name) => ({ name })) })
const waiting = (reason: string, more = {}) => ({
  state: { waiting: { reason } },
  ready: false,
  restartCount: 0,
  ...more,
})
const ended = (terminated: object, more = {}) => ({ state: { terminated }, ready: false, restartCount: 0, ...more })
const sidecar = { name: 'side', restartPolicy: 'Always' }

/** [what, pod, READY, STATUS, RESTARTS] */
const pods: [string, Record<string, unknown>, string, string, string][] = [
  ['a new pod', { spec: spec('a'), status: { phase: 'Pending' } }, '0/1', 'Pending', '0'],
  [
    'a running pod',
    { spec: spec('a', 'b'), status: { phase: 'Running', containerStatuses: [running, running] } },
    '2/2',
    'Running',
    '0',
  ],
  [
    'a crashing container',
    {
      spec: spec('a', 'b'),
      status: {
        phase: 'Running',
        containerStatuses: [
          waiting('CrashLoopBackOff', { restartCount: 3, lastState: { terminated: { finishedAt: at('00:55:00') } } }),
          running,
        ],
      },
    },
    '1/2',
    'CrashLoopBackOff',
    '3 (5m ago)',
  ],
  [
    'an image that cannot be pulled',
    { spec: spec('a'), status: { phase: 'Pending', containerStatuses: [waiting('ErrImagePull')] } },
    '0/1',
    'ErrImagePull',
    '0',
  ],
  [
    'the first container that has a reason',
    { spec: spec('a', 'b'), status: { phase: 'Pending', containerStatuses: [waiting('One'), waiting('Two')] } },
    '0/2',
    'One',
    '0',
  ],
  [
    'a pod that is done',
    {
      spec: spec('a'),
      status: { phase: 'Succeeded', containerStatuses: [ended({ reason: 'Completed', exitCode: 0 })] },
    },
    '0/1',
    'Completed',
    '0',
  ],
  [
    'an exit code',
    { spec: spec('a'), status: { phase: 'Failed', containerStatuses: [ended({ exitCode: 3 })] } },
    '0/1',
    'ExitCode:3',
    '0',
  ],
  [
    'a signal',
    { spec: spec('a'), status: { phase: 'Failed', containerStatuses: [ended({ exitCode: 137, signal: 9 })] } },
    '0/1',
    'Signal:9',
    '0',
  ],
  [
    'one of two done, the pod not ready',
    {
      spec: spec('a', 'b'),
      status: { phase: 'Running', containerStatuses: [ended({ reason: 'Completed' }), running] },
    },
    '1/2',
    'NotReady',
    '0',
  ],
  [
    'one of two done, the pod ready',
    {
      spec: spec('a', 'b'),
      status: {
        phase: 'Running',
        conditions: [{ type: 'Ready', status: 'True' }],
        containerStatuses: [ended({ reason: 'Completed' }), running],
      },
    },
    '1/2',
    'Running',
    '0',
  ],
  ['an evicted pod', { spec: spec('a'), status: { phase: 'Failed', reason: 'Evicted' } }, '0/1', 'Evicted', '0'],
  [
    'a gated pod',
    {
      spec: spec('a'),
      status: { phase: 'Pending', conditions: [{ type: 'PodScheduled', reason: 'SchedulingGated' }] },
    },
    '0/1',
    'SchedulingGated',
    '0',
  ],
  [
    'a pod being deleted',
    {
      metadata: { deletionTimestamp: at('00:59:00') },
      spec: spec('a'),
      status: { phase: 'Running', containerStatuses: [running] },
    },
    '1/1',
    'Terminating',
    '0',
  ],
  [
    'a deleted pod on a lost node',
    {
      metadata: { deletionTimestamp: at('00:59:00') },
      spec: spec('a'),
      status: { phase: 'Running', reason: 'NodeLost' },
    },
    '0/1',
    'Unknown',
    '0',
  ],
  [
    'a deleted pod that is done',
    { metadata: { deletionTimestamp: at('00:59:00') }, spec: spec('a'), status: { phase: 'Succeeded' } },
    '0/1',
    'Succeeded',
    '0',
  ],
  [
    'the first init container',
    {
      spec: { ...spec('a'), initContainers: [{ name: 'i' }, { name: 'j' }] },
      status: {
        phase: 'Pending',
        initContainerStatuses: [running, waiting('PodInitializing')],
        containerStatuses: [waiting('PodInitializing')],
      },
    },
    '0/1',
    'Init:0/2',
    '0',
  ],
  [
    'the second init container',
    {
      spec: { ...spec('a'), initContainers: [{ name: 'i' }, { name: 'j' }] },
      status: { phase: 'Pending', initContainerStatuses: [ended({ exitCode: 0 }), waiting('PodInitializing')] },
    },
    '0/1',
    'Init:1/2',
    '0',
  ],
  [
    'an init container that failed',
    {
      spec: { ...spec('a'), initContainers: [{ name: 'i' }] },
      status: { phase: 'Pending', initContainerStatuses: [ended({ exitCode: 1, reason: 'Error' })] },
    },
    '0/1',
    'Init:Error',
    '0',
  ],
  [
    'an init container that crashes',
    {
      spec: { ...spec('a'), initContainers: [{ name: 'i' }] },
      status: { phase: 'Pending', initContainerStatuses: [waiting('CrashLoopBackOff', { restartCount: 2 })] },
    },
    '0/1',
    'Init:CrashLoopBackOff',
    '2',
  ],
  [
    'a sidecar',
    {
      spec: { ...spec('a'), initContainers: [sidecar] },
      status: {
        phase: 'Running',
        initContainerStatuses: [{ ...running, name: 'side', started: true, restartCount: 1 }],
        containerStatuses: [running],
      },
    },
    '2/2',
    'Running',
    '1',
  ],
]

describe('pods', () => {
  it.each(pods)('%s', (_, pod, ready, status, restarts) => {
    expect(cells(builtIn('Pod'), pod)).toMatchObject({ Ready: ready, Status: status, Restarts: restarts, Age: '5m' })
  })

  it('say more when asked', () => {
    const gated = {
      containers: [],
      nodeName: 'edge-1',
      readinessGates: [{ conditionType: 'a' }, { conditionType: 'b' }],
    }
    const status = { phase: 'Running', podIPs: [{ ip: '10.0.0.1' }], conditions: [{ type: 'a', status: 'True' }] }
    expect(cells(builtIn('Pod'), { spec: gated, status })).toMatchObject({
      IP: '10.0.0.1',
      Node: 'edge-1',
      'Nominated Node': '<none>',
      'Readiness Gates': '1/2',
    })
    expect(cells(builtIn('Pod'), {})).toMatchObject({ IP: '<none>', Node: '<none>', 'Readiness Gates': '<none>' })
  })
})

describe('nodes', () => {
  it.each([
    [{}, 'Unknown'],
    [{ status: { conditions: [{ type: 'Ready', status: 'True' }] } }, 'Ready'],
    [{ status: { conditions: [{ type: 'Ready', status: 'Unknown' }] } }, 'NotReady'],
    [
      { spec: { unschedulable: true }, status: { conditions: [{ type: 'Ready', status: 'True' }] } },
      'Ready,SchedulingDisabled',
    ],
  ])('%j is %s', (node, status) => expect(cells(builtIn('Node'), node)).toMatchObject({ Status: status }))

  it('have the roles of their labels', () => {
    const labels = {
      'node-role.kubernetes.io/edge': '',
      'node-role.kubernetes.io/agent': '',
      'kubernetes.io/role': 'x',
    }
    expect(cells(builtIn('Node'), { metadata: { labels } })).toMatchObject({ Roles: 'agent,edge,x' })
    expect(cells(builtIn('Node'), {})).toMatchObject({
      Roles: '<none>',
      Version: '',
      'Internal-IP': '<none>',
      'OS-Image': '<unknown>',
    })
  })

  it('say where they are and what they run', () => {
    const status = {
      addresses: [{ type: 'InternalIP', address: '192.0.2.1' }],
      nodeInfo: {
        kubeletVersion: 'v1.32.0-kedge',
        osImage: 'Debian',
        kernelVersion: '6.1',
        containerRuntimeVersion: 'simulated://1',
      },
    }
    expect(cells(builtIn('Node'), { status })).toMatchObject({
      Version: 'v1.32.0-kedge',
      'Internal-IP': '192.0.2.1',
      'External-IP': '<none>',
      'OS-Image': 'Debian',
      'Kernel-Version': '6.1',
      'Container-Runtime': 'simulated://1',
    })
  })
})

describe('the others', () => {
  it.each([
    ['ConfigMap', { data: { a: '' }, binaryData: { b: '', c: '' } }, { Data: 3 }],
    ['Secret', { type: 'Opaque', data: { a: '' } }, { Type: 'Opaque', Data: 1 }],
    ['Namespace', { status: { phase: 'Terminating' } }, { Status: 'Terminating' }],
    ['Lease', { spec: { holderIdentity: 'edge-1' } }, { Holder: 'edge-1' }],
    ['ServiceAccount', { secrets: [{}, {}] }, { Secrets: 2 }],
    ['CustomResourceDefinition', {}, { 'Created At': at('00:55:00') }],
    [
      'CertificateSigningRequest',
      { spec: { signerName: 's/a', username: 'u' } },
      { SignerName: 's/a', Requestor: 'u', RequestedDuration: '<none>', Condition: 'Pending' },
    ],
    [
      'CertificateSigningRequest',
      { spec: { expirationSeconds: 86400 * 3 }, status: { certificate: 'x', conditions: [{ type: 'Approved' }] } },
      { RequestedDuration: '3d', Condition: 'Approved,Issued' },
    ],
    [
      'CertificateSigningRequest',
      { status: { conditions: [{ type: 'Denied' }, { type: 'Failed' }] } },
      { Condition: 'Denied,Failed' },
    ],
  ])('%s %j', (kind, object, expected) => expect(cells(builtIn(kind), object)).toMatchObject(expected))

  it.each([
    [
      'an older event',
      {
        involvedObject: { kind: 'Pod', name: 'web', fieldPath: 'spec.containers{a}' },
        type: 'Warning',
        reason: 'BackOff',
        message: ' again ',
        source: { component: 'edgecore', host: 'edge-1' },
        firstTimestamp: at('00:00:00'),
        lastTimestamp: at('00:59:00'),
        count: 4,
      },
      {
        'Last Seen': '60s',
        Type: 'Warning',
        Object: 'pod/web',
        Message: 'again',
        Subobject: 'spec.containers{a}',
        Source: 'edgecore, edge-1',
        'First Seen': '60m',
        Count: 4,
      },
    ],
    [
      'a newer event',
      {
        involvedObject: { kind: 'Node', name: 'n' },
        eventTime: at('00:58:00.000000'),
        reportingComponent: 'r',
        reportingInstance: 'i',
        series: { count: 2, lastObservedTime: at('00:59:30.000000') },
      },
      { 'Last Seen': '30s', 'First Seen': '2m', Count: 2, Source: 'r, i', Object: 'node/n' },
    ],
    [
      'one of events.k8s.io',
      { regarding: { kind: 'Device', name: 'd' }, note: 'n', eventTime: at('00:58:00.000000') },
      { Object: 'device/d', Message: 'n', Count: 1, 'Last Seen': '2m' },
    ],
    ['one without times', { involvedObject: { kind: 'Pod' } }, { 'Last Seen': '<unknown>', Object: 'pod' }],
  ])('%s', (_, event, expected) => expect(cells(builtIn('Event'), event)).toMatchObject(expected))
})

describe('custom resources', () => {
  it('print what their columns point at', () => {
    const column = (name: string, type: string, jsonPath: string) => ({ name, type, jsonPath })
    const kind = thingKind(
      { type: 'object' },
      {
        additionalPrinterColumns: [
          column('Text', 'string', '.spec.text'),
          column('Number as text', 'string', '.spec.number'),
          column('List as text', 'string', '.spec.list'),
          column('Number', 'integer', '.spec.number'),
          column('Not a number', 'integer', '.spec.text'),
          column('Flag', 'boolean', '.spec.flag'),
          column('When', 'date', '.spec.when'),
          column('Ready', 'string', '.status.conditions[?(@.type=="Ready")].status'),
          column('First', 'string', '.spec.list[0]'),
          column('Missing', 'string', '.spec.missing.deeper'),
        ],
      },
    )
    const object = {
      spec: { text: 'a', number: 3, list: ['x', 'y'], flag: true, when: at('00:58:00') },
      status: {
        conditions: [
          { type: 'Other', status: 'False' },
          { type: 'Ready', status: 'True' },
        ],
      },
    }
    expect(cells(kind, object)).toEqual({
      Name: 'x',
      Text: 'a',
      'Number as text': '3',
      'List as text': '["x","y"]',
      Number: 3,
      'Not a number': null,
      Flag: true,
      When: '2m',
      Ready: 'True',
      First: 'x',
      Missing: null,
    })
  })
})
