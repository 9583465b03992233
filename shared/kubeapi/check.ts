import { canonical } from '../canonical.ts'
import { type Cause, duplicate, invalid, notSupported, required, tooLong, tooMany, typeInvalid } from './causes.ts'
import { isInFormat } from './formats.ts'
import { asObject, isObject, type Json, type Schema } from './schema.ts'

/** What a custom resource breaks of its structural schema, in the words of the Kubernetes API server. */
export function check(schema: Schema, value: unknown, path = ''): Cause[] {
  if (value === null && schema.nullable === true) return []
  const wrongType = checkType(schema, value, path)
  if (wrongType !== undefined) return [wrongType]
  return [
    ...checkEnum(schema, value, path),
    ...(typeof value === 'string' ? checkText(schema, value, path) : []),
    ...(typeof value === 'number' ? checkNumber(schema, value, path) : []),
    ...(Array.isArray(value) ? checkList(schema, value, path) : []),
    ...(isObject(value) ? checkObject(schema, value, path) : []),
    ...checkCombined(schema, value, path),
  ]
}

export function typeName(value: unknown): string {
  if (value === null) return 'null'
  if (Array.isArray(value)) return 'array'
  if (typeof value === 'number') return Number.isInteger(value) ? 'integer' : 'number'
  return typeof value
}

function checkType(schema: Schema, value: unknown, path: string): Cause | undefined {
  const found = typeName(value)
  if (schema['x-kubernetes-int-or-string'] === true) {
    if (found === 'integer' || found === 'string') return undefined
    return typeInvalid(path, found, `${path} in body must be of type integer,string: ${JSON.stringify(found)}`)
  }
  const { type } = schema
  if (type === undefined || found === type || (type === 'number' && found === 'integer')) return undefined
  return typeInvalid(path, found, `${path} in body must be of type ${type}: ${JSON.stringify(found)}`)
}

function checkEnum({ enum: allowed }: Schema, value: unknown, path: string): Cause[] {
  if (allowed === undefined) return []
  const text = canonical(value)
  if (allowed.some((one) => canonical(one) === text)) return []
  return [notSupported(path, value, allowed.map(String))]
}

function checkText(schema: Schema, value: string, path: string): Cause[] {
  const causes: Cause[] = []
  const length = schema.minLength === undefined && schema.maxLength === undefined ? 0 : [...value].length
  if (schema.maxLength !== undefined && length > schema.maxLength) causes.push(tooLong(path, schema.maxLength))
  if (schema.minLength !== undefined && length < schema.minLength) {
    causes.push(invalid(path, value, `${path} in body should be at least ${schema.minLength} chars long`))
  }
  if (schema.pattern !== undefined && !pattern(schema.pattern).test(value)) {
    causes.push(invalid(path, value, `${path} in body should match '${schema.pattern}'`))
  }
  if (schema.format !== undefined && !isInFormat(value, schema.format)) {
    causes.push(invalid(path, value, `${path} in body must be of type ${schema.format}: ${JSON.stringify(value)}`))
  }
  return causes
}

const patterns = new Map<string, RegExp>()

/** Go's regular expressions are those of JavaScript for what schemas use, but for inline flags and \\A, \\z. */
export function pattern(source: string): RegExp {
  const known = patterns.get(source)
  if (known !== undefined) return known
  const flags = /^\(\?([ims]+)\)/.exec(source)
  const body = (flags === null ? source : source.slice(flags[0].length)).replaceAll('\\A', '^').replaceAll('\\z', '$')
  const made = compile(body, flags?.[1] ?? '')
  if (patterns.size > 1000) patterns.clear()
  patterns.set(source, made)
  return made
}

function compile(body: string, flags: string): RegExp {
  try {
    return new RegExp(body, `u${flags}`)
  } catch {
    // Needless escapes such as \_ are fine in Go, and here without the u flag.
    return new RegExp(body, flags)
  }
}

function checkNumber(schema: Schema, value: number, path: string): Cause[] {
  const causes: Cause[] = []
  const { minimum, maximum, multipleOf, format } = schema
  const below = schema.exclusiveMinimum === true ? 'greater than' : 'greater than or equal to'
  const above = schema.exclusiveMaximum === true ? 'less than' : 'less than or equal to'
  if (minimum !== undefined && (value < minimum || (value === minimum && schema.exclusiveMinimum === true))) {
    causes.push(invalid(path, value, `${path} in body should be ${below} ${minimum}`))
  }
  if (maximum !== undefined && (value > maximum || (value === maximum && schema.exclusiveMaximum === true))) {
    causes.push(invalid(path, value, `${path} in body should be ${above} ${maximum}`))
  }
  if (multipleOf !== undefined && !isMultiple(value, multipleOf)) {
    causes.push(invalid(path, value, `${path} in body should be a multiple of ${multipleOf}`))
  }
  if (format === 'int32' && (value < -(2 ** 31) || value >= 2 ** 31)) {
    causes.push(invalid(path, value, `${path} in body should be an int32`))
  }
  return causes
}

function isMultiple(value: number, of: number): boolean {
  const times = value / of
  return Math.abs(times - Math.round(times)) < 1e-9
}

function checkList(schema: Schema, values: unknown[], path: string): Cause[] {
  const causes: Cause[] = []
  if (schema.maxItems !== undefined && values.length > schema.maxItems) {
    causes.push(tooMany(path, values.length, schema.maxItems))
  }
  if (schema.minItems !== undefined && values.length < schema.minItems) {
    causes.push(invalid(path, values.length, `${path} in body should have at least ${schema.minItems} items`))
  }
  if (schema.uniqueItems === true && new Set(values.map(canonical)).size < values.length) {
    causes.push(invalid(path, values, `${path} in body shouldn't contain duplicates`))
  }
  const { items } = schema
  if (items !== undefined) causes.push(...values.flatMap((one, index) => check(items, one, `${path}[${index}]`)))
  return [...causes, ...checkUnique(schema, values, path)]
}

/** Sets and maps in the form of a list hold no element twice. */
function checkUnique(schema: Schema, values: unknown[], path: string): Cause[] {
  const kind = schema['x-kubernetes-list-type']
  if (kind !== 'set' && kind !== 'map') return []
  const seen = new Set<string>()
  const causes: Cause[] = []
  for (const [index, value] of values.entries()) {
    const key = kind === 'map' ? mapKey(schema, asObject(value)) : value
    const text = canonical(key)
    if (seen.has(text)) causes.push(duplicate(`${path}[${index}]`, key))
    seen.add(text)
  }
  return causes
}

function mapKey(schema: Schema, value: Json): Json {
  return Object.fromEntries((schema['x-kubernetes-list-map-keys'] ?? []).map((name) => [name, value[name]]))
}

function checkObject(schema: Schema, value: Json, path: string): Cause[] {
  const causes: Cause[] = []
  const count = Object.keys(value).length
  if (schema.maxProperties !== undefined && count > schema.maxProperties) {
    causes.push(tooMany(path, count, schema.maxProperties))
  }
  if (schema.minProperties !== undefined && count < schema.minProperties) {
    causes.push(invalid(path, count, `${path} in body should have at least ${schema.minProperties} properties`))
  }
  for (const name of schema.required ?? []) {
    if (!Object.hasOwn(value, name)) causes.push(required(join(path, name)))
  }
  for (const [name, inner] of Object.entries(value)) {
    const field = innerSchema(schema, name)
    if (field !== undefined) causes.push(...check(field, inner, join(path, name)))
  }
  return causes
}

function innerSchema(schema: Schema, name: string): Schema | undefined {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, name)) return schema.properties[name]
  return isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : undefined
}

function join(path: string, name: string): string {
  return path === '' ? name : `${path}.${name}`
}

function checkCombined({ allOf, anyOf, oneOf, not }: Schema, value: unknown, path: string): Cause[] {
  const causes: Cause[] = (allOf ?? []).flatMap((one) => check(one, value, path))
  const shown = JSON.stringify(path)
  if (anyOf !== undefined && !anyOf.some((one) => fits(one, value))) {
    causes.push(invalid(path, value, `${shown} must validate at least one schema (anyOf)`))
  }
  if (oneOf !== undefined) {
    const fitting = oneOf.filter((one) => fits(one, value)).length
    const found = fitting === 0 ? 'Found none valid' : `Found ${fitting} valid alternatives`
    if (fitting !== 1) {
      causes.push(invalid(path, value, `${shown} must validate one and only one schema (oneOf). ${found}`))
    }
  }
  if (not !== undefined && fits(not, value)) {
    causes.push(invalid(path, value, `${shown} must not validate the schema (not)`))
  }
  return causes
}

function fits(schema: Schema, value: unknown): boolean {
  return check(schema, value).length === 0
}
