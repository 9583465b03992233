import { lookUp, parsePath } from '@kedge/edgecore/devices/drivers/json-path'
import { fill, type Reading, read, readerOf, Said, wordFor } from '@kedge/edgecore/devices/drivers/values'
import { expect, test } from 'vitest'

test.each<[string, unknown, unknown]>([
  ['a.b', { a: { b: 1 } }, 1],
  ['$.a', { a: 1 }, 1],
  ['a[1].c', { a: [0, { c: 'x' }] }, 'x'],
  ['["a.b"].c', { 'a.b': { c: 2 } }, 2],
  ['params["switch:0"].output', { params: { 'switch:0': { output: false } } }, false],
  ["['a b']", { 'a b': 1 }, 1],
  ['[name=lamp].model', [{ name: 'x' }, { name: 'lamp', model: 'm' }], 'm'],
  ['list[id=2].v', { list: [{ id: 2, v: 3 }] }, 3],
  ['a.b.c', { a: 1 }, undefined],
  ['constructor', {}, undefined],
  ['__proto__.x', {}, undefined],
  ['', 7, 7],
])('%s in %j is %j', (path, value, expected) => {
  expect(lookUp(value, parsePath(path))).toEqual(expected)
})

test.each(['a..b', 'a[', 'a]', 'a[x', '[]', '.'])('the path %s is refused', (path) => {
  expect(() => parsePath(path)).toThrow(/cannot be read from/)
})

test.each<[string, Reading, string | undefined, string | undefined]>([
  ['21.5', {}, 'FLOAT', '21.5'],
  [' 21.5\n', {}, 'FLOAT', '21.5'],
  ['{"level":7,"x":1}', {}, 'INT', '7'],
  ['{"x":1}', {}, 'STRING', '{"x":1}'],
  ['{"a":{"b":true}}', { path: 'a.b' }, 'BOOLEAN', 'true'],
  ['{"a":1}', { path: 'b' }, 'INT', undefined],
  ['{"a":null}', { path: 'a' }, 'INT', undefined],
  ['{"a":[1,2]}', { path: 'a' }, 'STRING', '[1,2]'],
  ['ON', { map: { ON: 'true', OFF: 'false' } }, 'STRING', 'true'],
  ['on', {}, 'BOOLEAN', 'true'],
  ['0', {}, 'BOOLEAN', 'false'],
  ['on', {}, 'STRING', 'on'],
  ['215', { scale: 0.1 }, 'FLOAT', '21.5'],
  ['3', { scale: 0.1 }, 'FLOAT', '0.3'],
  ['70', { scale: 0.5555555555555556, offset: -17.77777777777778, decimals: 1 }, 'FLOAT', '21.1'],
  ['21.6', { decimals: 0 }, 'INT', '22'],
  ['21.0', {}, 'INT', '21'],
  // Left for the model to refuse: nothing is lost in silence.
  ['21.6', {}, 'INT', '21.6'],
  ['9007199254740993', {}, 'INT', '9007199254740993'],
  ['T=21.5 H=40', { pattern: 'H=(\\d+)' }, 'INT', '40'],
  ['nothing', { pattern: 'H=(\\d+)' }, 'INT', undefined],
  ['-0.0', { scale: 1 }, 'FLOAT', '0'],
])('%s read with %j for %s is %j', (payload, reading, type, expected) => {
  expect(read(new Said(payload), readerOf('level', reading, { type }))).toBe(expected)
})

test('what cannot be read says what was found', () => {
  const scaled = readerOf('level', { scale: 2 }, { type: 'FLOAT' })
  expect(() => read(new Said('warm'), scaled)).toThrow('found "warm" where a number should be')
  const path = readerOf('level', { path: 'a' }, undefined)
  expect(() => read(new Said('<html>'), path)).toThrow('found "<html>" where JSON should be')
})

test.each<[string, Reading, string | undefined, string]>([
  ['true', { map: { ON: 'true', OFF: 'false' } }, 'BOOLEAN', 'ON'],
  ['21.5', { scale: 0.1 }, 'FLOAT', '215'],
  ['50', { scale: 0.3937007874015748, decimals: 0 }, 'INT', '127'],
  ['text', {}, 'STRING', 'text'],
])('%s goes out with %j as %s', (value, reading, type, word) => {
  expect(wordFor(value, readerOf('level', reading, { type }))).toBe(word)
})

test.each<[string, string, string | undefined, string]>([
  ['{{value}}', 'a"b', 'STRING', 'a"b'],
  ['{"v":{{json}}}', 'a"b', 'STRING', '{"v":"a\\"b"}'],
  ['{"v":{{json}}}', '1.50', 'FLOAT', '{"v":1.50}'],
  ['{"v":{{json}}}', 'NaN', 'FLOAT', '{"v":"NaN"}'],
  ['{"v":{{json}}}', 'true', 'BOOLEAN', '{"v":true}'],
  ['{"v":{{ json }}}', 'ON', 'BOOLEAN', '{"v":"ON"}'],
])('%s filled with %s (%s→) is %s', (template, word, type, expected) => {
  expect(fill(template, word, { type })).toBe(expected)
})
