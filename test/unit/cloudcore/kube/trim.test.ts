import { IndexByNode } from '@kedge/cloudcore/kube/index-by-node'
import { isEdgeNode, trim } from '@kedge/cloudcore/kube/trim'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

function node(labels: Record<string, string>, annotations?: Record<string, string>): KubeObject {
  return { metadata: { name: 'n', labels, annotations }, spec: { taints: [] }, status: { images: ['big'] } }
}

test('a node is at the edge by its label, or because cloudcore registered it', () => {
  expect(isEdgeNode(node({ 'node-role.kubernetes.io/edge': '' }))).toBe(true)
  expect(isEdgeNode(node({}, { 'kedge.io/registered': 'true' }))).toBe(true)
  expect(isEdgeNode(node({ 'node-role.kubernetes.io/worker': '' }))).toBe(false)
})

test('of other nodes only the metadata is kept', () => {
  expect(trim('nodes', node({}))).not.toHaveProperty('status')
  expect(trim('nodes', node({ 'node-role.kubernetes.io/edge': '' }))).toHaveProperty('status')
})

test('notes of the API server and of kubectl are dropped, what people wrote stays', () => {
  const metadata = {
    name: 'c',
    managedFields: [{}],
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', mine: 'kept' },
  }
  expect(trim('configmaps', { metadata, data: { a: '1' } })).toEqual({
    metadata: { name: 'c', annotations: { mine: 'kept' } },
    data: { a: '1' },
    apiVersion: undefined,
  })
})

test('the index follows objects from node to node', () => {
  const index = new IndexByNode()
  const on = (nodeName: string): KubeObject => ({ metadata: { name: 'd' }, spec: { nodeName } })
  index.change('devices/default/d', undefined, on('a'))
  expect([...index.on('a')]).toEqual(['devices/default/d'])
  index.change('devices/default/d', on('a'), on('b'))
  expect([[...index.on('a')], [...index.on('b')]]).toEqual([[], ['devices/default/d']])
  index.change('devices/default/d', on('b'), undefined)
  expect([...index.on('b')]).toEqual([])
})
