import { ContainerSpec } from '@kedge/edgecore/pods/container-schema'
import { environment } from '@kedge/edgecore/pods/env'
import { expand } from '@kedge/edgecore/pods/expansion'
import type { Key, KubeObject } from '@kedge/shared/objects'
import { describe, expect, test } from 'vitest'
import { configMap, pod, secret } from '../../../support/pod-node.ts'

describe('$(NAME)', () => {
  const values: Record<string, string> = { A: 'a', EMPTY: '', 'odd.name': 'o' }

  test.each([
    ['nothing to do', 'nothing to do'],
    ['$(A)', 'a'],
    ['x$(A)y$(A)', 'xaya'],
    ['$(EMPTY)', ''],
    ['$(odd.name)', 'o'],
    ['$(NONE)', '$(NONE)'],
    ['$$(A)', '$(A)'],
    ['$$$(A)', '$a'],
    ['$$$$(A)', '$$(A)'],
    ['$A', '$A'],
    ['$(A', '$(A'],
    ['cost: 5$', 'cost: 5$'],
    ['$()', '$()'],
    ['$($(A))', '$($(A))'],
  ])('%s becomes %s', (text, expected) => {
    expect(expand(text, (name) => values[name])).toBe(expected)
  })
})

const objects = new Map<Key, KubeObject>([
  [
    'configmaps/default/conf',
    { ...configMap('conf', { a: '1', 'not=one': 'x', b: '2' }), binaryData: { raw: 'AP8=' } },
  ],
  ['secrets/default/key', secret('key', { password: 'hunter2' })],
])

function made(container: Record<string, unknown>) {
  const all = [
    ContainerSpec.parse({ name: 'web', image: 'i', resources: { limits: { cpu: '1500m' } }, ...container }),
    ContainerSpec.parse({
      name: 'db',
      image: 'i',
      resources: { requests: { memory: '65M' }, limits: { memory: '1Gi' } },
    }),
  ] as const
  const content = pod('web', { spec: { nodeName: 'edge-1', serviceAccountName: 'robot' } })
  content.metadata.labels = { app: 'shop' }
  return environment({
    ...{ pod: content, container: all[0], containers: all, lookup: (key: Key) => objects.get(key) },
    addresses: { podIPs: ['10.0.0.5', 'fd00::5'], hostIP: '192.0.2.7' },
    capacity: { cpuMillis: 4000, memoryBytes: 2 ** 30, diskBytes: 10 ** 10 },
  })
}

function variables(container: Record<string, unknown>): Record<string, string> {
  const result = made(container)
  if (!result.ok) throw new Error(result.fault)
  return Object.fromEntries(result.env)
}

const from = (valueFrom: unknown) => ({ env: [{ name: 'A', valueFrom }] })
const field = (fieldPath: string) => from({ fieldRef: { fieldPath } })
const resource = (ref: unknown) => from({ resourceFieldRef: ref })

describe('a variable', () => {
  test.each<[string, Record<string, unknown>, string]>([
    ['metadata.name', field('metadata.name'), 'web'],
    ['metadata.namespace', field('metadata.namespace'), 'default'],
    ['metadata.uid', field('metadata.uid'), 'uid-web'],
    ['a label', field("metadata.labels['app']"), 'shop'],
    ['a label that is not there', field("metadata.labels['none']"), ''],
    ['spec.nodeName', field('spec.nodeName'), 'edge-1'],
    ['spec.serviceAccountName', field('spec.serviceAccountName'), 'robot'],
    ['status.hostIP', field('status.hostIP'), '192.0.2.7'],
    ['status.podIP', field('status.podIP'), '10.0.0.5'],
    ['status.podIPs', field('status.podIPs'), '10.0.0.5,fd00::5'],
    ['its own limit, rounded up', resource({ resource: 'limits.cpu' }), '2'],
    ['its own limit in thousandths', resource({ resource: 'limits.cpu', divisor: '1m' }), '1500'],
    ['a request that is not set', resource({ resource: 'requests.cpu' }), '0'],
    ['a limit that is not set: what the node has', resource({ resource: 'limits.memory', divisor: '1Mi' }), '1024'],
    ["another one's request", resource({ containerName: 'db', resource: 'requests.memory', divisor: '1Mi' }), '62'],
    ['a key of a ConfigMap', from({ configMapKeyRef: { name: 'conf', key: 'a' } }), '1'],
    ['a key of a Secret', from({ secretKeyRef: { name: 'key', key: 'password' } }), 'hunter2'],
  ])('has the value of %s', (_name, container, expected) => {
    expect(variables(container)).toEqual({ A: expected })
  })

  test('may refer to those before it, and not to those after it', () => {
    const env = [
      { name: 'A', value: '$(B)' },
      { name: 'B', value: 'b' },
      { name: 'C', value: '$(B)$(a)' },
      { name: 'B', value: 'again' },
    ]
    const envFrom = [{ configMapRef: { name: 'conf' } }]
    expect(variables({ env, envFrom })).toMatchObject({ A: '$(B)', B: 'again', C: 'b1' })
  })

  test.each<[string, Record<string, unknown>, string]>([
    ['no ConfigMap', from({ configMapKeyRef: { name: 'none', key: 'a' } }), 'configmap "none" not found'],
    ['no Secret', from({ secretKeyRef: { name: 'none', key: 'a' } }), 'secret "none" not found'],
    ['no key', from({ configMapKeyRef: { name: 'conf', key: 'z' } }), "couldn't find key z in ConfigMap default/conf"],
    ['bytes are no text', from({ configMapKeyRef: { name: 'conf', key: 'raw' } }), "couldn't find key raw"],
    [
      'no key in a Secret',
      from({ secretKeyRef: { name: 'key', key: 'z' } }),
      "couldn't find key z in Secret default/key",
    ],
    ['no such field', field('status.phase'), 'there is no fieldPath status.phase'],
    ['no such resource', resource({ resource: 'limits.gpu' }), 'there is no resource limits.gpu of container web'],
    ['no such container', resource({ containerName: 'x', resource: 'limits.cpu' }), 'of container x'],
    ['no ConfigMap to take all of', { envFrom: [{ configMapRef: { name: 'none' } }] }, 'configmap "none" not found'],
  ])('cannot be made: %s', (_name, container, fault) => {
    expect(made(container)).toEqual({ ok: false, fault: expect.stringContaining(fault) })
  })

  test.each([
    ['a key', from({ configMapKeyRef: { name: 'conf', key: 'z', optional: true } })],
    ['an object', from({ secretKeyRef: { name: 'none', key: 'z', optional: true } })],
    ['a whole object', { envFrom: [{ secretRef: { name: 'none', optional: true } }] }],
  ])('that is optional is left out without %s', (_name, container) => {
    expect(variables(container)).toEqual({})
  })
})

test('whole objects come under a prefix; what is no name is skipped and told', () => {
  const result = made({ envFrom: [{ prefix: 'C_', configMapRef: { name: 'conf' } }, { secretRef: { name: 'key' } }] })
  expect(result).toMatchObject({ ok: true, skipped: [{ kind: 'configMap', name: 'conf', keys: ['C_not=one'] }] })
  expect(result.ok && Object.fromEntries(result.env)).toEqual({ C_a: '1', C_b: '2', password: 'hunter2' })
})
