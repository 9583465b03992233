import { PodSpec } from '@kedge/edgecore/pods/pod-schema'
import { readPod } from '@kedge/edgecore/pods/spec'
import { volumeFiles } from '@kedge/edgecore/pods/volume-files'
import type { Key, KubeObject } from '@kedge/shared/objects'
import { describe, expect, test } from 'vitest'
import { configMap, pod, secret } from '../../../support/pod-node.ts'

const objects = new Map<Key, KubeObject>([
  ['configmaps/default/conf', { ...configMap('conf', { a: '1', b: '2' }), binaryData: { raw: 'AP8=' } }],
  ['secrets/default/key', secret('key', { password: 'hunter2' })],
])

const capacity = { cpuMillis: 4000, memoryBytes: 2 ** 30, diskBytes: 2 ** 33 }

function read(content: KubeObject) {
  const spec = PodSpec.parse(content.spec)
  return volumeFiles({ pod: content, spec, lookup: (key) => objects.get(key), capacity })
}

function files(volume: Record<string, unknown>, metadata: Partial<KubeObject['metadata']> = {}) {
  const one = pod('web', { spec: { volumes: [{ name: 'v', ...volume }] } })
  const found = read({ ...one, metadata: { ...one.metadata, ...metadata } })
  const shown = [...(found.volumes.get('v')?.files ?? [])].map(([path, { data, mode }]) => [
    path,
    data.toString('latin1'),
    mode,
  ])
  return { files: shown, missing: found.missing }
}

describe('volumes become files', () => {
  test.each<[string, Record<string, unknown>, unknown[]]>([
    [
      'all of a ConfigMap',
      { configMap: { name: 'conf' } },
      [
        ['a', '1', 0o644],
        ['b', '2', 0o644],
        ['raw', '\u0000\u00ff', 0o644],
      ],
    ],
    [
      'some items, elsewhere, with modes',
      {
        configMap: {
          name: 'conf',
          defaultMode: 0o400,
          items: [
            { key: 'a', path: 'x/y' },
            { key: 'b', path: 'b', mode: 0o600 },
          ],
        },
      },
      [
        ['x/y', '1', 0o400],
        ['b', '2', 0o600],
      ],
    ],
    ['a Secret, decoded', { secret: { secretName: 'key' } }, [['password', 'hunter2', 0o644]]],
    [
      'a projection of both',
      {
        projected: {
          defaultMode: 0o440,
          sources: [{ configMap: { name: 'conf', items: [{ key: 'a', path: 'a' }] } }, { secret: { name: 'key' } }],
        },
      },
      [
        ['a', '1', 0o440],
        ['password', 'hunter2', 0o440],
      ],
    ],
    [
      'fields of the pod',
      {
        downwardAPI: {
          items: [
            { path: 'name', fieldRef: { fieldPath: 'metadata.name' } },
            { path: 'l', fieldRef: { fieldPath: 'metadata.labels' } },
            { path: 'app', fieldRef: { fieldPath: "metadata.labels['app']" } },
          ],
        },
      },
      [
        ['name', 'web', 0o644],
        ['l', 'app="web"\ntier="1"', 0o644],
        ['app', 'web', 0o644],
      ],
    ],
    ['an optional object that is missing', { configMap: { name: 'none', optional: true } }, []],
    [
      'an optional item that is missing',
      { configMap: { name: 'conf', optional: true, items: [{ key: 'z', path: 'z' }] } },
      [],
    ],
  ])('%s', (_name, volume, expected) => {
    const found = files(volume, { labels: { tier: '1', app: 'web' } })
    expect(found.files).toEqual(expected)
    expect(found.missing).toBeUndefined()
  })

  test('an emptyDir is none of ours', () => {
    expect(read(pod('web', { spec: { volumes: [{ name: 'v', emptyDir: {} }] } })).volumes.size).toBe(0)
  })
})

describe('what is wrong is said', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['no such object', { configMap: { name: 'none' } }, 'configmap "none" not found'],
    ['no such Secret', { secret: { secretName: 'none' } }, 'secret "none" not found'],
    [
      'no such key',
      { configMap: { name: 'conf', items: [{ key: 'z', path: 'z' }] } },
      'references non-existent key: z',
    ],
    [
      'a path upwards',
      { configMap: { name: 'conf', items: [{ key: 'a', path: '../../etc/passwd' }] } },
      'leaves the volume',
    ],
    [
      'a path from the root',
      { configMap: { name: 'conf', items: [{ key: 'a', path: '/etc/passwd' }] } },
      'leaves the volume',
    ],
    [
      'a path into our own',
      { configMap: { name: 'conf', items: [{ key: 'a', path: '..data' }] } },
      'leaves the volume',
    ],
    ['a name with a slash', { configMap: { name: '../secrets/key' } }, 'not found'],
    [
      'a field that files cannot have',
      { downwardAPI: { items: [{ path: 'ip', fieldRef: { fieldPath: 'status.podIP' } }] } },
      'there is no field status.podIP',
    ],
    [
      'a resource of nobody',
      { downwardAPI: { items: [{ path: 'cpu', resourceFieldRef: { containerName: 'x', resource: 'limits.cpu' } }] } },
      'there is no resource limits.cpu of container "x"',
    ],
  ])('%s', (_name, volume, message) => {
    expect(files(volume).missing).toContain(message)
  })

  test('a key that leads out of the volume', () => {
    objects.set('configmaps/default/evil', configMap('evil', { '../../up': 'x' }))
    expect(files({ configMap: { name: 'evil' } }).missing).toContain('leaves the volume')
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['a wrong mode', { configMap: { name: 'conf', defaultMode: 4096 } }, 'spec.volumes.0.configMap.defaultMode'],
    ['a volume name that is a path', { name: '../../up', configMap: { name: 'conf' } }, 'is not a DNS label'],
  ])('%s is refused with the whole pod', (_name, volume, message) => {
    const { refusal } = readPod(pod('web', { spec: { volumes: [{ name: 'v', ...volume }] } }), null)
    expect(refusal).toMatchObject({ reason: 'InvalidPod', message: expect.stringContaining(message) })
  })
})
