import { Outlet } from '@kedge/cloudcore/link/outlet'
import { Traffic } from '@kedge/cloudcore/link/traffic'
import type { Client } from 'aedes'
import { expect, test } from 'vitest'
import { same } from '../../../contract/link/cloud.ts'

/** An outlet to a connection whose socket the test plays. */
function open() {
  const conn = { bytesWritten: 0, writableLength: 0, _handle: { writeQueueSize: 0 } }
  const taken: { payload: Buffer; done: () => void }[] = []
  const publish = ({ payload }: { payload: Buffer }, done: () => void) => taken.push({ payload, done })
  const client = { id: 'edge-1', closed: false, conn, publish } as unknown as Client & { closed: boolean }
  const traffic = new Traffic()
  const cuts: string[] = []
  const outlet = new Outlet({ client, traffic, cut: (reason) => cuts.push(reason) })
  return { outlet, conn, client, taken, traffic, cuts }
}

test('one packet at a time is with the socket, and counts once it has gone', () => {
  const { outlet, taken, traffic } = open()
  for (const revision of [1, 2, 3]) outlet.send(same(revision))
  expect(taken).toHaveLength(1)
  expect(traffic.sent).toBe(0)
  const before = outlet.bytes
  taken[0]?.done()
  expect(taken).toHaveLength(2)
  expect(traffic.sent).toBe(taken[0]?.payload.length)
  expect(outlet.bytes).toBe(before - traffic.sent)
})

test('nothing goes to a connection that has ended', () => {
  const { outlet, client, taken } = open()
  for (const revision of [1, 2]) outlet.send(same(revision))
  client.closed = true
  taken[0]?.done()
  expect(taken).toHaveLength(1)
})

test('a connection that nothing leaves is cut at the second look', () => {
  const { outlet, cuts } = open()
  outlet.send(same(1))
  outlet.look()
  expect(cuts).toEqual([])
  outlet.look()
  expect(cuts).toHaveLength(1)
})

test('a connection that something leaves is not cut, however slowly', () => {
  const { outlet, conn, taken, cuts } = open()
  conn._handle.writeQueueSize = 100_000
  for (let round = 0; round < 50; round++) {
    outlet.send(same(round))
    outlet.look()
    conn._handle.writeQueueSize -= 100
  }
  for (let round = 0; round < 10; round++) {
    taken.at(-1)?.done()
    outlet.look()
  }
  expect(cuts).toEqual([])
})

test('an idle connection is not cut, nor one that has only just been given something', () => {
  const { outlet, cuts } = open()
  for (let look = 0; look < 5; look++) outlet.look()
  outlet.send(same(1))
  outlet.look()
  expect(cuts).toEqual([])
})
