import { identityText, readIdentity } from '@kedge/edgecore/identity/identity'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { secretOf, testAuthority, testIdentity } from '../../../support/identities.ts'

const ca = testAuthority()
const identity = testIdentity(ca, { renew: { from: 1, to: 2 }, broker: 'mqtts://broker.example:8883' })
const text = identityText(identity)

describe('the file of an identity', () => {
  test('holds what was put into it', () => {
    expect(readIdentity(text)).toEqual(identity)
  })

  test('that is cut off anywhere, or changed in its body, is none; and the fault does not tell the secret', () => {
    fc.assert(
      fc.property(fc.nat({ max: text.length - 1 }), (length) => {
        expect(faultOf(text.slice(0, length))).not.toContain(identity.secret)
      }),
      { numRuns: 100 },
    )
    const bent = text.replace(/(.)(\n-----END CERTIFICATE)/, (_all, char, rest) => (char === 'A' ? 'B' : 'A') + rest)
    expect(faultOf(bent)).toBe('it is cut off or was changed')
    expect(faultOf('')).toBe('its first line is not that of an identity')
  })

  test('with a key that is not that of its certificate, or of another node, is none', () => {
    const other = testIdentity(ca, { node: 'edge-2' })
    expect(faultOf(identityText({ ...identity, key: other.key }))).toBe('its certificate is not for its key')
    expect(faultOf(identityText({ ...other, node: 'edge-1' }))).toBe('its certificate is not for the node edge-1')
    expect(readIdentity(identityText({ ...identity, secret: secretOf('another') }))).toBeDefined()
  })
})

function faultOf(broken: string): string {
  try {
    readIdentity(broken)
  } catch (error) {
    return (error as Error).message
  }
  throw new Error('it should not be read')
}
