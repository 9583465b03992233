import { Reader, type WireType, Writer } from './wire.ts'

/**
 * Messages as tables of their fields, which say their TypeScript types as well. As in proto3, a field that is not there
 * reads as its zero (a message: undefined), and a zero is not written.
 */

interface Scalar<T> {
  wire: WireType
  zero: T
  read(reader: Reader): T
  write(value: T, writer: Writer): void
}

/** One field of a message: `Out` is what is read, `In` what may be written. */
export interface Field<Out, In> {
  number: number
  initial(): Out
  /** Whether its value can lie in a message that way. */
  fits(wire: number): boolean
  read(before: Out, reader: Reader, wire: number): Out
  write(value: In, writer: Writer): void
}

const text: Scalar<string> = {
  wire: 2,
  zero: '',
  read: (reader) => reader.bytes().toString('utf8'),
  write: (value, writer) => writer.bytes(Buffer.from(value)),
}
const octets: Scalar<Buffer> = {
  wire: 2,
  zero: Buffer.alloc(0),
  // Copied: a piece would keep the whole answer in memory.
  read: (reader) => Buffer.from(reader.bytes()),
  write: (value, writer) => writer.bytes(value),
}
const integer: Scalar<number> = {
  wire: 0,
  zero: 0,
  read: (reader) => reader.signed(),
  write: (value, writer) => writer.varint(value),
}
const truth: Scalar<boolean> = {
  wire: 0,
  zero: false,
  read: (reader) => reader.varint() !== 0,
  write: (value, writer) => writer.varint(value ? 1 : 0),
}

function single<T>(number: number, kind: Scalar<T>): Field<T, T> {
  return {
    number,
    fits: (wire) => wire === kind.wire,
    initial: () => kind.zero,
    read: (_, reader) => kind.read(reader),
    write(value, writer) {
      if (value === kind.zero) return
      writer.tag(number, kind.wire)
      kind.write(value, writer)
    },
  }
}

export const string = (number: number) => single(number, text)
export const bytes = (number: number) => single(number, octets)
/** int32, int64, uint32, uint64, and enums by their numbers. */
export const int = (number: number) => single(number, integer)
export const bool = (number: number) => single(number, truth)

export function strings(number: number): Field<string[], readonly string[]> {
  return list(number, text)
}

export function ints(number: number): Field<number[], readonly number[]> {
  return {
    number,
    fits: (wire) => wire === 0 || wire === 2,
    initial: () => [],
    // Packed, as proto3 does unless told otherwise, or one by one.
    read(before, reader, wire) {
      if (wire === 0) return [...before, reader.signed()]
      const packed = new Reader(reader.bytes())
      while (!packed.done) before.push(packed.signed())
      return before
    },
    write(value, writer) {
      if (value.length === 0) return
      const packed = new Writer()
      for (const one of value) packed.varint(one)
      writer.tag(number, 2)
      writer.bytes(packed.finish())
    },
  }
}

function isBlock(wire: number): boolean {
  return wire === 2
}

function list<T>(number: number, kind: Pick<Scalar<T>, 'read' | 'write'>): Field<T[], readonly T[]> {
  return {
    number,
    fits: isBlock,
    initial: () => [],
    read(before, reader) {
      before.push(kind.read(reader))
      return before
    },
    write(value, writer) {
      for (const one of value) {
        writer.tag(number, 2)
        kind.write(one, writer)
      }
    },
  }
}

type Fields = Record<string, Field<unknown, never>>
type Read<F> = F extends Field<infer Out, never> ? Out : never
type Written<F> = F extends { write(value: infer In, writer: Writer): void } ? In : never

export interface Message<Out, In> {
  encode(value: In): Buffer
  /** Throws an error when the bytes are not such a message. */
  decode(buffer: Buffer): Out
}

export type MessageOf<F extends Fields> = Message<
  { [Name in keyof F]: Read<F[Name]> },
  { [Name in keyof F]?: Written<F[Name]> }
>

/** What is read of a message, and what may be written as one. */
export type Out<M> = M extends Message<infer O, never> ? O : never
export type In<M> = M extends { encode(value: infer I): Buffer } ? I : never

export function message<F extends Fields>(fields: F): MessageOf<F> {
  const entries = Object.entries(fields)
  const byNumber = new Map(entries.map(([name, field]) => [field.number, { name, field }]))
  return {
    encode(value) {
      const writer = new Writer()
      for (const [name, field] of entries) {
        const one = value[name]
        if (one !== undefined) field.write(one as never, writer)
      }
      return writer.finish()
    },
    decode(buffer) {
      const found: Record<string, unknown> = Object.fromEntries(entries.map(([name, field]) => [name, field.initial()]))
      const reader = new Reader(buffer)
      while (!reader.done) {
        const { field, wire } = reader.tag()
        const known = byNumber.get(field)
        if (known === undefined) reader.skip(wire)
        else if (!known.field.fits(wire)) throw new Error(`${known.name}, field ${field}, has the wire type ${wire}`)
        else found[known.name] = known.field.read(found[known.name] as never, reader, wire)
      }
      return found as { [Name in keyof F]: Read<F[Name]> }
    },
  }
}

export function nested<O, I>(number: number, kind: Message<O, I>): Field<O | undefined, I> {
  return {
    number,
    fits: isBlock,
    initial: () => undefined,
    read: (_, reader) => kind.decode(reader.bytes()),
    write(value, writer) {
      writer.tag(number, 2)
      writer.bytes(kind.encode(value))
    },
  }
}

export function messages<O, I>(number: number, kind: Message<O, I>): Field<O[], readonly I[]> {
  return {
    number,
    fits: isBlock,
    initial: () => [],
    read(before, reader) {
      before.push(kind.decode(reader.bytes()))
      return before
    },
    write(value, writer) {
      for (const one of value) nested(number, kind).write(one, writer)
    },
  }
}

const Entry = message({ key: string(1), value: string(2) })

/** `map<string, string>`. */
export function stringMap(number: number): Field<Record<string, string>, Readonly<Record<string, string>>> {
  const entries = messages(number, Entry)
  return {
    number,
    fits: isBlock,
    initial: () => ({}),
    read(before, reader) {
      const { key, value } = Entry.decode(reader.bytes())
      // A key such as `__proto__` is one like any other.
      Object.defineProperty(before, key, { value, writable: true, enumerable: true, configurable: true })
      return before
    },
    write: (value, writer) =>
      entries.write(
        Object.entries(value).map(([key, one]) => ({ key, value: one })),
        writer,
      ),
  }
}
