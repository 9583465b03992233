import { explain } from '@kedge/shared/errors'
import { expect, test } from 'vitest'

const chain = (...messages: string[]) =>
  messages.reduceRight<unknown>((cause, said) => new Error(said, { cause }), undefined)

test.each([
  ['each cause adds what it says', ['apply revision 42', 'disk full'], 'apply revision 42: disk full'],
  [
    'what was said is not said again',
    ['list: connect ECONNREFUSED /x', 'connect ECONNREFUSED /x'],
    'list: connect ECONNREFUSED /x',
  ],
  ['who says nothing is passed over', ['a', '', 'b'], 'a: b'],
  ['one that says nothing at all', [''], ''],
])('%s', (_what, messages, said) => expect(explain(chain(...messages))).toBe(said))

test('a chain without end has one, and what is no error is told as it is', () => {
  const ring = new Error('round')
  ring.cause = ring
  expect(explain(ring)).toBe('round')
  expect([explain('text'), explain(undefined)]).toEqual(['text', ''])
})

test('a host with several addresses is told with what each of them says', () => {
  const none = new AggregateError([new Error('connect ECONNREFUSED ::1:1'), new Error('connect ETIMEDOUT 127.0.0.1:1')])
  expect(explain(new Error('open', { cause: none }))).toBe(
    'open: connect ECONNREFUSED ::1:1, connect ETIMEDOUT 127.0.0.1:1',
  )
  expect(explain(new AggregateError([new Error('a')], 'all failed'))).toBe('all failed')
})
