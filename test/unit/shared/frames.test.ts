import { deflateRawSync } from 'node:zlib'
import { emptyDigest } from '@kedge/shared/changes'
import {
  decodeDown,
  decodeUp,
  encodeFrame,
  type Frame,
  isNewer,
  isOlderTalk,
  maxFrameBytes,
} from '@kedge/shared/frames'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const have: Frame<'have'> = {
  is: 'have',
  protocol: 1,
  talk: 'k3f9.1',
  epoch: 'e1',
  revision: 42,
  digest: emptyDigest,
  count: 1000,
  why: 'connect',
  edgecore: '0.1.0',
}

describe('a frame', () => {
  test('comes back as it was sent', () => {
    expect(decodeUp(encodeFrame(have))).toEqual({ ok: true, frame: have })
  })

  test('of a reconnect is short, whatever the number of objects', () => {
    expect(encodeFrame(have).length).toBeLessThan(80)
  })

  test('keeps the content of objects as it is', () => {
    const frame: Frame<'changes'> = {
      is: 'changes',
      talk: 'a.1',
      epoch: 'e',
      from: 0,
      to: 1,
      base: emptyDigest,
      digest: emptyDigest,
      put: [['configmaps/default/c', { metadata: { name: 'c' }, data: { ключ: '€\n"', other: '' } }]],
      drop: ['pods/default/p'],
      complete: true,
    }
    expect(decodeDown(encodeFrame(frame))).toEqual({ ok: true, frame })
  })

  test.each([
    ['nothing', Buffer.alloc(0), 'unknown encoding of an empty frame'],
    ['an unknown encoding', Buffer.from([9, 1, 2]), 'unknown encoding 9'],
    ['text that is not JSON', Buffer.from('\x01{"is":'), 'JSON'],
    ['a kind that goes the other way', encodeFrame({ is: 'compare', talk: 'a.1' }), 'is: '],
    ['a field of the wrong type', Buffer.from(`\x01${JSON.stringify({ ...have, revision: -1 })}`), 'revision: '],
    ['a bomb', Buffer.concat([Buffer.of(2), deflateRawSync(Buffer.alloc(maxFrameBytes + 1))]), ''],
  ])('that is %s is refused with the reason', (_what, bytes, reason) => {
    const decoded = decodeUp(bytes)
    expect(decoded.ok).toBe(false)
    expect(decoded.ok ? '' : decoded.reason).toContain(reason)
  })

  test('of a newer version is told apart from one that is broken', () => {
    const json = (frame: object) => Buffer.from(`\x01${JSON.stringify(frame)}`)
    const kind = decodeUp(json({ is: 'hum', talk: 'a.1' }))
    expect([kind.ok, isNewer(kind)]).toEqual([false, true])
    const field = decodeUp(json({ ...have, mood: 'good' }))
    expect(field).toEqual({ ok: true, frame: have, unknownFields: ['mood'] })
    expect(isNewer(field)).toBe(true)
    expect(isNewer(decodeUp(json(have)))).toBe(false)
    for (const broken of [{ ...have, talk: 7 }, { is: 'compare', talk: 'a.1' }, { is: 7 }, [], 'have', null]) {
      const decoded = decodeUp(json(broken as object))
      expect([decoded.ok, isNewer(decoded)]).toEqual([false, false])
    }
  })

  test('of any bytes at all never throws', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), fc.constantFrom(0, 1, 2), (bytes, encoding) => {
        expect(decodeUp(Buffer.concat([Buffer.of(encoding), bytes])).ok).toBe(false)
      }),
    )
  })
})

test.each([
  ['a.1', 'a.2', true],
  ['a.2', 'a.2', false],
  ['a.10', 'a.9', false],
  ['a.1', 'b.2', false],
  ['a.1', '', false],
])('talk %s is older than %s: %s', (talk, other, older) => {
  expect(isOlderTalk(talk, other)).toBe(older)
})
