import { decodeDown, decodeUp, encodeFrame } from '@kedge/shared/frames'
import {
  enrolClientId,
  enrolTopic,
  isEnrolClientId,
  parseEnrolDown,
  parseEnrolTopic,
  parseEnrolUp,
} from '@kedge/shared/identity/enrol'
import { formatToken, parseToken, shownToken } from '@kedge/shared/identity/token'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'

const secret = 'S'.repeat(43)
const csr = '-----BEGIN CERTIFICATE REQUEST-----\nMIIB\n-----END CERTIFICATE REQUEST-----\n'
const pem = '-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----\n'
const token = { id: 'abcdefghi0', secret: 'x'.repeat(22), pin: 'p'.repeat(43) }
const bytes = (value: unknown) => Buffer.from(JSON.stringify(value))

describe('a join token', () => {
  test('is read as it is written, with what a terminal adds around it', () => {
    expect(parseToken(` ${formatToken(token)}\n`)).toEqual(token)
    expect(shownToken(token)).toBe(`abcdefghi0.${token.secret}`)
  })

  test('is not read of anything else', () => {
    const text = formatToken(token)
    for (const wrong of ['', text.slice(1), `${text}x`, text.replace('kedge1', 'kedge2'), text.replace('.', ' ')]) {
      expect(parseToken(wrong)).toBeUndefined()
    }
    fc.assert(fc.property(fc.string(), (any) => parseToken(any) === undefined))
  })
})

describe('the topics of an enrolling connection', () => {
  const id = enrolClientId('0123456789abcdef')

  test('are its own', () => {
    expect(isEnrolClientId(id)).toBe(true)
    expect(parseEnrolTopic(enrolTopic(id, 'up'))).toEqual({ clientId: id, channel: 'up' })
  })

  test.each([['enrol-1'], ['edge-1'], [`${id}0`], [`${id}/x`], ['enrol-+']])('are not those of %s', (other) => {
    expect(isEnrolClientId(other)).toBe(false)
    expect(parseEnrolTopic(enrolTopic(other, 'up'))).toBeUndefined()
  })
})

describe('what is said of an identity', () => {
  test('is read as it was said', () => {
    const up = [
      { is: 'enrol', token: shownToken(token), node: 'edge-1', csr },
      { is: 'renew', csr, secret },
    ]
    for (const message of up) expect(parseEnrolUp(bytes(message))).toEqual({ ok: true, message })
    const down = [
      { is: 'enrolled', node: 'edge-1', chain: pem, roots: pem, secret, broker: 'mqtts://broker.example:8883' },
      { is: 'refused', code: 'busy', reason: 'too many', retryAfter: 3000 },
      { is: 'refused', code: 'of-a-newer-cloud', reason: 'who knows' },
    ]
    for (const message of down) expect(parseEnrolDown(bytes(message))).toEqual({ ok: true, message })
  })

  test('is refused by the name of its field, and never with a secret in it', () => {
    const wrong = { is: 'renew', csr, secret: 'hunter2' }
    const parsed = parseEnrolUp(bytes(wrong))
    expect(parsed).toEqual({ ok: false, reason: 'secret: not 256 bits in base64url' })
    expect(parseEnrolUp(Buffer.from('{"secret":"hunter2",'))).toEqual({ ok: false, reason: 'not JSON' })
    expect(parseEnrolUp(bytes({ is: 'enrol', token: 'hunter2', csr }))).not.toMatchObject({
      reason: expect.stringContaining('hunter2'),
    })
    expect(parseEnrolUp(Buffer.alloc(16 * 1024 + 1))).toMatchObject({
      ok: false,
      reason: expect.stringContaining('16384'),
    })
    expect(parseEnrolUp(bytes({ is: 'enrol', token: shownToken(token), csr, node: 'Edge 1' }))).toMatchObject({
      ok: false,
      reason: 'node: not a DNS-1123 name',
    })
  })

  test('travels in frames, and a frame with half of it is malformed', () => {
    const renew = { is: 'renew', csr, secret } as const
    expect(decodeUp(encodeFrame(renew))).toEqual({ ok: true, frame: renew })
    const renewed = { is: 'renewed', chain: pem, roots: pem, secret } as const
    expect(decodeDown(encodeFrame(renewed))).toEqual({ ok: true, frame: renewed })
    const identity = { is: 'identity', roots: pem, renew: { from: 1, to: 2 } } as const
    expect(decodeDown(encodeFrame(identity))).toEqual({ ok: true, frame: identity })
    const half = { is: 'renew', csr } as unknown as typeof renew
    expect(decodeUp(encodeFrame(half))).toMatchObject({ ok: false, reason: expect.stringContaining('secret') })
    const long = { ...renew, csr: csr + 'x'.repeat(9000) }
    expect(decodeUp(encodeFrame(long))).toMatchObject({ ok: false, reason: expect.stringContaining('csr') })
  })
})
