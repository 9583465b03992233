import { canonical } from '@kedge/shared/canonical'
import { contentOf, contentText, type KubeObject, keyOf, parseKey } from '@kedge/shared/objects'
import { describe, expect, test } from 'vitest'

describe('parseKey', () => {
  test.each([
    ['pods/default/web', { resource: 'pods', namespace: 'default', name: 'web' }],
    ['devices/dev/device', { resource: 'devices', namespace: 'dev', name: 'device' }],
    ['pods/default', undefined],
    ['pods/default/', undefined],
    ['pods/default/web/status', undefined],
    ['services/default/web', undefined],
    ['__proto__/a/b', undefined],
    ['', undefined],
  ])('%s', (text, parts) => {
    expect(parseKey(text)).toEqual(parts)
  })

  test('reads what keyOf writes', () => {
    expect(parseKey(keyOf('secrets', 'a', 'b'))).toEqual({ resource: 'secrets', namespace: 'a', name: 'b' })
  })
})

const pod: KubeObject = {
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: {
    name: 'web',
    namespace: 'default',
    uid: 'u1',
    resourceVersion: '7',
    creationTimestamp: '2026-01-01T00:00:00Z',
    annotations: { 'kubectl.kubernetes.io/last-applied-configuration': '{}', mine: 'x' },
  },
  spec: { nodeName: 'edge-1', containers: [] },
  status: { phase: 'Running' },
}

describe('the content that an edge gets', () => {
  test('keeps what others say of a pod that waits for their word, and no more of its status', () => {
    const said = { type: 'shop/open', status: 'True', lastTransitionTime: '2026-01-01T00:00:00Z' }
    const status = { phase: 'Running', conditions: [said, { type: 'Ready', status: 'True' }] }
    const waiting = {
      ...pod,
      spec: { readinessGates: [{ conditionType: 'shop/open' }, { conditionType: 'x' }] },
      status,
    }
    const content = contentOf('pods', waiting)
    expect(content.status).toEqual({ conditions: [{ type: 'shop/open', status: 'True' }] })
    expect(contentText('pods', content)).toBe(contentText('pods', waiting))
    expect(contentOf('pods', { ...pod, status }).status).toBeUndefined()
  })

  test('leaves out the status and what changes with it', () => {
    const later = { ...pod, metadata: { ...pod.metadata, resourceVersion: '8' }, status: { phase: 'Failed' } }
    expect(contentText('pods', later)).toBe(contentText('pods', pod))
    expect(contentText('pods', pod)).not.toContain('Running')
  })

  test('leaves out what only kubectl reads, and keeps other annotations', () => {
    expect(contentText('pods', pod)).not.toContain('last-applied')
    expect(contentText('pods', pod)).toContain('"mine":"x"')
  })

  test('names its kind even where a list left that out', () => {
    const { apiVersion, kind, ...listed } = pod
    expect(contentText('pods', listed)).toBe(contentText('pods', { apiVersion, kind, ...listed }))
  })

  test('moves with deletion', () => {
    const leaving = { ...pod, metadata: { ...pod.metadata, deletionTimestamp: '2026-01-02T00:00:00Z' } }
    expect(contentText('pods', leaving)).not.toBe(contentText('pods', pod))
  })
})

test('canonical text does not depend on the order of keys, and keeps that of lists', () => {
  expect(canonical({ b: [{ y: 1, x: undefined }], a: null })).toBe(canonical({ a: null, b: [{ y: 1 }] }))
  expect(canonical([1, 2])).not.toBe(canonical([2, 1]))
  expect(canonical(JSON.parse('{"__proto__":{"a":1}}'))).toBe('{"__proto__":{"a":1}}')
})
