import { amountOf, canonicalQuantity, isQuantity } from '@kedge/shared/kubeapi/quantity'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'

describe('quantities', () => {
  it.each([
    ['0', '0', 0],
    [1, '1', 1],
    [0.5, '500m', 0.5],
    ['1000m', '1', 1],
    ['2500m', '2500m', 2.5],
    ['1000', '1k', 1000],
    ['1000000', '1M', 1e6],
    ['1500000', '1500k', 1.5e6],
    ['1024Mi', '1Gi', 2 ** 30],
    ['1.5Gi', '1536Mi', 1.5 * 2 ** 30],
    ['0.5Ki', '512', 512],
    ['1Ki', '1Ki', 1024],
    ['1023', '1023', 1023],
    ['2Ki', '2Ki', 2048],
    ['100e3', '100e3', 1e5],
    ['1E', '1E', 1e18],
    ['1E2', '100', 100],
    ['12E6', '12e6', 12e6],
    ['-5', '-5', -5],
    ['+5', '5', 5],
    ['.5', '500m', 0.5],
    ['5.', '5', 5],
    ['1u', '1u', 1e-6],
    ['0.1n', '1n', 1e-9],
    ['64Mi', '64Mi', 2 ** 26],
  ])('%s is kept as %s', (given, kept, amount) => {
    expect(canonicalQuantity(given)).toBe(kept)
    expect(amountOf(given)).toBeCloseTo(amount, 9)
  })

  it.each(['', 'x', '1x', '1 ', 'Mi', '1.2.3', '1mi', '--1', '1e', 'Infinity', '9'.repeat(65)])(
    '%j is none',
    (text) => {
      expect(isQuantity(text)).toBe(false)
      expect(amountOf(text)).toBeUndefined()
    },
  )

  it('have one form, which stands for the same amount', () => {
    const suffix = fc.constantFrom('', 'n', 'u', 'm', 'k', 'M', 'G', 'Ki', 'Mi', 'Gi', 'e3', 'e-3', 'E6')
    fc.assert(
      fc.property(fc.nat(1e6), fc.constantFrom('', '.5', '.25'), suffix, (whole, fraction, end) => {
        const given = `${whole}${fraction}${end}`
        const kept = canonicalQuantity(given)
        // As in Kubernetes, a binary amount that no suffix fits is read as a decimal one the next time.
        if (!end.endsWith('i')) expect(canonicalQuantity(kept)).toBe(kept)
        fc.pre(end !== 'n')
        expect(amountOf(kept)).toBeCloseTo(amountOf(given) ?? Number.NaN, 6)
      }),
    )
  })
})
