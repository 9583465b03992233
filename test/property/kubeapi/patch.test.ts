import { canonical } from '@kedge/shared/canonical'
import { applyPatch, PatchError } from '@kedge/shared/kubeapi/patch'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { builtIn } from '../../support/kinds.ts'

type Json = Record<string, unknown>

const kind = builtIn('Pod')
const apply = (mediaType: string, object: Json, patch: unknown) =>
  applyPatch({
    mediaType: `application/${mediaType}+json`,
    patch,
    object: { metadata: { name: 'x' }, ...object },
    kind,
  })

const isObject = (value: unknown): value is Json => typeof value === 'object' && value !== null && !Array.isArray(value)

/** The merge patch that makes `target` of `source`, both without nulls. */
function mergeDiff(source: unknown, target: unknown): unknown {
  if (!isObject(source) || !isObject(target)) return target
  const patch: Json = Object.fromEntries(
    Object.keys(source)
      .filter((name) => !Object.hasOwn(target, name))
      .map((name) => [name, null]),
  )
  for (const [name, value] of Object.entries(target)) {
    if (!Object.hasOwn(source, name)) patch[name] = value
    else if (canonical(source[name]) !== canonical(value)) patch[name] = mergeDiff(source[name], value)
  }
  return patch
}

const name = fc.constantFrom('a', 'b', 'c', 'd', 'e/f', 'g~h', '')
const leaf = fc.oneof(fc.string(), fc.integer(), fc.boolean())
const { tree } = fc.letrec<{ tree: unknown; object: Json }>((tie) => ({
  tree: fc.oneof({ depthSize: 'small' }, leaf, fc.array(tie('tree'), { maxLength: 3 }), tie('object')),
  object: fc.dictionary(name, tie('tree'), { maxKeys: 4 }),
}))
const object = fc.dictionary(name, tree, { maxKeys: 4 })

describe('merge patches', () => {
  it('made from the difference give the target', () => {
    fc.assert(
      fc.property(object, object, (source, target) => {
        expect(apply('merge-patch', { data: source }, { data: mergeDiff(source, target) }).data).toEqual(target)
      }),
    )
  })

  it('change nothing the second time', () => {
    fc.assert(
      fc.property(object, fc.dictionary(name, fc.oneof(tree, fc.constant(null)), { maxKeys: 4 }), (source, patch) => {
        const once = apply('merge-patch', { data: source }, { data: patch })
        expect(apply('merge-patch', once, { data: patch })).toEqual(once)
      }),
    )
  })
})

const pointer = fc
  .array(fc.oneof(name, fc.constantFrom('0', '1', '-')), { maxLength: 3 })
  .map((parts) => ['', 'data', ...parts].map((part) => part.replaceAll('~', '~0').replaceAll('/', '~1')).join('/'))
const operation = fc.record({
  op: fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test'),
  path: pointer,
  from: pointer,
  value: tree,
})

describe('JSON patches', () => {
  it('either apply or say why not, and never change the object they are given', () => {
    fc.assert(
      fc.property(object, fc.array(operation, { maxLength: 6 }), (data, patch) => {
        const before = structuredClone(data)
        try {
          apply('json-patch', { data }, patch)
        } catch (error) {
          expect(error).toBeInstanceOf(PatchError)
        }
        expect(data).toEqual(before)
      }),
    )
  })

  it('take back what they added', () => {
    fc.assert(
      fc.property(object, name, tree, (data, field, value) => {
        fc.pre(!Object.hasOwn(data, field))
        const path = `/data/${field.replaceAll('~', '~0').replaceAll('/', '~1')}`
        const patch = [
          { op: 'add', path, value },
          { op: 'test', path, value },
          { op: 'remove', path },
        ]
        expect(apply('json-patch', { data }, patch).data).toEqual(data)
      }),
    )
  })

  it('do the same as replacing the whole', () => {
    fc.assert(
      fc.property(object, object, (data, target) => {
        expect(apply('json-patch', { data }, [{ op: 'replace', path: '/data', value: target }]).data).toEqual(target)
      }),
    )
  })
})

const containerName: fc.Arbitrary<string> = fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f')
const container = (image: fc.Arbitrary<string>) =>
  fc.uniqueArray(fc.record({ name: containerName, image }), { selector: (one) => one.name, maxLength: 6 })
type Container = { name: string; image: string }

describe('strategic merge patches of containers', () => {
  const containersOf = (result: { spec?: Json }) => (result.spec?.containers ?? []) as Container[]

  it('keep what they do not name, in its order, and set what they name', () => {
    fc.assert(
      fc.property(container(fc.constant('old')), container(fc.constant('new')), (before, patch) => {
        const after = containersOf(
          apply('strategic-merge-patch', { spec: { containers: before } }, { spec: { containers: patch } }),
        )
        const named = new Set(patch.map((one) => one.name))
        const unnamed = (list: Container[]) => list.filter((one) => !named.has(one.name))
        expect(unnamed(after)).toEqual(unnamed(before))
        expect(after.filter((one) => named.has(one.name))).toEqual(patch)
        expect(after).toHaveLength(new Set([...before, ...patch].map((one) => one.name)).size)
      }),
    )
  })

  it('delete exactly what they say', () => {
    fc.assert(
      fc.property(container(fc.constant('old')), fc.uniqueArray(containerName), (before, gone) => {
        const patch = gone.map((one) => ({ name: one, $patch: 'delete' }))
        const after = containersOf(
          apply('strategic-merge-patch', { spec: { containers: before } }, { spec: { containers: patch } }),
        )
        expect(after).toEqual(before.filter((one) => !gone.includes(one.name)))
      }),
    )
  })

  it('put every element in the order that $setElementOrder gives', () => {
    fc.assert(
      fc.property(
        container(fc.constant('old')),
        fc.shuffledSubarray<string>(['a', 'b', 'c', 'd', 'e', 'f']),
        (before, order) => {
          const patch = { spec: { '$setElementOrder/containers': order.map((one) => ({ name: one })) } }
          const after = containersOf(apply('strategic-merge-patch', { spec: { containers: before } }, patch)).map(
            (one) => one.name,
          )
          const present = new Set(before.map((one) => one.name))
          expect(after.filter((one) => order.includes(one))).toEqual(order.filter((one) => present.has(one)))
          expect(after.filter((one) => !order.includes(one))).toEqual(
            before.map((one) => one.name).filter((one) => !order.includes(one)),
          )
        },
      ),
    )
  })
})
