import { execFileSync } from 'node:child_process'
import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { applyPatch, PatchError } from '@kedge/shared/kubeapi/patch'
import { asArray, isObject } from '@kedge/shared/kubeapi/schema'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { builtIn } from '../support/kinds.ts'
import { tempDir } from '../support/temp-dir.ts'

type Json = Record<string, unknown>

function hasKubectl(): boolean {
  try {
    execFileSync('kubectl', ['version', '--client'], { stdio: 'ignore' })
    return true
  } catch {
    return false
  }
}

/** What kubectl, with Kubernetes' own code, makes of a patch; undefined when it refuses. */
function byKubectl(file: string, patch: Json): Json | undefined {
  const args = ['patch', '--local', '-f', file, '--type', 'strategic', '-p', JSON.stringify(patch), '-o', 'json']
  try {
    return JSON.parse(execFileSync('kubectl', args, { encoding: 'utf8', stdio: ['ignore', 'pipe', 'ignore'] })) as Json
  } catch {
    return undefined
  }
}

function byKedge(object: Json, patch: Json): Json | undefined {
  const mediaType = 'application/strategic-merge-patch+json'
  try {
    return applyPatch({ mediaType, patch, object: object as never, kind: builtIn('Pod') })
  } catch (error) {
    if (error instanceof PatchError) return undefined
    throw error
  }
}

/** Without what says nothing: kubectl leaves out empty fields, and keeps $retainKeys where the server drops it. */
function said(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(said)
  if (!isObject(value)) return value
  const fields = Object.entries(value).map(([name, inner]) => [name, said(inner)] as const)
  const isEmpty = (inner: unknown) => typeof inner === 'object' && (inner === null || Object.keys(inner).length === 0)
  const skipped = ['$retainKeys', 'creationTimestamp', 'status', 'resources']
  return Object.fromEntries(fields.filter(([name, inner]) => !skipped.includes(name) && !isEmpty(inner)))
}

const names = ['a', 'b', 'c', 'd']
const image = fc.constantFrom('one', 'two')
const env = fc.uniqueArray(fc.record({ name: fc.constantFrom('X', 'Y', 'Z'), value: image }), {
  selector: (one) => one.name,
})
const ports = fc.uniqueArray(fc.record({ containerPort: fc.constantFrom(80, 81), name: image }), {
  selector: (one) => one.containerPort,
})
const more = fc.record({ env, ports, args: fc.array(image, { maxLength: 2 }) }, { requiredKeys: [] })
const container = fc
  .tuple(fc.constantFrom(...names), image, more)
  .map(([name, of, rest]) => ({ name, image: of, ...rest }))
const containers = fc.uniqueArray(container, { selector: (one) => one.name, maxLength: 4 })
const source = fc.constantFrom<Json>(
  { emptyDir: { medium: 'Memory' } },
  { configMap: { name: 'c' } },
  { hostPath: { path: '/x' } },
)
const volume = fc.tuple(fc.constantFrom('v', 'w'), source).map(([name, of]) => ({ name, ...of }))
const volumes = fc.uniqueArray(volume, { selector: (one) => one.name, maxLength: 2 })
const finalizers = fc.uniqueArray(fc.constantFrom('f/1', 'f/2', 'f/3'), { minLength: 1 })

const pod = fc.record({ containers, volumes, finalizers }).map((of) => ({
  apiVersion: 'v1',
  kind: 'Pod',
  metadata: { name: 'p', finalizers: of.finalizers },
  // A container that no patch names: a list is never empty.
  spec: {
    containers: [...of.containers, { name: 'z', image: 'last' }],
    volumes: of.volumes,
    tolerations: [{ key: 'k' }],
  },
}))

const change = fc.oneof(
  container,
  fc.tuple(fc.constantFrom(...names), env).map(([name, of]) => ({ name, env: of })),
)
const patch = fc
  .record({
    changes: fc.uniqueArray(change, { selector: (one) => one.name, minLength: 1, maxLength: 4 }),
    ordered: fc.boolean(),
    volumes: fc.uniqueArray(volume, { selector: (one) => one.name, minLength: 1, maxLength: 2 }),
    finalizers: fc.uniqueArray(fc.constantFrom('f/3', 'f/4'), { minLength: 1 }),
    spec: fc.record(
      { tolerations: fc.constant([{ key: 'n' }]), nodeSelector: fc.constant({ a: 'b' }) },
      { requiredKeys: [] },
    ),
  })
  .map((of) => {
    const order = [...of.changes.map(({ name }) => ({ name })), { name: 'z' }]
    return {
      metadata: { finalizers: of.finalizers },
      spec: {
        ...of.spec,
        ...(of.ordered ? { '$setElementOrder/containers': order } : {}),
        containers: of.changes,
        volumes: of.volumes.map((one) => ({ ...one, $retainKeys: Object.keys(one) })),
      },
    }
  })

describe.skipIf(!hasKubectl())('strategic merge patches', () => {
  it("do what Kubernetes' own code does", () => {
    const file = join(tempDir(), 'pod.json')
    fc.assert(
      fc.property(pod, patch, (object, change) => {
        writeFileSync(file, JSON.stringify(object))
        expect(said(byKedge(object, change))).toEqual(said(byKubectl(file, change)))
      }),
      { numRuns: 40 },
    )
  })

  it.each([
    ['deletes an element', { spec: { containers: [{ name: 'a', $patch: 'delete' }] } }],
    ['deletes one that is not there', { spec: { containers: [{ name: 'q', $patch: 'delete' }] } }],
    ['replaces a list', { spec: { containers: [{ $patch: 'replace' }, { name: 'n', image: 'i' }] } }],
    ['replaces an object', { metadata: { labels: { $patch: 'replace', n: '1' } } }],
    ['deletes an object', { metadata: { labels: { $patch: 'delete' } } }],
    ['deletes values', { metadata: { '$deleteFromPrimitiveList/finalizers': ['f/1'] } }],
    ['orders values', { metadata: { '$setElementOrder/finalizers': ['f/2', 'f/1'] } }],
    ['takes a list away', { spec: { volumes: null } }],
    ['lacks a key', { spec: { containers: [{ image: 'x' }] } }],
    [
      'retains what it does not list',
      { spec: { volumes: [{ name: 'v', hostPath: { path: '/' }, $retainKeys: ['name'] }] } },
    ],
    ['orders what it does not set', { spec: { '$setElementOrder/containers': [{ name: 'b' }, { name: 'a' }] } }],
    [
      'sets what it does not order',
      { spec: { '$setElementOrder/containers': [{ name: 'b' }], containers: [{ name: 'a', image: 'x' }] } },
    ],
  ])('that %s does the same', (_, change) => {
    const file = join(tempDir(), 'pod.json')
    const object = {
      apiVersion: 'v1',
      kind: 'Pod',
      metadata: { name: 'p', labels: { a: '1' }, finalizers: ['f/1', 'f/2'] },
      spec: {
        containers: [
          { name: 'a', image: 'i' },
          { name: 'b', image: 'j' },
        ],
        volumes: [{ name: 'v', configMap: { name: 'c' } }],
      },
    }
    writeFileSync(file, JSON.stringify(object))
    const expected = byKubectl(file, change)
    expect(said(byKedge(object, change))).toEqual(said(expected))
    if (expected !== undefined) expect(asArray((expected.spec as Json).containers).length).toBeGreaterThan(0)
  })
})
