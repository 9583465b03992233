import { Turns } from '@kedge/edgecore/pods/cri/turns'
import { expect, test } from 'vitest'
import { HandClock } from '../../../../support/hand-clock.ts'

function work() {
  const begun: string[] = []
  const ends = new Map<string, () => void>()
  const one = (name: string) => () => {
    begun.push(name)
    return new Promise<string>((resolve) => ends.set(name, () => resolve(name)))
  }
  const end = async (name: string) => {
    ends.get(name)?.()
    await new Promise((resolve) => setImmediate(resolve))
  }
  return { begun, one, end }
}

test('so many at once, and then what brings a pod furthest first', async () => {
  const { begun, one, end } = work()
  const turns = new Turns(2, new HandClock())
  const all = [turns.take(0, one('a')), turns.take(0, one('b')), turns.take(0, one('c')), turns.take(0, one('d'))]
  all.push(turns.take(2, one('start')), turns.take(1, one('create')))
  expect(begun).toEqual(['a', 'b'])
  for (const name of ['a', 'b', 'start', 'create', 'c']) await end(name)
  expect(begun).toEqual(['a', 'b', 'start', 'create', 'c', 'd'])
  await end('d')
  expect(await Promise.all(all)).toEqual(['a', 'b', 'c', 'd', 'start', 'create'])
})

test('a failure gives its place back', async () => {
  const turns = new Turns(1, new HandClock())
  await expect(turns.take(0, () => Promise.reject(new Error('no')))).rejects.toThrow('no')
  expect(await turns.take(0, async () => 'yes')).toBe('yes')
})

test('who takes long holds nobody up, and takes no second place when it ends', async () => {
  const { begun, one, end } = work()
  const clock = new HandClock()
  const turns = new Turns(1, clock)
  const all = ['slow', 'next', 'last'].map((name) => turns.take(0, one(name)))
  expect(begun).toEqual(['slow'])
  clock.tick(5000)
  await new Promise((resolve) => setImmediate(resolve))
  expect(begun).toEqual(['slow', 'next'])
  await end('slow')
  expect(begun).toEqual(['slow', 'next'])
  await end('next')
  await end('last')
  expect(await Promise.all(all)).toEqual(['slow', 'next', 'last'])
})
