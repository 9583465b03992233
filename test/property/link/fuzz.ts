import { decodeDown, decodeUp } from '@kedge/shared/frames'
import fc from 'fast-check'
import { readLines } from '../../recorded/lines.ts'

const lines = readLines(new URL('../../recorded/protocol-2.jsonl', import.meta.url))

/** Frames that were really sent, by direction. */
const recorded = {
  up: lines.flatMap((line) => ('toCloud' in line ? [Buffer.from(line.toCloud, 'base64')] : [])),
  down: lines.flatMap((line) => ('toEdge' in line ? [Buffer.from(line.toEdge, 'base64')] : [])),
}
const decoders = { up: decodeUp, down: decodeDown }

type Json = null | boolean | number | string | Json[] | { [name: string]: Json }

/**
 * Anything that a connected node or cloud may send: noise, JSON that is no frame, noise that claims to be packed, frames
 * that were really sent with a bit, a field or nothing changed.
 */
export function fuzz(direction: keyof typeof recorded): fc.Arbitrary<Buffer> {
  const real = fc.constantFrom(...recorded[direction])
  const content = real.map((bytes) => {
    const decoded = decoders[direction](bytes)
    if (!decoded.ok) throw new Error(decoded.reason)
    return decoded.frame as unknown as Json
  })
  return fc.oneof(
    fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    fc.json().map(plain),
    fc.uint8Array({ maxLength: 100 }).map((bytes) => Buffer.concat([Buffer.of(2), bytes])),
    fc.tuple(real, fc.nat(), fc.nat(7)).map(([bytes, at, bit]) => flip(bytes, at, bit)),
    fc
      .tuple(content, fc.array(fc.nat(), { minLength: 1, maxLength: 5 }), fc.option(fc.jsonValue(), { freq: 4 }))
      .map(([json, path, value]) => plain(JSON.stringify(change(json, path, value as Json)))),
    real,
  )
}

function plain(json: string): Buffer {
  return Buffer.concat([Buffer.of(1), Buffer.from(json)])
}

function flip(bytes: Buffer, at: number, bit: number): Buffer {
  const copy = Buffer.from(bytes)
  const index = at % copy.length
  copy[index] = (copy[index] ?? 0) ^ (1 << bit)
  return copy
}

/** The same with another value, or with nothing for null, where the path leads. */
function change(json: Json, [step = 0, ...rest]: readonly number[], value: Json): Json {
  if (typeof json !== 'object' || json === null) return value
  const names = Object.keys(json)
  const name = names[step % Math.max(1, names.length)]
  if (name === undefined) return value
  const copy = structuredClone(json) as Record<string, Json>
  if (rest.length === 0 && value === null) delete copy[name]
  else copy[name] = rest.length === 0 ? value : change(copy[name] ?? null, rest, value)
  return copy
}
