import { parseJsonPath } from '@kedge/shared/kubeapi/jsonpath'
import { describe, expect, it } from 'vitest'

const object = {
  metadata: { name: 'x', labels: { 'a.b/c': 'dotted' } },
  items: [
    { type: 'A', n: 1, on: true },
    { type: 'B', n: 2, deep: { k: 'v' } },
  ],
}

describe('JSONPath', () => {
  it.each([
    ['.metadata.name', ['x']],
    ['{.metadata.name}', ['x']],
    ['$.metadata.name', ['x']],
    ['.metadata.labels.a\\.b/c', ['dotted']],
    [".metadata.labels['a.b/c']", ['dotted']],
    ['.items[0].type', ['A']],
    ['.items[-1].type', ['B']],
    ['.items[9].type', []],
    ['.items[*].type', ['A', 'B']],
    ['.items[?(@.type=="B")].n', [2]],
    [".items[?(@.type!='B')].n", [1]],
    ['.items[?(@.n==2)].type', ['B']],
    ['.items[?(@.on==true)].type', ['A']],
    ['.items[?(@.deep.k=="v")].type', ['B']],
    ['.items[?(@.type=="C")].n', []],
    ['.metadata.none.none', []],
    ['.metadata.constructor', []],
  ])('%s finds %j', (path, found) => expect(parseJsonPath(path)(object)).toEqual(found))

  it.each(['.a[', '.a[?(@.b>1)]', '..a', '.a[1:2]', 'a b'])('refuses %s', (path) => {
    expect(() => parseJsonPath(path)).toThrow(/cannot read the JSONPath/)
  })
})
