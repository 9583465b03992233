import { isJson, type Json, mergePatch, withoutNulls } from '@kedge/cloudcore/kube/merge-patch'
import { canonical } from '@kedge/shared/canonical'
import * as fc from 'fast-check'
import { expect, test } from 'vitest'

test.each<[string, Json, Json, Json | undefined]>([
  ['nothing when equal', { a: 1, b: { c: [1, { d: 2 }] } }, { b: { c: [1, { d: 2 }] }, a: 1 }, undefined],
  ['what changed and no more', { a: 1, b: { c: 1, d: 2 } }, { a: 1, b: { c: 1, d: 3 } }, { b: { d: 3 } }],
  ['null for what is gone', { a: 1, b: { c: 1 } }, { b: {} }, { a: null, b: { c: null } }],
  ['arrays whole', { a: [1, 2] }, { a: [1, 3] }, { a: [1, 3] }],
  ['a new branch', {}, { a: { b: 1 } }, { a: { b: 1 } }],
  [
    'null for what only looks inherited',
    { a: JSON.parse('{"__proto__":{}}') },
    { a: {} },
    { a: JSON.parse('{"__proto__":null}') },
  ],
  ['undefined is missing', { a: undefined, b: 1 }, { a: 1, b: undefined }, { a: 1, b: null }],
])('a patch holds %s', (_, from, to, patch) => {
  expect(mergePatch(from, to)).toEqual(patch)
})

/** RFC 7386, section 2. */
function applied(target: unknown, patch: unknown): unknown {
  if (!isJson(patch)) return patch
  const out = new Map(isJson(target) ? Object.entries(target) : [])
  for (const [field, value] of Object.entries(patch)) {
    if (value === null) out.delete(field)
    else out.set(field, applied(out.get(field), value))
  }
  return Object.fromEntries(out)
}

const json = fc
  .dictionary(fc.constantFrom('a', 'b', 'c'), fc.jsonValue({ maxDepth: 3 }))
  .map((value) => withoutNulls(JSON.parse(JSON.stringify(value)) as Json))

test('the patch, applied, gives what was wanted', () => {
  void fc.assert(
    fc.property(json, json, (from, to) => {
      const patch = mergePatch(from, to)
      expect(canonical(applied(from, patch ?? {}))).toBe(canonical(to))
    }),
  )
})
