import { newNode, nodeStatus, relabelled } from '@kedge/cloudcore/nodes/node-object'
import type { NodeReport } from '@kedge/shared/reports'
import { expect, test } from 'vitest'

function report(labels: Record<string, string>, status: Record<string, unknown> = {}): NodeReport {
  return { is: 'node', labels, status: { nodeInfo: { operatingSystem: 'linux', architecture: 'arm64' }, ...status } }
}

test('a node is registered with the labels that KubeEdge sets', () => {
  expect(newNode('edge-1', report({ site: 'roof' })).metadata.labels).toEqual({
    'kubernetes.io/hostname': 'edge-1',
    'kubernetes.io/os': 'linux',
    'kubernetes.io/arch': 'arm64',
    'node-role.kubernetes.io/edge': '',
    'node-role.kubernetes.io/agent': '',
    site: 'roof',
  })
})

test('a node cannot give itself a role or the trust of others', () => {
  const claimed = {
    'node-role.kubernetes.io/control-plane': '',
    'node-restriction.kubernetes.io/pci': 'yes',
    'kedge.io/anything': 'yes',
    'topology.kubernetes.io/zone': 'roof',
  }
  const { labels } = newNode('edge-1', report(claimed)).metadata
  expect(Object.keys(labels ?? {})).not.toEqual(expect.arrayContaining(['node-role.kubernetes.io/control-plane']))
  expect(labels).not.toHaveProperty(['node-restriction.kubernetes.io/pci'])
  expect(labels).not.toHaveProperty(['kedge.io/anything'])
  expect(labels).toHaveProperty(['topology.kubernetes.io/zone'], 'roof')
})

test('labels of people are never overwritten, nor put back once removed', () => {
  const node = newNode('edge-1', report({ site: 'roof', floor: '1', old: 'x' }))
  const labels = { ...node.metadata.labels, floor: 'third', mine: 'yes' } as Record<string, string>
  delete labels.site
  const edited = { ...node, metadata: { ...node.metadata, labels } }
  const next = relabelled(edited, report({ site: 'roof', floor: '2', mine: 'no', fresh: '1' })).metadata.labels
  expect(next).toMatchObject({ floor: 'third', mine: 'yes', fresh: '1' })
  expect(next).not.toHaveProperty('site')
  expect(next).not.toHaveProperty('old')
})

test('a label that the node alone has set follows it', () => {
  const node = newNode('edge-1', report({ floor: '1' }))
  expect(relabelled(node, report({ floor: '2' })).metadata.labels).toMatchObject({ floor: '2' })
  expect(relabelled(node, report({ floor: '1' }))).toEqual(node)
})

test('a status keeps the conditions of others and what the report leaves out', () => {
  const held = {
    capacity: { cpu: '4' },
    volumesInUse: ['v'],
    conditions: [{ type: 'NetworkUnavailable', status: 'False' }],
  }
  const reported = { capacity: { cpu: '8' }, conditions: [{ type: 'Ready', status: 'True', message: null }] }
  expect(nodeStatus(held, reported, [{ type: 'Connected', status: 'True' }], 'now')).toEqual({
    capacity: { cpu: '8' },
    volumesInUse: ['v'],
    conditions: [
      { type: 'NetworkUnavailable', status: 'False' },
      { type: 'Ready', status: 'True', lastTransitionTime: 'now' },
      { type: 'Connected', status: 'True', lastTransitionTime: 'now' },
    ],
  })
})
