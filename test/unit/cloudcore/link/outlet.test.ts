import { randomBytes } from 'node:crypto'
import { Outlet } from '@kedge/cloudcore/link/outlet'
import { Traffic } from '@kedge/cloudcore/link/traffic'
import type { Frame } from '@kedge/shared/frames'
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

/** A frame of some kilobytes: what does not compress. */
function large(revision: number): Frame<'same'> {
  return { ...same(revision), talk: randomBytes(6000).toString('hex') }
}

test('small packets go to the socket together, and count once they have gone', () => {
  const { outlet, taken, traffic } = open()
  for (const revision of [1, 2, 3]) outlet.send(same(revision))
  expect(taken).toHaveLength(3)
  expect(traffic.sent).toBe(0)
  const before = outlet.bytes
  taken[0]?.done()
  expect(traffic.sent).toBe(taken[0]?.payload.length)
  expect(outlet.bytes).toBe(before - traffic.sent)
})

test('what the socket has no room for waits until something has gone', () => {
  const { outlet, taken } = open()
  for (let revision = 0; revision < 10; revision++) outlet.send(large(revision))
  const first = taken.length
  expect(first).toBeGreaterThan(1)
  expect(first).toBeLessThan(10)
  for (let gone = 0; gone < 10; gone++) taken[gone]?.done()
  expect(taken).toHaveLength(10)
  expect(outlet.bytes).toBe(0)
})

test('nothing goes to a connection that has ended', () => {
  const { outlet, client, taken } = open()
  for (let revision = 0; revision < 10; revision++) outlet.send(large(revision))
  const before = taken.length
  client.closed = true
  taken[0]?.done()
  expect(taken).toHaveLength(before)
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
    taken[round]?.done()
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
