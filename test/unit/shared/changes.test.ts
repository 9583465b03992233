import { apply, diff, digestOf, emptyDigest, type Hash, hashOf, RunningDigest } from '@kedge/shared/changes'
import type { Key } from '@kedge/shared/objects'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const inventory = fc
  .uniqueArray(fc.tuple(fc.nat(20), fc.nat(3)), { selector: ([name]) => name, maxLength: 12 })
  .map((pairs) => new Map<Key, Hash>(pairs.map(([name, value]) => [key(name), hashOf(key(name), `v${value}`)])))

function key(name: number): Key {
  return `configmaps/default/c${name}`
}

describe('the digest of a set', () => {
  test('is that of the empty set when nothing is held', () => {
    expect(digestOf(new Map())).toBe(emptyDigest)
    expect(emptyDigest).toMatch(/^[\w-]{22}$/)
  })

  test('does not depend on order', () => {
    fc.assert(
      fc.property(inventory, (held) => {
        expect(digestOf(new Map([...held].reverse()))).toBe(digestOf(held))
      }),
    )
  })

  test('tells sets apart', () => {
    fc.assert(
      fc.property(inventory, inventory, (one, other) => {
        const same = JSON.stringify([...one].sort()) === JSON.stringify([...other].sort())
        expect(digestOf(one) === digestOf(other)).toBe(same)
      }),
    )
  })

  test('can be kept up to date member by member', () => {
    fc.assert(
      fc.property(inventory, inventory, (one, other) => {
        const digest = new RunningDigest(digestOf(one))
        for (const hash of one.values()) digest.remove(hash)
        expect(digest.value).toBe(emptyDigest)
        for (const hash of other.values()) digest.add(hash)
        expect(digest.value).toBe(digestOf(other))
      }),
    )
  })
})

test('a difference, applied, gives what was wanted', () => {
  fc.assert(
    fc.property(inventory, inventory, (have, want) => {
      const { put, drop } = diff(have, want)
      const contents = new Map([...want].filter(([each]) => put.includes(each)))
      expect(apply(have, contents, drop)).toEqual(want)
    }),
  )
})

test('the same content under another key has another hash', () => {
  expect(hashOf('secrets/a/b', '{}')).not.toBe(hashOf('secrets/a/c', '{}'))
})
