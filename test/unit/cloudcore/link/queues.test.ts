import { Admission } from '@kedge/cloudcore/link/admission'
import { FairQueue } from '@kedge/cloudcore/link/fair-queue'
import { OutQueue } from '@kedge/cloudcore/link/out-queue'
import { TokenBucket } from '@kedge/cloudcore/link/token-bucket'
import { Traffic } from '@kedge/cloudcore/link/traffic'
import { emptyDigest } from '@kedge/shared/changes'
import { type DownFrame, decodeDown, encodeFrame } from '@kedge/shared/frames'
import { describe, expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { HandClock } from '../../../support/hand-clock.ts'

test('a fair queue serves everybody once before anybody twice, each in its order', () => {
  const queue = new FairQueue<number>()
  for (const item of [1, 2, 3]) queue.push('loud', item)
  queue.push('quiet', 1)
  const served: string[] = []
  for (let next = queue.next(); next !== undefined; next = queue.next()) served.push(`${next.node} ${next.item}`)
  expect(served).toEqual(['loud 1', 'quiet 1', 'loud 2', 'loud 3'])
})

test('a token bucket gives its burst at once, and then its rate', () => {
  const bucket = new TokenBucket({ perSecond: 10, burst: 3 }, 1000)
  const takes = (now: number) => Array.from({ length: 5 }, () => bucket.take(now)).filter(Boolean).length
  expect(takes(1000)).toBe(3)
  expect(takes(1099)).toBe(0)
  expect(takes(1200)).toBe(2)
  expect(takes(60_000)).toBe(3)
})

describe('admission', () => {
  function admission(burst: number) {
    const clock = new HandClock()
    const admitted: string[] = []
    const state = { open: true }
    const admit = (node: string, item: string) => admitted.push(`${node} ${item}`)
    const options = { rate: { perSecond: 100, burst }, mayAdmit: () => state.open, admit, clock }
    return { clock, admitted, state, queue: new Admission<string>(options) }
  }

  test('lets a fleet in at its rate, in the order of asking, and loses nobody', async () => {
    const { clock, admitted, queue } = admission(10)
    const names = Array.from({ length: 1000 }, (_, index) => `edge-${index} have`)
    for (const name of names) queue.ask(name.split(' ')[0] ?? '', 'have')
    expect([admitted.length, queue.waiting]).toEqual([10, 990])
    clock.tick(50)
    await eventually(() => admitted.length === 15)
    while (admitted.length < 1000) {
      const before = admitted.length
      clock.tick(100)
      await eventually(() => admitted.length === before + 10 || admitted.length === 1000, { every: 5 })
    }
    expect(admitted).toEqual(names)
    expect(queue.waiting).toBe(0)
    queue.stop()
  })

  test('a node waits with what it said last, at its first place, and not at all when it is gone', async () => {
    const { clock, admitted, queue } = admission(1)
    for (const [node, item] of [
      ['a', '1'],
      ['b', '1'],
      ['c', '1'],
      ['d', '1'],
      ['b', '2'],
    ] as const) {
      queue.ask(node, item)
    }
    queue.forget('c')
    for (let count = 2; count <= 3; count++) {
      clock.tick(10)
      await eventually(() => admitted.length === count)
    }
    expect(admitted).toEqual(['a 1', 'b 2', 'd 1'])
    queue.stop()
  })

  test('nobody comes in while much is on its way', async () => {
    const { admitted, state, queue } = admission(5)
    state.open = false
    queue.ask('a', '1')
    expect(admitted).toEqual([])
    state.open = true
    await eventually(() => admitted.length === 1)
    queue.stop()
  })
})

describe('what waits for one node', () => {
  const changes = (talk: string, to: number): DownFrame => ({
    ...{ is: 'changes', talk, epoch: 'e', from: to - 1, to, base: emptyDigest, digest: emptyDigest },
    ...{ put: [], drop: [], complete: true },
  })
  const answered: DownFrame = { is: 'answered', box: 'b', accepted: [[1, 1]], refused: [] }
  const taken = (queue: OutQueue) => {
    const frames: string[] = []
    for (let bytes = queue.shift(); bytes !== undefined; bytes = queue.shift()) {
      const decoded = decodeDown(bytes)
      if (decoded.ok)
        frames.push('to' in decoded.frame ? `${decoded.frame.talk} ${decoded.frame.to}` : decoded.frame.is)
    }
    return frames
  }

  test('goes in its order, a repeated change once', () => {
    const queue = new OutQueue(10_000)
    for (const frame of [changes('a.1', 1), changes('a.1', 2), answered, changes('a.1', 1), answered]) queue.push(frame)
    expect(taken(queue)).toEqual(['a.1 1', 'a.1 2', 'answered', 'answered'])
    expect(queue.bytes).toBe(0)
  })

  test('is bounded in bytes', () => {
    const size = encodeFrame(answered).length
    const queue = new OutQueue(3 * size)
    expect(Array.from({ length: 5 }, () => queue.push(answered))).toEqual([true, true, true, false, false])
    expect(queue.bytes).toBe(3 * size)
    queue.shift()
    expect(queue.push(answered)).toBe(true)
  })

  test('loses what belongs to a talk that is over', () => {
    const queue = new OutQueue(10_000)
    for (const frame of [changes('a.1', 1), answered, changes('a.2', 2)]) queue.push(frame)
    queue.begin('a.2')
    expect(taken(queue)).toEqual(['answered', 'a.2 2'])
    expect(queue.bytes).toBe(0)
  })
})

test('traffic is counted by name for a bounded number of nodes, and for all others together', () => {
  const traffic = new Traffic()
  for (let index = 0; index < 300; index++) traffic.count(`edge-${index}`, 'sent', 10)
  traffic.count('edge-7', 'received', 5)
  const nodes = [...traffic.nodes()]
  expect(nodes).toHaveLength(201)
  expect(nodes[7]).toEqual({ node: 'edge-7', sent: 10, received: 5 })
  expect(nodes.at(-1)).toEqual({ node: undefined, sent: 1000, received: 0 })
  expect([traffic.sent, traffic.received]).toEqual([3000, 5])
})
