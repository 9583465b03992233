/**
 * `value * scale + shift`, without the noise that binary arithmetic leaves behind the decimals: 404 * 0.1 - 50 is -9.6. A
 * sum is as exact as the larger of its parts: what is near 0 because they cancel out has no more decimals than they have.
 */
export function scaled(value: number, scale: number, shift: number): number {
  const product = tidy(value * scale)
  const size = Math.max(Math.abs(product), Math.abs(shift))
  if (shift === 0 || !Number.isFinite(size)) return product + shift
  const decimals = digits - 1 - Math.floor(Math.log10(size))
  if (decimals > 100) return product + shift
  return tidy(decimals < 0 ? product + shift : Number((product + shift).toFixed(decimals)))
}

/** The number in as many digits as every double holds. */
export function tidy(value: number): number {
  return Number(value.toPrecision(digits))
}

const digits = 15
