import { expect, it } from 'vitest'
import { chaos, spells } from '../../../../scripts/compose/chaos.ts'
import type { Order } from '../../../../scripts/compose/gate-control.ts'

/** Plays until so many orders have been given. */
async function play(count: number, tell: (order: Order) => Promise<number>) {
  const stop = new AbortController()
  const orders: Order[] = []
  const said: string[] = []
  const give = (order: Order) => {
    orders.push(order)
    if (orders.length === count) stop.abort()
    return tell(order)
  }
  await chaos({ tell: give, say: (text) => void said.push(text), speed: 100_000, signal: stop.signal })
  return { orders, said }
}

it('plays every spell round and round, says it, and leaves the gate open', async () => {
  const { orders, said } = await play(spells.length + 2, async () => 7)
  const round = spells.map(({ order }) => order)
  expect(orders).toEqual([...round, ...round.slice(0, 2), { is: 'open' }])
  expect(said[1]).toBe('cut: no edge node reaches cloudcore (7 links stood)')
  expect(said.at(-1)).toContain('over')
})

it('goes on while the gate is away', async () => {
  const { orders, said } = await play(3, () => Promise.reject(new Error('connect ENOENT')))
  expect(orders).toHaveLength(4)
  expect(said[0]).toBe('the gate does not take orders: connect ENOENT')
})
