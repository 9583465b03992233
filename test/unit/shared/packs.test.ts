import { deflateRawSync } from 'node:zlib'
import { maxObjectBytes } from '@kedge/shared/frames'
import { packText, unpackText } from '@kedge/shared/packs'
import { expect, test } from 'vitest'

test('a text comes back from its pack', () => {
  const { bytes, hash } = packText('{"text":"Grüße, 世界"}')
  expect(unpackText(bytes, hash)).toEqual({ ok: true, text: '{"text":"Grüße, 世界"}' })
})

test('bytes that are not the pack, or give no text, are refused with the reason', () => {
  const { bytes, hash } = packText('{}')
  expect(unpackText(Buffer.concat([bytes, Buffer.of(0)]), hash)).toMatchObject({
    ok: false,
    reason: expect.stringContaining(hash),
  })
  expect(unpackText(Buffer.alloc(0), hash)).toMatchObject({ ok: false })
  const bomb = packText('x'.repeat(maxObjectBytes + 1))
  expect(bomb.bytes.length).toBeLessThan(20_000)
  expect(unpackText(bomb.bytes, bomb.hash)).toMatchObject({ ok: false })
  expect(deflateRawSync('').length).toBeGreaterThan(0)
})
