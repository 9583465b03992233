import { scaled, tidy } from '../scaling.ts'

/** What registers mean: bytes as they came in, text as twins have it, and the other way. Pure. */

export const registerTypes = [
  'int16',
  'uint16',
  'int32',
  'uint32',
  'int64',
  'uint64',
  'float32',
  'float64',
  'string',
  'bytes',
  'bit',
] as const
export type RegisterType = (typeof registerTypes)[number]

/** Registers of 16 bits that a type takes; undefined where the length says it. */
export const widths: Readonly<Record<RegisterType, number | undefined>> = {
  int16: 1,
  uint16: 1,
  bit: 1,
  int32: 2,
  uint32: 2,
  float32: 2,
  int64: 4,
  uint64: 4,
  float64: 4,
  string: undefined,
  bytes: undefined,
}

export interface Layout {
  type: RegisterType
  /** Registers of 16 bits. */
  length: number
  /** High and low byte of each register change places: KubeEdge's `isSwap`. */
  swapBytes: boolean
  /** The registers come in the opposite order: KubeEdge's `isRegisterSwap`. */
  swapWords: boolean
  /** The number is multiplied by this, … */
  scale: number
  /** … and this is added. */
  shift: number
  /** Of `bit`: 0 is the lowest one. */
  bit: number
  /** The type in the model: INT cuts what lies behind the point off, as KubeEdge does; BOOLEAN is whether it is not 0. */
  model: string | undefined
}

/** The value in these bytes, two per register in the order of the wire. */
export function decode(bytes: Buffer, layout: Layout): string {
  const { type, model, scale, shift, bit } = layout
  const ordered = arranged(bytes, layout)
  if (type === 'string') return textIn(ordered)
  if (type === 'bytes') return ordered.toString('hex')
  if (type === 'bit') return truth(((ordered.readUInt16BE(0) >> bit) & 1) === 1, model)
  const raw = numberIn(ordered, type)
  if (model === 'BOOLEAN') return String(Number(raw) !== 0)
  if (typeof raw === 'bigint' && scale === 1 && shift === 0) return raw.toString()
  const number = scale === 1 && shift === 0 ? Number(raw) : scaled(Number(raw), scale, shift)
  if (model === 'INT') return Number.isFinite(number) ? BigInt(Math.trunc(tidy(number))).toString() : String(number)
  return text(type === 'float32' && scale === 1 && shift === 0 ? shortest(number) : tidy(number))
}

/** The bytes that say this value. Throws when it does not fit, with what would. */
export function encode(value: string, layout: Layout): Buffer {
  const { type, length, model, scale, shift } = layout
  if (type === 'string') return arranged(textOf(value, length), layout)
  if (type === 'bytes') return arranged(hexOf(value, length), layout)
  if (type === 'bit') throw new Error('a bit has no bytes of its own')
  const bytes = Buffer.alloc(length * 2)
  put(bytes, type, model === 'BOOLEAN' ? BigInt(truthOf(value)) : rawOf(value, type, { scale, shift }))
  return arranged(bytes, layout)
}

/** Both swaps undo themselves, so that reading and writing do the same. */
function arranged(bytes: Buffer, { swapBytes, swapWords }: Pick<Layout, 'swapBytes' | 'swapWords'>): Buffer {
  const words: Buffer[] = []
  for (let at = 0; at + 1 < bytes.length; at += 2) words.push(bytes.subarray(at, at + 2))
  if (swapWords) words.reverse()
  const ordered = Buffer.concat(words)
  return swapBytes ? ordered.swap16() : ordered
}

type NumberType = Exclude<RegisterType, 'string' | 'bytes' | 'bit'>

function numberIn(bytes: Buffer, type: NumberType): number | bigint {
  switch (type) {
    case 'int16':
      return bytes.readInt16BE(0)
    case 'uint16':
      return bytes.readUInt16BE(0)
    case 'int32':
      return bytes.readInt32BE(0)
    case 'uint32':
      return bytes.readUInt32BE(0)
    case 'int64':
      return bytes.readBigInt64BE(0)
    case 'uint64':
      return bytes.readBigUInt64BE(0)
    case 'float32':
      return bytes.readFloatBE(0)
    case 'float64':
      return bytes.readDoubleBE(0)
  }
}

function put(bytes: Buffer, type: NumberType, value: number | bigint): void {
  if (type === 'float32') return void bytes.writeFloatBE(Number(value))
  if (type === 'float64') return void bytes.writeDoubleBE(Number(value))
  const bits = 8 * bytes.length
  const whole = BigInt(value)
  const [least, most] = type.startsWith('u')
    ? [0n, 2n ** BigInt(bits) - 1n]
    : [-(2n ** BigInt(bits - 1)), 2n ** BigInt(bits - 1) - 1n]
  if (whole < least || whole > most) throw new Error(`${whole} does not fit into ${type}: ${least} to ${most} does`)
  const unsigned = BigInt.asUintN(bits, whole)
  for (let at = 0; at < bytes.length; at++) bytes[at] = Number((unsigned >> BigInt(bits - 8 * (at + 1))) & 255n)
}

/** The number to write for a value: for whole types the nearest one. */
function rawOf(value: string, type: NumberType, { scale, shift }: { scale: number; shift: number }): number | bigint {
  const plain = scale === 1 && shift === 0
  if (plain && /^[+-]?\d{1,30}$/.test(value) && !type.startsWith('float')) return BigInt(value.replace('+', ''))
  const number = value.trim() === '' ? Number.NaN : Number(value)
  if (Number.isNaN(number) && !/^nan$/i.test(value)) throw new Error(`${JSON.stringify(value)} is no number`)
  const raw = plain ? number : (number - shift) / scale
  if (type === 'float64') return raw
  if (type === 'float32') {
    if (Number.isFinite(raw) && !Number.isFinite(Math.fround(raw))) throw new Error(`${raw} does not fit into float32`)
    return raw
  }
  if (!Number.isFinite(raw)) throw new Error(`${value} does not fit into ${type}`)
  return BigInt(Math.round(tidy(raw)))
}

/** The shortest number that is the same float32: 0.1 and not 0.10000000149011612. */
function shortest(value: number): number {
  for (let digits = 6; digits <= 9; digits++) {
    const candidate = Number(value.toPrecision(digits))
    if (Math.fround(candidate) === value) return candidate
  }
  return value
}

function text(value: number): string {
  return Object.is(value, -0) ? '0' : String(value)
}

/** Text up to the first NUL; devices fill up with NULs or blanks. */
function textIn(bytes: Buffer): string {
  const end = bytes.indexOf(0)
  return (end < 0 ? bytes : bytes.subarray(0, end)).toString('utf8').trimEnd()
}

function textOf(value: string, length: number): Buffer {
  const bytes = Buffer.from(value, 'utf8')
  if (bytes.length > length * 2) throw new Error(`the text has ${bytes.length} bytes, ${length * 2} fit`)
  return Buffer.concat([bytes, Buffer.alloc(length * 2 - bytes.length)])
}

function hexOf(value: string, length: number): Buffer {
  const right = new RegExp(`^[0-9a-f]{${length * 4}}$`, 'i').test(value)
  if (!right)
    throw new Error(`${JSON.stringify(value.slice(0, 40))} is not what fits: ${length * 4} hexadecimal digits`)
  return Buffer.from(value, 'hex')
}

/** Coils and bits: `true` and `false`, or 1 and 0 where the model has a number. */
export function truth(value: boolean, model: string | undefined): string {
  return model === 'BOOLEAN' || model === 'STRING' ? String(value) : value ? '1' : '0'
}

/** Whether a value means "on"; throws when it means neither. */
export function truthOf(value: string): boolean {
  if (value === 'true' || (value.trim() !== '' && Number(value) === 1)) return true
  if (value === 'false' || (value.trim() !== '' && Number(value) === 0)) return false
  throw new Error(`${JSON.stringify(value)} is neither true nor false, neither 1 nor 0`)
}

/** Several coils as one number, the first coil being the lowest bit, as it is on the wire. */
export function numberOfBits(bits: readonly boolean[]): string {
  return bits.reduce((sum, bit, at) => (bit ? sum + 2n ** BigInt(at) : sum), 0n).toString()
}

/** The other way. Throws when the number needs more bits than there are. */
export function bitsOf(value: string, length: number): boolean[] {
  const most = 2n ** BigInt(length) - 1n
  if (!/^\d+$/.test(value) || BigInt(value) > most)
    throw new Error(`${value} does not fit into ${length} coils: 0 to ${most} does`)
  return Array.from({ length }, (_, at) => ((BigInt(value) >> BigInt(at)) & 1n) === 1n)
}
