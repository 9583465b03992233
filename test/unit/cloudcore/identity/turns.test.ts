import { type Turn, Turns } from '@kedge/cloudcore/identity/turns'
import { expect, test } from 'vitest'

/** A record that is a list of names; `end` ends the write that is under way. */
function open() {
  let record: string[] | undefined
  const writes: { end: (error?: Error) => void; size: number }[] = []
  const turns = new Turns<string[]>(async (_name, all: readonly Turn<string[]>[]) => {
    let next = record
    for (const turn of all) next = turn.decide(next) ?? next
    await new Promise<void>((resolve, reject) => {
      writes.push({ end: (error) => (error ? reject(error) : resolve()), size: all.length })
    })
    record = next
    for (const turn of all) turn.done()
  })
  const add = (name: string) =>
    turns.change<string>('list', (held = []) =>
      held.length < 3 ? { is: 'write', record: [...held, name] } : { is: 'leave', answer: 'full' },
    )
  return { add, turns, writes, kept: () => record }
}

const settle = () => new Promise((resolve) => setImmediate(resolve))

test('what comes while one is being written is written together after it, each decided on the one before', async () => {
  const { add, writes, kept } = open()
  const all = ['a', 'b', 'c', 'd'].map(add)
  writes[0]?.end()
  await all[0]
  await settle()
  writes[1]?.end()
  const outcomes = await Promise.all(all)
  expect(outcomes.map((one) => (one.is === 'written' ? one.record.join('') : one.answer))).toEqual([
    ...['a', 'ab', 'abc', 'full'],
  ])
  expect(writes.map(({ size }) => size)).toEqual([1, 3])
  expect(kept()).toEqual(['a', 'b', 'c'])
  // And again from rest.
  const later = add('e')
  writes[2]?.end()
  expect(await later).toEqual({ is: 'left', answer: 'full' })
})

test('a write that fails fails for all that were in it, and for nobody else', async () => {
  const { add, writes, kept } = open()
  const [first, second, third] = ['a', 'b', 'c'].map((name) => add(name).then(({ is }) => is, String))
  writes[0]?.end()
  await first
  await settle()
  const fourth = add('d')
  writes[1]?.end(new Error('reset'))
  expect(await Promise.all([second, third])).toEqual(['Error: reset', 'Error: reset'])
  await settle()
  writes[2]?.end()
  expect(await fourth).toMatchObject({ is: 'written' })
  expect(kept()).toEqual(['a', 'd'])
})

test('who throws while it decides hinders nobody', async () => {
  const { add, turns, writes } = open()
  const first = add('a')
  const broken = turns.change('list', () => {
    throw new Error('my own fault')
  })
  const other = add('b')
  writes[0]?.end()
  await first
  await settle()
  writes[1]?.end()
  await expect(broken).rejects.toThrow('my own fault')
  expect(await other).toMatchObject({ record: ['a', 'b'] })
})
