import { duplicateFields } from '@kedge/shared/kubeapi/json-duplicates'
import fc from 'fast-check'
import { expect, it } from 'vitest'

it.each<[string, string[]]>([
  ['{"a": 1, "b": {"a": 2}}', []],
  ['{"a": 1, "a": 2}', ['a']],
  ['{"a": {"b": 1, "c": [], "b": {"b": 1}}}', ['a.b']],
  ['{"spec": {"containers": [{"name": "a"}, {"name": "b", "image": "x", "name": "c"}]}}', ['spec.containers[1].name']],
  ['[{"op": "add"}, [1, {"op": "add", "op": "test"}]]', ['[1][1].op']],
  ['{"a": "x", "\\u0061": "y"}', ['a']],
  ['{"a": "{\\"b\\":1,\\"b\\":2}", "c": "\\\\", "d": "\\\\\\""}', []],
  ['{"": 1, "": 2}', ['']],
  ['{"a": 1, "a": 2, "a": 3}', ['a']],
  ['"a"', []],
])('%s names %j twice', (text, expected) => expect(duplicateFields(text)).toEqual(expected))

it('finds nothing in what JSON.stringify makes', () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.boolean(), (value, wide) => {
      expect(duplicateFields(JSON.stringify(value, null, wide ? 2 : 0))).toEqual([])
    }),
  )
})

it('finds the one field that was doubled, wherever it is', () => {
  const key = fc.string({ maxLength: 6 })
  fc.assert(
    fc.property(fc.array(key, { minLength: 1, maxLength: 5 }), key, fc.jsonValue(), (path, last, value) => {
      const quoted = JSON.stringify(last)
      const inner = `{${quoted}:${JSON.stringify(value)},${quoted}:1}`
      const text = path.reduceRight((held, name) => `{${JSON.stringify(name)}:${held}}`, inner)
      expect(duplicateFields(text)).toEqual([[...path, last].join('.')])
    }),
  )
})

it('does not hang on deep nesting, long strings or many fields', () => {
  const deep = `${'{"a":'.repeat(50_000)}1${'}'.repeat(50_000)}`
  expect(duplicateFields(deep)).toEqual([])
  expect(duplicateFields(`{"a":"${'\\"'.repeat(500_000)}"}`)).toEqual([])
  expect(duplicateFields(`{${'"a":1,'.repeat(100_000)}"a":1}`)).toEqual(['a'])
})
