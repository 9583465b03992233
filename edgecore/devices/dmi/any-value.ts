/** A `google.protobuf.Any` on the wire. */
export interface AnyValue {
  type_url: string
  value: Buffer
}

/**
 * Wraps the values of a `configData` as KubeEdge does: `StringValue`, `BoolValue`, and `FloatValue` for numbers. Where
 * KubeEdge loses something, this does not: an integer that a float cannot hold is an `Int64Value`, which mappers of the
 * mapper-framework read as well; a list or an object is its JSON text; null is left out.
 */
export function anyValues(config: Readonly<Record<string, unknown>>): Record<string, AnyValue> {
  const wrapped: Record<string, AnyValue> = {}
  for (const [name, value] of Object.entries(config)) {
    if (value !== null && value !== undefined && name !== '__proto__') wrapped[name] = anyValue(value)
  }
  return wrapped
}

function anyValue(value: unknown): AnyValue {
  if (typeof value === 'boolean') return wrap('BoolValue', value ? Buffer.of(0x08, 1) : Buffer.alloc(0))
  if (typeof value === 'number') return wrapNumber(value)
  return wrap('StringValue', textField(typeof value === 'string' ? value : (JSON.stringify(value) ?? '')))
}

function wrapNumber(value: number): AnyValue {
  const single = Math.fround(value)
  if (single !== value && Number.isSafeInteger(value)) {
    return wrap('Int64Value', Buffer.from([0x08, ...varint(BigInt.asUintN(64, BigInt(value)))]))
  }
  // Beyond what a float reaches; KubeEdge's mappers cannot put infinity into JSON.
  if (!Number.isFinite(single)) return wrap('StringValue', textField(String(value)))
  if (single === 0) return wrap('FloatValue', Buffer.alloc(0))
  const field = Buffer.alloc(5)
  field[0] = 0x0d
  field.writeFloatLE(single, 1)
  return wrap('FloatValue', field)
}

function wrap(type: string, value: Buffer): AnyValue {
  return { type_url: `type.googleapis.com/google.protobuf.${type}`, value }
}

/** Field 1 as text; a default value takes no bytes in proto3. */
function textField(text: string): Buffer {
  const bytes = Buffer.from(text)
  return bytes.length === 0 ? bytes : Buffer.concat([Buffer.from([0x0a, ...varint(BigInt(bytes.length))]), bytes])
}

function varint(value: bigint): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest > 0x7fn; rest >>= 7n) bytes.push(Number(rest & 0x7fn) | 0x80)
  return [...bytes, Number(rest)]
}
