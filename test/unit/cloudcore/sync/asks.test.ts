import { Asks } from '@kedge/cloudcore/sync/asks'
import type { Frame } from '@kedge/shared/frames'
import { silentLog } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import { afterEach, beforeEach, expect, test, vi } from 'vitest'
import { HandClock } from '../../../support/hand-clock.ts'

let clock: HandClock
let asks: Asks
let told: { node: string; keys: Key[] | undefined }[]

beforeEach(() => {
  vi.useFakeTimers()
  clock = new HandClock()
  told = []
  asks = new Asks({ send: (node, frame) => void told.push({ node, keys: keysOf(frame) }), clock, log: silentLog })
})

afterEach(async () => {
  await asks.stop()
  vi.useRealTimers()
})

const device = (number: number): Key => `devices/default/lamp-${number}`
const keysOf = (frame: Frame<'tell'>) => {
  expect(frame.what).toBe('state')
  return frame.keys as Key[] | undefined
}

function pass(seconds: number): void {
  for (let second = 0; second < seconds; second++) {
    clock.tick(1000)
    vi.advanceTimersByTime(1000)
  }
}

function have(speaks: number): Frame<'have'> {
  const held = { epoch: '', revision: 0, digest: 'AAAAAAAAAAAAAAAAAAAAAA', count: 0 }
  return { is: 'have', protocol: 1, speaks, talk: 'run.1', ...held, why: 'connect', edgecore: 'test' }
}

test('a node is asked once it can be, for all that came together, and not again within ten minutes', () => {
  asks.ask('edge-1', device(1))
  asks.ask('edge-1', device(2))
  asks.ask('edge-2', device(3))
  pass(5)
  expect(told).toEqual([])
  asks.heard('edge-1', have(2))
  pass(1)
  expect(told).toEqual([{ node: 'edge-1', keys: [device(1), device(2)] }])
  asks.ask('edge-1', device(1))
  pass(590)
  expect(told).toHaveLength(1)
  pass(10)
  asks.ask('edge-1', device(1))
  pass(1)
  expect(told.slice(1)).toEqual([{ node: 'edge-1', keys: [device(1)] }])
})

test('many objects are asked for at a bounded rate', () => {
  asks.heard('edge-1', have(2))
  for (let number = 0; number < 450; number++) asks.ask('edge-1', device(number))
  pass(2)
  expect(told.map(({ keys }) => keys?.length)).toEqual([200, 200])
  pass(60)
  expect(told.map(({ keys }) => keys?.length)).toEqual([200, 200, 50])
  expect(new Set(told.flatMap(({ keys = [] }) => keys)).size).toBe(450)
})

test('when all is missing one question asks for all, whatever was to be asked besides', () => {
  asks.heard('edge-1', have(2))
  asks.ask('edge-1', device(1))
  asks.askAll('edge-1')
  asks.ask('edge-1', device(2))
  pass(60)
  expect(told).toEqual([{ node: 'edge-1', keys: undefined }])
})

test('an edge of protocol 1 is asked nothing, nor one that has gone until it is back', () => {
  asks.heard('edge-1', have(1))
  asks.ask('edge-1', device(1))
  asks.heard('edge-2', have(2))
  asks.down('edge-2')
  asks.ask('edge-2', device(2))
  pass(60)
  expect(told).toEqual([])
  asks.heard('edge-2', have(2))
  pass(1)
  expect(told).toEqual([{ node: 'edge-2', keys: [device(2)] }])
})
