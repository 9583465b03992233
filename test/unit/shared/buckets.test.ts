import { bucketOf, bucketSums, differing } from '@kedge/shared/buckets'
import { hashOf } from '@kedge/shared/changes'
import type { Key } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

const key = (index: number): Key => `configmaps/default/c${index}`
const set = (count: number, version = '1') =>
  new Map([...new Array(count).keys()].map((index) => [key(index), hashOf(key(index), version)]))

test('keys spread over the buckets', () => {
  const sizes = new Array(64).fill(0)
  for (let index = 0; index < 6400; index++) sizes[bucketOf(key(index), 64)]++
  expect(Math.min(...sizes)).toBeGreaterThan(50)
  expect(Math.max(...sizes)).toBeLessThan(200)
})

test('the sums do not depend on the order, and differ in the buckets of what differs', () => {
  const mine = set(500)
  const theirs = new Map([...mine].reverse())
  expect(bucketSums(theirs, 32)).toBe(bucketSums(mine, 32))
  theirs.set(key(7), hashOf(key(7), '2'))
  theirs.delete(key(8))
  theirs.set('pods/default/new', hashOf('pods/default/new', ''))
  const expected = [bucketOf(key(7), 32), bucketOf(key(8), 32), bucketOf('pods/default/new', 32)]
  const apart = differing(bucketSums(mine, 32), bucketSums(theirs, 32), 32)
  expect(apart).toEqual([...new Set(expected)].sort((a, b) => a - b))
})

test('sums of another number of buckets are not compared', () => {
  expect(differing(bucketSums(set(3), 16), bucketSums(set(3), 32), 16)).toBeUndefined()
  expect(differing(bucketSums(set(3), 16), '', 16)).toBeUndefined()
})
