import { type Cause, notSupported, typeInvalid } from './causes.ts'
import { typeName } from './check.ts'
import { isObject, type Json } from './schema.ts'

/** What the value of each word of a schema must be. Other words are left alone: they constrain nothing. */
const shapes: Record<string, string> = {
  ...all('string', [
    'type',
    'title',
    'description',
    'format',
    'pattern',
    'x-kubernetes-list-type',
    'x-kubernetes-map-type',
  ]),
  ...all('boolean', ['nullable', 'uniqueItems', 'exclusiveMinimum', 'exclusiveMaximum']),
  ...all('boolean', [
    'x-kubernetes-preserve-unknown-fields',
    'x-kubernetes-int-or-string',
    'x-kubernetes-embedded-resource',
  ]),
  ...all('integer', ['minLength', 'maxLength', 'minItems', 'maxItems', 'minProperties', 'maxProperties']),
  ...all('number', ['minimum', 'maximum', 'multipleOf']),
  ...all('array', [
    'enum',
    'required',
    'allOf',
    'anyOf',
    'oneOf',
    'x-kubernetes-list-map-keys',
    'x-kubernetes-validations',
  ]),
  ...all('object', ['properties', 'not']),
}

function all(type: string, words: string[]): Record<string, string> {
  return Object.fromEntries(words.map((word) => [word, type]))
}

const listTypes = ['atomic', 'map', 'set']

/** Faults that keep a schema from being read at all, at any depth; whoever works with a schema relies on there being none. */
export function misshapen(schema: unknown, at: string): Cause[] {
  if (!isObject(schema)) return [wrong(at, schema, 'object')]
  const causes = Object.entries(schema).flatMap(([word, value]) => misshapenWord(word, value, `${at}.${word}`))
  return causes.length > 0 ? causes : innerSchemas(schema, at).flatMap(([inner, path]) => misshapen(inner, path))
}

function misshapenWord(word: string, value: unknown, at: string): Cause[] {
  const wanted = Object.hasOwn(shapes, word) ? shapes[word] : undefined
  if (wanted === undefined || value === null) return []
  const found = typeName(value)
  if (found !== wanted && !(wanted === 'number' && found === 'integer')) return [wrong(at, value, wanted)]
  if (word === 'required' || word === 'x-kubernetes-list-map-keys') {
    return (value as unknown[]).flatMap((one, index) =>
      typeof one === 'string' ? [] : [wrong(`${at}[${index}]`, one, 'string')],
    )
  }
  if (word === 'x-kubernetes-list-type' && !listTypes.includes(String(value)))
    return [notSupported(at, value, listTypes)]
  return []
}

function wrong(at: string, value: unknown, wanted: string): Cause {
  const found = typeName(value)
  return typeInvalid(at, found, `${at} must be of type ${wanted}: ${JSON.stringify(found)}`)
}

/** Every schema directly within a schema, with its place. */
function innerSchemas(schema: Json, at: string): [unknown, string][] {
  const { properties, additionalProperties, items, not } = schema
  const found: [unknown, string][] = []
  if (isObject(properties)) {
    for (const [name, inner] of Object.entries(properties)) found.push([inner, `${at}.properties[${name}]`])
  }
  if (additionalProperties !== undefined && typeof additionalProperties !== 'boolean') {
    found.push([additionalProperties, `${at}.additionalProperties`])
  }
  if (items !== undefined && !Array.isArray(items)) found.push([items, `${at}.items`])
  if (not !== undefined) found.push([not, `${at}.not`])
  for (const word of ['allOf', 'anyOf', 'oneOf'] as const) {
    for (const [index, inner] of ((schema[word] ?? []) as unknown[]).entries())
      found.push([inner, `${at}.${word}[${index}]`])
  }
  return found
}
