import { applyPatch, PatchError } from '@kedge/shared/kubeapi/patch'
import type { KubeObject } from '@kedge/shared/objects'
import { describe, expect, it } from 'vitest'
import { builtIn, deviceKind } from '../../../support/kinds.ts'

const json = 'application/json-patch+json'
const merge = 'application/merge-patch+json'
const strategic = 'application/strategic-merge-patch+json'

function patched(
  mediaType: string,
  object: Record<string, unknown>,
  patch: unknown,
  kind = builtIn('ConfigMap'),
): KubeObject {
  const whole = { metadata: { name: 'x' }, ...object }
  const before = structuredClone(whole)
  const result = applyPatch({ mediaType, patch, object: whole, kind })
  expect(whole).toEqual(before)
  return result
}

function refusal(
  mediaType: string,
  object: Record<string, unknown>,
  patch: unknown,
  kind = builtIn('ConfigMap'),
): PatchError {
  try {
    patched(mediaType, object, patch, kind)
  } catch (error) {
    if (error instanceof PatchError) return error
    throw error
  }
  throw new Error('the patch was applied')
}

describe('JSON patches (RFC 6902)', () => {
  it.each([
    ['adds a field', { data: {} }, [{ op: 'add', path: '/data/k', value: 'v' }], { data: { k: 'v' } }],
    ['adds over a field', { data: { k: 1 } }, [{ op: 'add', path: '/data/k', value: null }], { data: { k: null } }],
    ['inserts into a list', { l: [1, 3] }, [{ op: 'add', path: '/l/1', value: 2 }], { l: [1, 2, 3] }],
    ['appends to a list', { l: [1] }, [{ op: 'add', path: '/l/-', value: 2 }], { l: [1, 2] }],
    ['appends at the length', { l: [1] }, [{ op: 'add', path: '/l/1', value: 2 }], { l: [1, 2] }],
    ['removes', { data: { a: 1, b: 2 } }, [{ op: 'remove', path: '/data/a' }], { data: { b: 2 } }],
    ['removes from a list', { l: [1, 2, 3] }, [{ op: 'remove', path: '/l/1' }], { l: [1, 3] }],
    ['replaces', { l: [1, { a: 1 }] }, [{ op: 'replace', path: '/l/1/a', value: 2 }], { l: [1, { a: 2 }] }],
    ['moves', { a: { b: 1 }, c: {} }, [{ op: 'move', from: '/a/b', path: '/c/d' }], { a: {}, c: { d: 1 } }],
    ['copies', { a: { b: 1 }, c: {} }, [{ op: 'copy', from: '/a', path: '/c/d' }], { a: { b: 1 }, c: { d: { b: 1 } } }],
    [
      'reads ~1 and ~0',
      { data: { 'a/b~c': 1 } },
      [{ op: 'replace', path: '/data/a~1b~0c', value: 2 }],
      { data: { 'a/b~c': 2 } },
    ],
    ['reads ~01 as ~1', { data: { '~1': 1 } }, [{ op: 'remove', path: '/data/~01' }], { data: {} }],
    ['an empty name is a name', { data: { '': 1 } }, [{ op: 'remove', path: '/data/' }], { data: {} }],
    [
      'tests',
      { data: { k: [1, { a: 2 }] } },
      [{ op: 'test', path: '/data/k', value: [1, { a: 2 }] }],
      { data: { k: [1, { a: 2 }] } },
    ],
    ['takes what is missing for null in a test', {}, [{ op: 'test', path: '/data', value: null }], {}],
    [
      'does all in order',
      {},
      [
        { op: 'add', path: '/a', value: [] },
        { op: 'add', path: '/a/0', value: 1 },
      ],
      { a: [1] },
    ],
  ])('%s', (_, object, patch, expected) => {
    expect(patched(json, object, patch)).toEqual({ metadata: { name: 'x' }, ...expected })
  })

  it('keeps a field named __proto__ an ordinary field', () => {
    const result = patched(json, { data: {} }, [{ op: 'add', path: '/data/__proto__', value: 'v' }])
    expect(Object.keys(result.data as object)).toEqual(['__proto__'])
  })

  it('copies values, so that one later operation does not change two places', () => {
    const patch = [
      { op: 'copy', from: '/a', path: '/b' },
      { op: 'add', path: '/b/k', value: 1 },
    ]
    expect(patched(json, { a: {} }, patch)).toMatchObject({ a: {}, b: { k: 1 } })
    expect(patched(json, { a: {} }, patch).a).toEqual({})
  })

  it.each([
    ['is no list', { op: 'add' }, 400, /a list of operations/],
    ['has no op', [{ path: '/a' }], 400, /"op"/],
    ['has an unknown op', [{ op: 'swap', path: '/a' }], 400, /unknown operation "swap"/],
    ['has no path', [{ op: 'remove' }], 400, /needs a "path"/],
    ['has no value', [{ op: 'add', path: '/a' }], 400, /needs a "value"/],
    ['has no from', [{ op: 'move', path: '/a' }], 400, /needs a "from"/],
    ['has a path without a slash', [{ op: 'remove', path: 'a' }], 400, /begin with a slash/],
    ['removes what is not there', [{ op: 'remove', path: '/none' }], 422, /nothing at \/none/],
    ['replaces what is not there', [{ op: 'replace', path: '/none', value: 1 }], 422, /nothing at \/none/],
    ['adds below what is not there', [{ op: 'add', path: '/none/a', value: 1 }], 422, /nothing to hold \/none\/a/],
    ['adds beyond a list', [{ op: 'add', path: '/l/9', value: 1 }], 422, /\/l\/9/],
    ['names no index', [{ op: 'add', path: '/l/01', value: 1 }], 422, /\/l\/01/],
    ['fails its test', [{ op: 'test', path: '/l', value: [] }], 422, /testing value \/l failed/],
    ['moves into itself', [{ op: 'move', from: '/data', path: '/data/a' }], 422, /into itself/],
    ['leaves no object', [{ op: 'replace', path: '', value: 1 }], 422, /leaves no object/],
    ['is too long', new Array(10_001).fill({ op: 'test', path: '/l', value: [] }), 413, /10000/],
    [
      'grows without end',
      [
        { op: 'add', path: '/data/a', value: 'x'.repeat(1000) },
        ...new Array(30).fill(0).map((_, i) => ({ op: 'copy', from: '/data', path: `/data/${i}` })),
      ],
      413,
      /3145728 bytes/,
    ],
    [
      'nests without end',
      new Array(2000).fill({ op: 'copy', from: '/data', path: '/data/a' }),
      422,
      /nests deeper than 250 levels/,
    ],
    ['reaches for the prototype', [{ op: 'add', path: '/constructor/prototype/x', value: 1 }], 422, /constructor/],
  ])('refuses a patch that %s', (_, patch, code, message) => {
    const error = refusal(json, { l: [1], data: {} }, patch)
    expect(error.code).toBe(code)
    expect(error.message).toMatch(message)
  })
})

describe('merge patches (RFC 7396)', () => {
  // The examples of the appendix, below a field of an object.
  it.each([
    [{ a: 'b' }, { a: 'c' }, { a: 'c' }],
    [{ a: 'b' }, { b: 'c' }, { a: 'b', b: 'c' }],
    [{ a: 'b' }, { a: null }, {}],
    [{ a: 'b', b: 'c' }, { a: null }, { b: 'c' }],
    [{ a: ['b'] }, { a: 'c' }, { a: 'c' }],
    [{ a: 'c' }, { a: ['b'] }, { a: ['b'] }],
    [{ a: { b: 'c' } }, { a: { b: 'd', c: null } }, { a: { b: 'd' } }],
    [{ a: [{ b: 'c' }] }, { a: [1] }, { a: [1] }],
    [
      ['a', 'b'],
      ['c', 'd'],
      ['c', 'd'],
    ],
    [{ a: 'b' }, ['c'], ['c']],
    [{ a: 'foo' }, 'bar', 'bar'],
    [{ e: null }, { a: 1 }, { e: null, a: 1 }],
    [[1, 2], { a: 'b', c: null }, { a: 'b' }],
    [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
  ])('%j with %j is %j', (data, patch, expected) => {
    expect(patched(merge, { data }, { data: patch }).data).toEqual(expected)
  })

  it.each([[[]], ['x'], [null]])('refuses %j', (patch) =>
    expect(refusal(merge, {}, patch)).toMatchObject({ code: 400, reason: 'BadRequest' }),
  )

  it('works on custom resources', () => {
    const object = { spec: { properties: [{ name: 'a' }, { name: 'b' }] } }
    const result = patched(
      merge,
      object,
      { spec: { properties: [{ name: 'a', desired: { value: '1' } }] } },
      deviceKind('Device'),
    )
    expect(result.spec).toEqual({ properties: [{ name: 'a', desired: { value: '1' } }] })
  })
})

const pod = {
  metadata: { name: 'x', labels: { a: '1' }, finalizers: ['x/1', 'x/2'], ownerReferences: [{ uid: '1', name: 'a' }] },
  spec: {
    containers: [
      { name: 'web', image: 'i', env: [{ name: 'A', value: '1' }], ports: [{ containerPort: 80 }], args: ['x'] },
      { name: 'side', image: 'j', volumeMounts: [{ name: 'v', mountPath: '/v' }] },
    ],
    volumes: [{ name: 'v', emptyDir: {} }],
    tolerations: [{ key: 'a', operator: 'Exists' }],
    imagePullSecrets: [{ name: 's' }],
    nodeSelector: { a: '1' },
  },
  status: { conditions: [{ type: 'Ready', status: 'True', reason: 'r' }] },
}

describe('strategic merge patches', () => {
  const one = (patch: unknown) => patched(strategic, pod, patch, builtIn('Pod')) as unknown as typeof pod

  it('merge containers by name, and leave the others as they are', () => {
    const { containers } = one({ spec: { containers: [{ name: 'side', image: 'new' }] } }).spec
    expect(containers).toEqual([pod.spec.containers[0], { ...pod.spec.containers[1], image: 'new' }])
  })

  it('put new elements first, and keep known ones in their order', () => {
    const { containers } = one({ spec: { containers: [{ name: 'new', image: 'n' }] } }).spec
    expect(containers.map(({ name }) => name)).toEqual(['new', 'web', 'side'])
  })

  it('follow $setElementOrder', () => {
    const patch = {
      spec: {
        '$setElementOrder/containers': [{ name: 'side' }, { name: 'web' }, { name: 'new' }],
        containers: [{ name: 'new', image: 'n' }],
      },
    }
    expect(one(patch).spec.containers.map(({ name }) => name)).toEqual(['side', 'web', 'new'])
    expect(
      one({ spec: { '$setElementOrder/containers': [{ name: 'side' }, { name: 'web' }] } }).spec.containers[0]?.name,
    ).toBe('side')
  })

  it.each([
    [
      'env by name',
      {
        env: [
          { name: 'A', value: '2' },
          { name: 'B', value: '3' },
        ],
      },
      {
        env: [
          { name: 'A', value: '2' },
          { name: 'B', value: '3' },
        ],
      },
    ],
    [
      'ports by containerPort',
      { ports: [{ containerPort: 80, name: 'http' }] },
      { ports: [{ containerPort: 80, name: 'http' }] },
    ],
    [
      'volumeMounts by mountPath',
      { volumeMounts: [{ mountPath: '/w', name: 'v' }] },
      { volumeMounts: [{ mountPath: '/w', name: 'v' }] },
    ],
    ['args not at all', { args: ['y', 'z'] }, { args: ['y', 'z'] }],
  ])('merge %s', (_, patch, expected) => {
    expect(one({ spec: { containers: [{ name: 'web', ...patch }] } }).spec.containers[0]).toMatchObject(expected)
  })

  it('replace tolerations, and taints of nodes', () => {
    expect(one({ spec: { tolerations: [{ key: 'b' }] } }).spec.tolerations).toEqual([{ key: 'b' }])
    const node = { spec: { taints: [{ key: 'a', effect: 'NoSchedule' }] } }
    const taints = [{ key: 'b', effect: 'NoSchedule' }]
    expect(patched(strategic, node, { spec: { taints } }, builtIn('Node')).spec).toEqual({ taints })
  })

  it('merge conditions and addresses by type', () => {
    const conditions = [
      { type: 'Ready', status: 'False' },
      { type: 'New', status: 'True' },
    ]
    expect(one({ status: { conditions } }).status.conditions).toEqual([
      { type: 'Ready', status: 'False', reason: 'r' },
      { type: 'New', status: 'True' },
    ])
    const node = {
      status: {
        addresses: [
          { type: 'InternalIP', address: '1' },
          { type: 'Hostname', address: 'h' },
        ],
      },
    }
    const result = patched(
      strategic,
      node,
      { status: { addresses: [{ type: 'Hostname', address: 'g' }] } },
      builtIn('Node'),
    )
    expect(result.status?.addresses).toEqual([
      { type: 'InternalIP', address: '1' },
      { type: 'Hostname', address: 'g' },
    ])
  })

  it('add to finalizers, and take from them', () => {
    expect(one({ metadata: { finalizers: ['x/3', 'x/1'] } }).metadata.finalizers).toEqual(['x/3', 'x/1', 'x/2'])
    expect(one({ metadata: { '$deleteFromPrimitiveList/finalizers': ['x/1'] } }).metadata.finalizers).toEqual(['x/2'])
  })

  it('merge owners by uid', () => {
    expect(
      one({
        metadata: {
          ownerReferences: [
            { uid: '1', $patch: 'delete' },
            { uid: '2', name: 'b' },
          ],
        },
      }).metadata.ownerReferences,
    ).toEqual([{ uid: '2', name: 'b' }])
  })

  it('take fields away with null, and elements with $patch: delete', () => {
    expect(one({ metadata: { labels: null } }).metadata.labels).toBeUndefined()
    expect(one({ spec: { nodeSelector: { a: null, b: '2' } } }).spec.nodeSelector).toEqual({ b: '2' })
    const { containers } = one({ spec: { containers: [{ name: 'web', $patch: 'delete' }] } }).spec
    expect(containers.map(({ name }) => name)).toEqual(['side'])
  })

  it('replace with $patch: replace', () => {
    expect(one({ spec: { nodeSelector: { $patch: 'replace', b: '2' } } }).spec.nodeSelector).toEqual({ b: '2' })
    expect(one({ spec: { volumes: [{ $patch: 'replace' }, { name: 'w', emptyDir: {} }] } }).spec.volumes).toEqual([
      { name: 'w', emptyDir: {} },
    ])
    expect(one({ spec: { nodeSelector: { $patch: 'delete' } } }).spec.nodeSelector).toEqual({})
  })

  it('keep of a union what $retainKeys lists', () => {
    const configMap = { name: 'v', configMap: { name: 'c' }, $retainKeys: ['name', 'configMap'] }
    expect(one({ spec: { volumes: [configMap] } }).spec.volumes).toEqual([{ name: 'v', configMap: { name: 'c' } }])
  })

  it('leave no directive or null behind in what is new', () => {
    const fresh = {
      name: 'new',
      image: 'n',
      env: [
        { name: 'A', value: null },
        { name: 'B', $patch: 'delete' },
      ],
      $retainKeys: ['name'],
    }
    expect(one({ spec: { initContainers: [fresh] } }).spec).toMatchObject({
      initContainers: [{ name: 'new', image: 'n', env: [{ name: 'A' }] }],
    })
  })

  it.each([
    [
      'an element without its key',
      { spec: { containers: [{ image: 'x' }] } },
      /does not contain declared merge key: name/,
    ],
    ['a plain element where objects merge', { spec: { containers: ['x'] } }, /holds objects/],
    ['an unknown directive', { spec: { nodeSelector: { $patch: 'swap' } } }, /unknown \$patch/],
    ['an unknown directive in a list', { spec: { containers: [{ name: 'web', $patch: 'swap' }] } }, /unknown \$patch/],
    ['an order that is no list', { spec: { '$setElementOrder/containers': 'x' } }, /must be a list/],
    [
      'an order that lacks what is set',
      { spec: { '$setElementOrder/containers': [{ name: 'web' }], containers: [{ name: 'new' }] } },
      /order/,
    ],
    [
      'keys beyond $retainKeys',
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/' }, $retainKeys: ['name'] }] } },
      /\$retainKeys/,
    ],
  ])('refuse %s', (_, patch, message) => {
    const error = refusal(strategic, pod, patch, builtIn('Pod'))
    expect(error.code).toBe(400)
    expect(error.message).toMatch(message)
  })
})

describe('depth', () => {
  it.each([json, merge, strategic])('of a patch of %s is bounded', (mediaType) => {
    const deep = JSON.parse(`${'{"a":'.repeat(300)}1${'}'.repeat(300)}`)
    expect(refusal(mediaType, {}, mediaType === json ? [deep] : deep)).toMatchObject({
      code: 400,
      message: 'the patch nests deeper than 250 levels',
    })
  })
})

describe('media types', () => {
  it.each([
    [strategic, 'Device'],
    ['application/apply-patch+yaml', 'Device'],
    ['text/plain', 'Device'],
  ] as const)('%s is not for %s', (mediaType, kind) => {
    const error = refusal(mediaType, {}, {}, deviceKind(kind))
    expect(error).toMatchObject({ code: 415, reason: 'UnsupportedMediaType' })
    expect(error.message).toBe(
      'the body of the request was in an unknown format - accepted media types include: application/json-patch+json, application/merge-patch+json',
    )
  })

  it('built-in kinds take strategic merge patches too', () => {
    expect(refusal('text/plain', {}, {}).message).toContain(strategic)
  })
})
