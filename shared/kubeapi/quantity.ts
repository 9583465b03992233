/**
 * Amounts of resources as Kubernetes writes them: `500m`, `64Mi`, `1e3`, `2`. An amount is kept as a whole number of
 * nano-units, so that nothing is rounded that Kubernetes does not round.
 */

const form = /^([+-]?)(\d+(?:\.\d*)?|\.\d+)([numkMGTPE]|[KMGTPE]i|[eE][+-]?\d{1,3})?$/

const decimal = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E']
const binary = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei']

const nano = 10n ** 9n

/** No amount that anybody means is longer, and arithmetic on endless digits takes its time. */
const maxLength = 64

interface Quantity {
  nanos: bigint
  style: 'decimal' | 'exponent' | 'binary'
}

/** Reads a quantity, or returns undefined for other text. Below a nano-unit it rounds away from zero. */
function parse(value: unknown): Quantity | undefined {
  const text = String(value)
  const [, sign = '', digits = '', suffix = ''] = text.length > maxLength ? [] : (form.exec(text) ?? [])
  if (digits === '') return undefined
  const [whole = '', fraction = ''] = digits.split('.')
  const mantissa = BigInt(whole + fraction)
  const power = binary.indexOf(suffix)
  const exponent = 9 - fraction.length + (power > 0 ? 0 : tens(suffix))
  const scaled = mantissa * (power > 0 ? 1024n ** BigInt(power) : 1n)
  const nanos = exponent >= 0 ? scaled * 10n ** BigInt(exponent) : up(scaled, 10n ** BigInt(-exponent))
  const style = power > 0 ? 'binary' : /^[eE]/.test(suffix) && suffix !== 'E' ? 'exponent' : 'decimal'
  return { nanos: sign === '-' ? -nanos : nanos, style }
}

/** The power of ten that a decimal suffix stands for. */
function tens(suffix: string): number {
  const at = decimal.indexOf(suffix)
  return at === -1 ? Number(suffix.slice(1)) : (at - 3) * 3
}

/** Division, rounded up. */
function up(value: bigint, by: bigint): bigint {
  return (value + by - 1n) / by
}

export function isQuantity(value: unknown): boolean {
  return parse(value) !== undefined
}

/** The amount as a number (`500m` is 0.5, `1Ki` is 1024), or undefined for what is none. */
export function amountOf(quantity: unknown): number | undefined {
  const parsed = parse(quantity)
  return parsed === undefined ? undefined : Number(parsed.nanos) / 1e9
}

/** The one form in which API servers keep a quantity: `0.5` becomes `500m`, `1024Mi` becomes `1Gi`, `1000` becomes `1k`. */
export function canonicalQuantity(value: unknown): string {
  const parsed = parse(value)
  if (parsed === undefined) return String(value)
  const size = parsed.nanos < 0n ? -parsed.nanos : parsed.nanos
  const sign = parsed.nanos < 0n ? '-' : ''
  if (size === 0n) return '0'
  // As in Kubernetes, small amounts have no binary form.
  if (parsed.style === 'binary' && size >= 1024n * nano) return sign + inBinary(up(size, nano))
  return sign + inTens(size, parsed.style === 'exponent')
}

function inBinary(size: bigint): string {
  let [left, power] = [size, 0]
  while (left % 1024n === 0n && power < binary.length - 1) [left, power] = [left / 1024n, power + 1]
  return `${left}${binary[power]}`
}

function inTens(size: bigint, exponent: boolean): string {
  let [left, power] = [size, 0]
  while (left % 1000n === 0n && power < decimal.length - 1) [left, power] = [left / 1000n, power + 1]
  const power10 = (power - 3) * 3
  if (exponent) return power10 === 0 ? `${left}` : `${left}e${power10}`
  return `${left}${decimal[power]}`
}
