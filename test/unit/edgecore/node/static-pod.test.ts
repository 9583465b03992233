import { readStaticPod } from '@kedge/edgecore/node/static-pod'
import { expect, test } from 'vitest'

const manifest = (over: Record<string, unknown> = {}, spec: Record<string, unknown> = {}) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'web', labels: { app: 'web' } },
  spec: { containers: [{ name: 'web', image: 'nginx:1.27' }], ...spec },
  ...over,
})

function contentOf(document: unknown, node = 'edge-1') {
  const read = readStaticPod(document, node)
  if (!read.ok) throw new Error(read.reason)
  return read.content
}

test('a pod of the folder is named after its node and marked as kubelet marks it', () => {
  const { metadata, spec } = contentOf(manifest())
  expect(metadata).toMatchObject({
    name: 'web-edge-1',
    namespace: 'default',
    labels: { app: 'web' },
    annotations: { 'kubernetes.io/config.source': 'file', 'kubernetes.io/config.hash': metadata.uid },
  })
  expect(metadata.uid).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-8[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/)
  expect(spec).toMatchObject({ nodeName: 'edge-1', containers: [{ name: 'web' }] })
})

test('the same content is the same pod, another content or node is another', () => {
  const { uid } = contentOf(manifest()).metadata
  expect(contentOf(manifest()).metadata.uid).toBe(uid)
  expect(contentOf(manifest(), 'edge-2').metadata.uid).not.toBe(uid)
  expect(contentOf(manifest({}, { hostNetwork: true })).metadata.uid).not.toBe(uid)
})

test.each([
  ['no object', 'text', 'the document: '],
  ['another kind', manifest({ kind: 'Deployment' }), 'kind: '],
  ['no name', manifest({ metadata: {} }), 'metadata.name: '],
  ['a name that is none', manifest({ metadata: { name: 'Web_1' } }), 'metadata.name: found "Web_1"'],
  [
    'a namespace that leads elsewhere',
    manifest({ metadata: { name: 'web', namespace: '../x' } }),
    'metadata.namespace: found "../x"',
  ],
  ['no containers', manifest({ spec: { containers: [] } }), 'spec.containers'],
  [
    'a Secret',
    manifest({}, { volumes: [{ name: 'key', secret: { secretName: 'key' } }] }),
    'volume key: refers to Secret "key"; a static pod cannot use objects of the API',
  ],
  [
    'a pull secret',
    manifest({}, { imagePullSecrets: [{ name: 'registry' }] }),
    'imagePullSecrets: refers to Secret "registry"',
  ],
])('what is refused: %s', (_what, document, reason) => {
  const read = readStaticPod(document, 'edge-1')
  expect(read.ok ? 'taken' : read.reason).toContain(reason)
})
