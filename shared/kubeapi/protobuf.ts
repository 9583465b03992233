import type { Json } from './schema.ts'

/**
 * Reads Kubernetes' protobuf bodies (`application/vnd.kubernetes.protobuf`): some Go clients, kubectl among them, write
 * built-in kinds in no other form.
 */
export type FieldType =
  | 'string'
  /** Base64 in JSON. */
  | 'bytes'
  | 'bool'
  /** A number that counts when it is zero, too. */
  | 'int'
  /** A number whose zero means that it is not there. */
  | 'count'
  /** `meta/v1 Time` and `MicroTime`: seconds and nanoseconds, RFC 3339 in JSON. */
  | 'time'
  | 'microtime'
  | { message: Message }
  | { list: FieldType }
  | { map: FieldType }

/** The fields of a message by their numbers. */
export type Message = Readonly<Record<number, readonly [name: string, type: FieldType]>>

/** What is not the protobuf that it should be. */
export class ProtobufError extends Error {
  override name = 'ProtobufError'
}

interface RawField {
  number: number
  /** Of wire types 0, 1 and 5. */
  value: bigint
  /** Of wire type 2. */
  bytes: Buffer
}

const nothing = Buffer.alloc(0)

function* fields(buffer: Buffer): Generator<RawField> {
  let at = 0
  const varint = (): bigint => {
    let value = 0n
    for (let shift = 0n; shift < 70n; shift += 7n) {
      const byte = buffer[at++]
      if (byte === undefined) throw new ProtobufError('it ends early')
      value |= BigInt(byte & 0x7f) << shift
      if (byte < 0x80) return BigInt.asUintN(64, value)
    }
    throw new ProtobufError('a number is too long')
  }
  const take = (length: number): Buffer => {
    if (at + length > buffer.length) throw new ProtobufError('it ends early')
    at += length
    return buffer.subarray(at - length, at)
  }
  while (at < buffer.length) {
    const tag = varint()
    const number = Number(tag >> 3n)
    switch (Number(tag & 7n)) {
      case 0:
        yield { number, value: varint(), bytes: nothing }
        break
      case 1:
        yield { number, value: take(8).readBigUInt64LE(), bytes: nothing }
        break
      case 2:
        yield { number, value: 0n, bytes: take(Number(varint())) }
        break
      case 5:
        yield { number, value: BigInt(take(4).readUInt32LE()), bytes: nothing }
        break
      default:
        throw new ProtobufError(`a field has the unknown wire type ${tag & 7n}`)
    }
  }
}

/** The JSON form of a message. Fields of other numbers are left out. */
export function decodeMessage(buffer: Buffer, message: Message): Json {
  const out: Json = {}
  for (const field of fields(buffer)) {
    const known = message[field.number]
    if (known !== undefined) add(out, known, field)
  }
  return out
}

function add(out: Json, [name, type]: readonly [string, FieldType], field: RawField): void {
  if (typeof type === 'object' && 'list' in type) {
    out[name] = [...((out[name] as unknown[] | undefined) ?? []), one(type.list, field)]
  } else if (typeof type === 'object' && 'map' in type) {
    const entry = decodeMessage(field.bytes, { 1: ['key', 'string'] })
    const value = [...fields(field.bytes)].find(({ number }) => number === 2)
    out[name] = {
      ...(out[name] as Json | undefined),
      [String(entry.key ?? '')]: value === undefined ? '' : one(type.map, value),
    }
  } else {
    const value = one(type, field)
    if (value !== '' && value !== undefined) out[name] = value
  }
}

function one(type: FieldType, { value, bytes }: RawField): unknown {
  switch (type) {
    case 'string':
      return bytes.toString('utf8')
    case 'bytes':
      return bytes.toString('base64')
    case 'bool':
      return value !== 0n
    case 'int':
      return Number(BigInt.asIntN(64, value))
    case 'count':
      return value === 0n ? undefined : Number(BigInt.asIntN(64, value))
    case 'time':
    case 'microtime':
      return time(bytes, type)
    default:
      if ('message' in type) return decodeMessage(bytes, type.message)
      throw new ProtobufError('a list holds lists')
  }
}

const timestamp: Message = { 1: ['seconds', 'int'], 2: ['nanos', 'int'] }

/** An empty timestamp is none. */
function time(bytes: Buffer, type: 'time' | 'microtime'): string | undefined {
  if (bytes.length === 0) return undefined
  const { seconds = 0, nanos = 0 } = decodeMessage(bytes, timestamp) as { seconds?: number; nanos?: number }
  const date = new Date(seconds * 1000)
  if (Number.isNaN(date.getTime())) throw new ProtobufError('a time is out of range')
  const whole = date.toISOString().slice(0, 19)
  return type === 'time' ? `${whole}Z` : `${whole}.${String(Math.floor(nanos / 1000)).padStart(6, '0')}Z`
}

const magic = Buffer.from('k8s\0')

const envelope: Message = {
  1: ['typeMeta', { message: { 1: ['apiVersion', 'string'], 2: ['kind', 'string'] } }],
  2: ['raw', 'bytes'],
}

/**
 * The object in a body: what its kind is, and its content in JSON's form; undefined when `messages` does not know the
 * kind. Throws a ProtobufError.
 */
export function decodeProtobuf(body: Buffer, messages: Readonly<Record<string, Message>>): Json | undefined {
  if (!body.subarray(0, magic.length).equals(magic)) throw new ProtobufError('it does not begin with "k8s\\0"')
  const { typeMeta, raw } = decodeMessage(body.subarray(magic.length), envelope)
  const { apiVersion = '', kind = '' } = (typeMeta ?? {}) as { apiVersion?: string; kind?: string }
  const message = messages[`${apiVersion}/${kind}`]
  if (message === undefined) return undefined
  return { apiVersion, kind, ...decodeMessage(Buffer.from(String(raw ?? ''), 'base64'), message) }
}
