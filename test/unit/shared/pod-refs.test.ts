import type { KubeObject } from '@kedge/shared/objects'
import { podRefs, podRefsInDetail } from '@kedge/shared/pod-refs'
import { describe, expect, test } from 'vitest'

function pod(spec: Record<string, unknown>): KubeObject {
  return { metadata: { name: 'web', namespace: 'default' }, spec }
}

describe('podRefs', () => {
  const rows: [string, Record<string, unknown>, string[], string[]][] = [
    ['nothing', { containers: [{ name: 'web' }] }, [], []],
    ['a configMap volume', { volumes: [{ name: 'v', configMap: { name: 'a' } }] }, ['a'], []],
    ['a secret volume', { volumes: [{ name: 'v', secret: { secretName: 's' } }] }, [], ['s']],
    [
      'a projected volume',
      {
        volumes: [
          { projected: { sources: [{ configMap: { name: 'a' } }, { secret: { name: 's', optional: true } }] } },
        ],
      },
      ['a'],
      ['s'],
    ],
    ['a csi volume', { volumes: [{ csi: { driver: 'd', nodePublishSecretRef: { name: 's' } } }] }, [], ['s']],
    ['any volume with a secretRef', { volumes: [{ rbd: { secretRef: { name: 's' } } }] }, [], ['s']],
    ['imagePullSecrets', { imagePullSecrets: [{ name: 's' }, {}] }, [], ['s']],
    [
      'env of every sort of container',
      {
        initContainers: [{ env: [{ name: 'A', valueFrom: { configMapKeyRef: { name: 'a', key: 'k' } } }] }],
        containers: [{ env: [{ name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k', optional: true } } }] }],
        ephemeralContainers: [{ envFrom: [{ configMapRef: { name: 'b' } }, { secretRef: { name: 't' } }] }],
      },
      ['a', 'b'],
      ['s', 't'],
    ],
    [
      'each name once, sorted',
      { volumes: [{ configMap: { name: 'b' } }, { configMap: { name: 'a' } }, { configMap: { name: 'b' } }] },
      ['a', 'b'],
      [],
    ],
    ['what has another shape', { volumes: 'none', containers: [null, 7], imagePullSecrets: [{ name: 'a/b' }] }, [], []],
  ]
  test.each(rows)('%s', (_name, spec, configMaps, secrets) => {
    expect(podRefs(pod(spec))).toEqual({ configMaps, secrets })
  })

  test('a pod without a spec refers to nothing', () => {
    expect(podRefs({ metadata: { name: 'web' } })).toEqual({ configMaps: [], secrets: [] })
  })
})

test('the detail says who asks, for which key, and whether it may be missing', () => {
  const refs = podRefsInDetail(
    pod({
      volumes: [{ name: 'v', configMap: { name: 'a', optional: true } }],
      containers: [{ name: 'c', env: [{ name: 'B', valueFrom: { secretKeyRef: { name: 's', key: 'k' } } }] }],
    }),
  )
  expect(refs).toEqual([
    { resource: 'configmaps', name: 'a', optional: true, by: { is: 'volume', name: 'v' } },
    { resource: 'secrets', name: 's', key: 'k', optional: false, by: { is: 'container', name: 'c' } },
  ])
})
