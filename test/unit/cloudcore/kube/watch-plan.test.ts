import { KubeError } from '@kedge/cloudcore/kube/errors'
import {
  afterEnd,
  afterFailure,
  afterOpen,
  afterProgress,
  firstState,
  type LoopState,
} from '@kedge/cloudcore/kube/watch-plan'
import { expect, test } from 'vitest'

const watching: LoopState = { version: '7', doubted: false, attempt: 0, told: 'well' }
const answer = (code: number, retryAfter?: number) => new KubeError('no', { code, retryAfter })
const reset = new Error('read ECONNRESET')

test.each([
  ['a broken connection resumes where it was', watching, reset, { version: '7', doubted: true, told: 'outage' }],
  ['a busy server too', watching, answer(429), { version: '7', told: 'outage' }],
  ['a server that does not know us too', watching, answer(403), { version: '7', told: 'outage' }],
  ['a version that is forgotten means a new list', watching, answer(410), { version: undefined, told: 'well' }],
  ['so does a version from the future', watching, answer(504), { version: undefined, told: 'outage' }],
  ['so does a kind that has gone', watching, answer(404), { version: undefined, told: 'missing' }],
])('%s', (_, state, error, expected) => {
  expect(afterFailure(state, error, 0.5).state).toMatchObject(expected)
})

test('the first expiry lists at once, the next ones wait', () => {
  const first = afterFailure(watching, answer(410), 0.5)
  expect(first.wait).toBe(0)
  expect(afterFailure(first.state, answer(410), 0.5).wait).toBeGreaterThan(0)
})

test('waits grow to a bound, and never less than the server asks', () => {
  let state = watching
  const waits: number[] = []
  for (let i = 0; i < 20; i++) {
    const next = afterFailure(state, reset, 1)
    waits.push(next.wait)
    state = next.state
  }
  expect(waits.slice(0, 3)).toEqual([500, 1000, 2000])
  expect(waits.at(-1)).toBe(10_000)
  expect(afterFailure(watching, answer(429, 9000), 0).wait).toBe(9000)
})

test('an outage is told once, and once when it is over', () => {
  const first = afterFailure(firstState, reset, 0)
  const second = afterFailure(first.state, answer(503), 0)
  const back = afterProgress(second.state, '8')
  const more = afterProgress(back.state, '9')
  expect([first.tell, second.tell, back.tell, more.tell]).toEqual(['outage', undefined, 'back', undefined])
  expect(back.state).toEqual({ version: '8', doubted: false, attempt: 0, told: 'well' })
})

test('an outage is over when a watch is taken up, before it has told anything', () => {
  const out = afterFailure(afterFailure(watching, reset, 0).state, reset, 0)
  const open = afterOpen(out.state)
  expect([open.tell, afterOpen(open.state).tell, afterProgress(open.state, '8').tell]).toEqual([
    'back',
    undefined,
    undefined,
  ])
  // A server that takes up every watch and drops it is asked less and less all the same.
  expect(open.state).toEqual({ ...out.state, told: 'well' })
})

test('a kind that is not served yet is told as that', () => {
  const first = afterFailure(firstState, answer(404), 1)
  expect(first.tell).toBe('missing')
  expect(afterFailure(first.state, answer(404), 1).tell).toBeUndefined()
  expect(afterFailure({ ...first.state, attempt: 30 }, answer(404), 1).wait).toBeLessThanOrEqual(5000)
})

test.each([
  ['brought something', { progressed: true, lasted: 1 }, true],
  ['lasted', { progressed: false, lasted: 290_000 }, true],
  ['ended at once with nothing', { progressed: false, lasted: 3 }, false],
])('after a watch that %s, the next begins', (_, watch, atOnce) => {
  const { wait, state } = afterEnd(watching, watch, 0.5)
  expect(wait === 0).toBe(atOnce)
  expect(state.version).toBe('7')
  expect(state.doubted).toBe(!watch.progressed)
})
