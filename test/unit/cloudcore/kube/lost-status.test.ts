import { hasLost, lostOf } from '@kedge/cloudcore/kube/lost-status'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

function device(name: string, status?: Record<string, unknown>, version = '5'): KubeObject {
  const metadata = { name, namespace: 'default', uid: name, resourceVersion: version }
  return { apiVersion: 'devices.kubeedge.io/v1beta1', kind: 'Device', metadata, spec: { nodeName: 'edge-1' }, status }
}

function pod(name: string, status: Record<string, unknown>): KubeObject {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name, namespace: 'default' },
    spec: { nodeName: 'edge-2' },
    status,
  }
}

const twins = (...names: string[]) => ({ twins: names.map((propertyName) => ({ propertyName })) })
const conditions = [{ type: 'Ready', status: 'True' }]

test.each([
  ['twins that were removed', device('a', twins('x', 'y')), device('a', twins('x'), '6'), true],
  ['a status that was wiped', device('a', twins('x')), device('a', undefined, '6'), true],
  ['an older copy', device('a', twins('x'), '9'), device('a', twins('x'), '7'), true],
  ['a new value', device('a', twins('x')), device('a', twins('x', 'y'), '6'), false],
  ['another object of the name', device('a', twins('x')), { ...device('a'), metadata: { name: 'a', uid: 'b' } }, false],
  ['one that came', undefined, device('a'), false],
])('%s', (_, before, after, lost) => {
  expect(hasLost({ ...(before && { before }), after })).toBe(lost)
})

test('what was never written is asked for, and all of a node of which most is missing', () => {
  const found = lostOf([
    ['devices', device('blank')],
    ['devices', device('fresh', { conditions })],
    ['devices', device('told', twins('x'))],
    ['pods', pod('web', { phase: 'Pending' })],
    ['pods', pod('runs', { containerStatuses: [{ name: 'main' }] })],
    ['pods', pod('waits', { phase: 'Pending' })],
  ])
  expect(found).toEqual([
    { node: 'edge-1', keys: ['devices/default/blank'] },
    { node: 'edge-2', keys: 'all' },
  ])
})
