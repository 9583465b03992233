import { type Cause, notSupported, required } from './causes.ts'
import { typeName } from './check.ts'
import { isBase64, isDateTime, quantityPattern } from './formats.ts'
import { isQuantity } from './quantity.ts'
import { isObject, type Schema } from './schema.ts'

/**
 * Why a built-in kind cannot be read at all, or undefined: API servers decode these into fixed types and answer 400 when
 * that fails, before any validation.
 */
export function misread(kind: string, schema: Schema, value: unknown): string | undefined {
  return misreadAt(schema, value, `${kind}.`)
}

function misreadAt(schema: Schema, value: unknown, path: string): string | undefined {
  if (value === null) return undefined
  const found = typeName(value)
  const type = schema['x-kubernetes-int-or-string'] === true ? 'int-or-string' : schema.type
  if (!suits(found, type, schema.format)) {
    const given = found === 'integer' || found === 'number' ? 'number' : found === 'boolean' ? 'bool' : found
    const at = path.replace(/\.$/, '')
    return `json: cannot unmarshal ${given} into Go struct field ${at} of type ${goType(schema)}`
  }
  if (schema.format !== undefined) return misreadFormat(schema.format, value)
  if (Array.isArray(value)) return first(value, (one) => misreadAt(schema.items ?? {}, one, path))
  if (!isObject(value)) return undefined
  return first(Object.entries(value), ([name, inner]) => {
    const field =
      schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    if (field !== undefined) return misreadAt(field, inner, path.endsWith('.') ? path + name : `${path}.${name}`)
    return isObject(schema.additionalProperties)
      ? misreadAt(schema.additionalProperties as Schema, inner, path)
      : undefined
  })
}

function first<T>(values: readonly T[], find: (value: T) => string | undefined): string | undefined {
  for (const value of values) {
    const found = find(value)
    if (found !== undefined) return found
  }
  return undefined
}

function suits(found: string, type: string | undefined, format: string | undefined): boolean {
  if (type === undefined || found === type) return true
  if (type === 'int-or-string')
    return found === 'integer' || found === 'string' || (found === 'number' && format === 'quantity')
  return type === 'number' && found === 'integer'
}

const goTypes: Record<string, string> = {
  string: 'string',
  boolean: 'bool',
  number: 'float64',
  array: '[]',
  object: 'map',
}

function goType({ type, format }: Schema): string {
  return type === 'integer' ? (format ?? 'int64') : (goTypes[type ?? ''] ?? 'string')
}

function misreadFormat(format: string, value: unknown): string | undefined {
  const text = String(value)
  switch (format) {
    case 'date-time':
      if (text === '' || isDateTime(text)) return undefined
      return `parsing time ${JSON.stringify(text)} as "2006-01-02T15:04:05Z07:00": cannot parse it`
    case 'byte':
      return isBase64(text) ? undefined : `illegal base64 data at input byte ${text.search(/[^A-Za-z0-9+/=\r\n]|$/)}`
    case 'quantity':
      return isQuantity(text) ? undefined : `quantities must match the regular expression '${quantityPattern}'`
    case 'int32': {
      const number = Number(value)
      if (number >= -(2 ** 31) && number < 2 ** 31) return undefined
      return `json: cannot unmarshal number ${text} into a Go value of type int32`
    }
    default:
      return undefined
  }
}

/** Required fields that are missing or empty, and values that are none of those allowed. */
export function lacking(schema: Schema, value: unknown, path = ''): Cause[] {
  if (Array.isArray(value)) return value.flatMap((one, index) => lacking(schema.items ?? {}, one, `${path}[${index}]`))
  if (typeof value === 'string' && value !== '' && schema.enum !== undefined && !schema.enum.includes(value)) {
    return [notSupported(path, value, schema.enum)]
  }
  if (!isObject(value)) return []
  const causes: Cause[] = []
  for (const name of schema.required ?? []) {
    if (isEmpty(value[name])) causes.push(required(path === '' ? name : `${path}.${name}`))
  }
  for (const [name, inner] of Object.entries(value)) {
    const field =
      schema.properties !== undefined && Object.hasOwn(schema.properties, name) ? schema.properties[name] : undefined
    if (field !== undefined && name !== 'metadata')
      causes.push(...lacking(field, inner, path === '' ? name : `${path}.${name}`))
    else if (field === undefined && isObject(schema.additionalProperties)) {
      causes.push(...lacking(schema.additionalProperties as Schema, inner, `${path}[${name}]`))
    }
  }
  return causes
}

function isEmpty(value: unknown): boolean {
  return value === undefined || value === null || value === '' || (Array.isArray(value) && value.length === 0)
}
