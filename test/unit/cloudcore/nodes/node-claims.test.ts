import { heard } from '@kedge/cloudcore/nodes/node-claims'
import type { NodeReport } from '@kedge/shared/reports'
import { expect, test } from 'vitest'

const report = (status: Record<string, unknown>, labels: Record<string, string> = {}): NodeReport => ({
  is: 'node',
  labels,
  status,
})
const isOther = (name: string) => name === 'edge-2'
const heardOf = (...args: Parameters<typeof report>) => heard(report(...args), isOther)

test('what edgecore says of its node is heard, word for word', () => {
  const own = report(
    {
      capacity: { cpu: '4' },
      allocatable: { cpu: '4' },
      addresses: [
        { type: 'InternalIP', address: '192.168.1.10' },
        { type: 'InternalIP', address: '2001:db8::1' },
        { type: 'Hostname', address: 'edge-1' },
      ],
      conditions: [{ type: 'Ready', status: 'True' }],
      nodeInfo: { architecture: 'arm64' },
      images: [],
    },
    { 'kubernetes.io/arch': 'arm64', zone: 'hall' },
  )
  expect(heard(own, isOther)).toEqual({ report: own, unheard: [] })
})

test.each(['spec', 'config', 'daemonEndpoints', 'volumesAttached', 'phase'])(
  'of its status a node has no word in %s',
  (field) => {
    expect(heardOf({ [field]: {} })).toMatchObject({ report: { status: {} }, unheard: [`status.${field}`] })
  },
)

test.each(['Connected', 'LinkSecure', 'IdentityLocked'])('the condition %s is cloudcore’s alone', (type) => {
  const { report, unheard } = heardOf({
    conditions: [
      { type, status: 'False' },
      { type: 'Ready', status: 'True' },
    ],
  })
  expect(report.status.conditions).toEqual([{ type: 'Ready', status: 'True' }])
  expect(unheard).toEqual([`condition ${type}`])
})

test.each([
  ['InternalIP', '127.0.0.1'],
  ['InternalIP', '0.0.0.0'],
  ['InternalIP', '169.254.169.254'],
  ['ExternalIP', '224.0.0.1'],
  ['InternalIP', '::1'],
  ['InternalIP', '::ffff:127.0.0.1'],
  ['InternalIP', '::ffff:7f00:1'],
  ['InternalIP', 'fe80::1'],
  ['InternalIP', 'edge-1'],
  ['Hostname', 'edge-2'],
  ['InternalDNS', 'edge-2'],
  ['Hostname', '10.0.0.1'],
  ['Hostname', 'x'.repeat(300)],
])('the address %s %s is not heard', (type, address) => {
  const { report, unheard } = heardOf({ addresses: [{ type, address }] })
  expect(report.status.addresses).toEqual([])
  expect(unheard).toEqual([`address ${type} ${address.slice(0, 64)}`])
})

test.each([
  'node-restriction.kubernetes.io/tier',
  'node-role.kubernetes.io/control-plane',
  'kedge.io/registered',
  'x.node-restriction.kubernetes.io/a',
])('the label %s is not for a node to set', (label) => {
  expect(heardOf({}, { [label]: '' })).toMatchObject({ report: { labels: {} }, unheard: [`label ${label}`] })
})

test('what comes without end is cut off', () => {
  const conditions = Array.from({ length: 1000 }, (_, index) => ({ type: `T${index}`, status: 'True' }))
  const { report, unheard } = heardOf({ conditions, addresses: [1, null, 'x'] })
  expect(report.status).toMatchObject({ conditions: conditions.slice(0, 64), addresses: [] })
  expect(unheard).toEqual(['1000 of 64', 'an address'])
})
