/** Which values a property of a DeviceModel takes: type, limits, length. All values are text. */

/** What a DeviceModel says of one property, as far as values depend on it. */
export interface ModelProperty {
  /** INT, FLOAT, DOUBLE, BOOLEAN, STRING, BYTES or STREAM. */
  type?: string | undefined
  /** ReadWrite or ReadOnly. */
  accessMode?: string | undefined
  minimum?: string | undefined
  maximum?: string | undefined
}

/** A value holds no more than this, in bytes of UTF-8. */
export const maxValueBytes = 64 * 1024

/**
 * Why `value` does not fit the model, or undefined when it does. The texts for types are KubeEdge's. A property that the
 * model does not know takes any text. A minimum or maximum that is no number itself says nothing.
 */
export function validateValue(modelled: ModelProperty | undefined, value: string): string | undefined {
  const bytes = Buffer.byteLength(value)
  if (bytes > maxValueBytes) return `the value has ${bytes} bytes, at most ${maxValueBytes} are allowed`
  if (/\p{Surrogate}/u.test(value)) return 'the value is not valid UTF-8'
  switch (modelled?.type) {
    case 'INT':
      return isInteger(value)
        ? beyond(BigInt(value.replace('+', '')), modelled, integerOf)
        : 'the value is not int or integer'
    case 'FLOAT':
    case 'DOUBLE':
      return isFloat(value) ? beyond(floatOf(value), modelled, numberOf) : 'the value is not float'
    case 'BOOLEAN':
      return value === 'true' || value === 'false' ? undefined : 'the bool value must be true or false'
    default:
      return undefined
  }
}

/** `limitOf` reads a limit in the value's own number type, so that large integers are compared exactly. */
function beyond<N extends number | bigint>(
  value: N,
  { minimum, maximum }: ModelProperty,
  limitOf: (text: string) => N | number | undefined,
): string | undefined {
  const least = minimum === undefined ? undefined : limitOf(minimum)
  const most = maximum === undefined ? undefined : limitOf(maximum)
  // Written so that NaN, which is neither above nor below, is not within limits.
  if (least !== undefined && !(value >= least)) return `the value ${value} is below the minimum ${minimum}`
  if (most !== undefined && !(value <= most)) return `the value ${value} is above the maximum ${maximum}`
  return undefined
}

const largest = 2n ** 63n - 1n

/** A signed 64-bit integer in decimal. */
function isInteger(text: string): boolean {
  if (!/^[+-]?\d{1,40}$/.test(text)) return false
  const value = BigInt(text.replace('+', ''))
  return value <= largest && value >= -largest - 1n
}

/** A decimal 64-bit float, also `NaN` and `Inf`, which sensors do send. */
function isFloat(text: string): boolean {
  if (/^[+-]?(nan|inf|infinity)$/i.test(text)) return true
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text))
}

function floatOf(text: string): number {
  const named = /^([+-]?)(inf|infinity)$/i.exec(text)
  return named ? (named[1] === '-' ? -Infinity : Infinity) : Number(text)
}

function integerOf(text: string): bigint | number | undefined {
  return isInteger(text) ? BigInt(text.replace('+', '')) : numberOf(text)
}

function numberOf(text: string): number | undefined {
  const value = text.trim() === '' ? Number.NaN : Number(text)
  return Number.isNaN(value) ? undefined : value
}
