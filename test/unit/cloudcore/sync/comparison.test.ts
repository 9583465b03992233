import { bucketsFor, Comparison } from '@kedge/cloudcore/sync/comparison'
import { answerTo } from '@kedge/edgecore/sync/telling'
import { digestOf, hashOf } from '@kedge/shared/changes'
import type { Frame, UpFrame } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'
import { expect, test } from 'vitest'

const key = (index: number): Key => `configmaps/default/c${index}`
const set = (count: number) =>
  new Map([...new Array(count).keys()].map((index) => [key(index), hashOf(key(index), '1')]))

/** Goes through a comparison with an edge that holds `held`; returns what the cloud knows then, and the questions. */
function compare(held: Map<Key, string>, wanted: Map<Key, string>, change: (frame: UpFrame) => void = () => undefined) {
  const comparison = new Comparison({ talk: 'r.1', ask: 1, buckets: bucketsFor(held.size, 64), wanted })
  const questions: Frame<'compare'>[] = []
  for (let question: Frame<'compare'> | undefined = comparison.question; question !== undefined; ) {
    questions.push(question)
    const frames = answerTo(question, { inventory: held, digest: digestOf(held) })
    question = undefined
    for (const frame of frames) {
      change(frame)
      const outcome =
        frame.is === 'buckets' ? comparison.buckets(frame) : comparison.inventory(frame as Frame<'inventory'>)
      if (outcome.is === 'known') return { known: outcome.held.map, questions }
      if (outcome.is === 'ask') question = outcome.frame
    }
  }
  throw new Error('nothing is known in the end')
}

test.each([
  [0, undefined],
  [63, undefined],
  [64, 16],
  [1000, 64],
  [5000, 512],
  [1_000_000, 4096],
])('of %i objects the sums of %s buckets are asked for', (count, buckets) => {
  expect(bucketsFor(count, 64)).toBe(buckets)
})

test('a few differences are found by the inventory of a few buckets', () => {
  const wanted = set(1000)
  const held = new Map(wanted)
  held.set(key(3), hashOf(key(3), '2'))
  held.delete(key(4))
  held.set('pods/default/old', hashOf('pods/default/old', ''))
  const { known, questions } = compare(held, wanted)
  expect(known).toEqual(held)
  expect(questions.map(({ buckets, only }) => [buckets, only?.length])).toEqual([
    [64, undefined],
    [64, 3],
  ])
})

test('an edge that holds all differently is asked for everything at once', () => {
  const held = new Map([...set(1000)].map(([each]) => [each, hashOf(each, '2')]))
  const { known, questions } = compare(held, set(1000))
  expect(known).toEqual(held)
  expect(questions.map(({ ask, buckets }) => [ask, buckets])).toEqual([
    [1, 64],
    [2, undefined],
  ])
})

test('sums that are equal by chance do not deceive: the digest tells, and everything is asked for', () => {
  const wanted = set(1000)
  const held = new Map(wanted)
  held.set(key(3), hashOf(key(3), '2'))
  const sums = answerTo({ is: 'compare', talk: 'r.1', ask: 1, buckets: 64 }, { inventory: wanted, digest: '' })[0]
  const { known, questions } = compare(held, wanted, (frame) => {
    if (frame.is === 'buckets' && sums?.is === 'buckets') frame.sums = sums.sums
  })
  expect(known).toEqual(held)
  expect(questions.at(-1)?.buckets).toBeUndefined()
})

test('an answer to another question is not listened to', () => {
  const comparison = new Comparison({ talk: 'r.1', ask: 5, wanted: set(3) })
  const inventory: Frame<'inventory'> = { is: 'inventory', talk: 'r.1', ask: 4, part: 0, of: 1, items: [] }
  expect(comparison.inventory(inventory)).toEqual({ is: 'wait' })
})
