import { type Cause, forbidden, invalid, notSupported, required } from './causes.ts'
import { check, pattern } from './check.ts'
import { asArray, asObject, isObject, type Json, type Schema } from './schema.ts'
import { misshapen } from './schema-shape.ts'
import { applyDefaults, prune } from './structural.ts'

const types = ['array', 'boolean', 'integer', 'number', 'object', 'string']

/** Whether the schema of a custom resource is structural and within what this server enforces. */
export function checkStructural(root: unknown, at: string): { causes: Cause[]; warnings: string[] } {
  const out = { causes: misshapen(root, at), warnings: [] as string[] }
  if (out.causes.length > 0) return out
  const schema = asObject(root)
  if (schema.type !== 'object') {
    const fault =
      schema.type === undefined
        ? required(`${at}.type`, 'must not be empty at the root')
        : invalid(`${at}.type`, schema.type, 'must be object at the root')
    out.causes.push(fault)
  }
  checkSchema(schema, at, '', out)
  out.causes.push(...checkTop(asObject(schema.properties), at))
  return out
}

/** What every object has is described by the API itself: a schema may only restrict how objects are named. */
function checkTop({ apiVersion, kind, metadata }: Json, at: string): Cause[] {
  const causes = Object.entries({ apiVersion, kind }).flatMap(([name, field]) =>
    field === undefined ? [] : checkType(asObject(field), 'string', `${at}.properties[${name}].type`),
  )
  if (metadata === undefined) return causes
  const where = `${at}.properties[metadata]`
  const { type: _type, properties, ...others } = asObject(metadata)
  const { name, generateName, ...fields } = asObject(properties)
  causes.push(...checkType(asObject(metadata), 'object', `${where}.type`))
  for (const [field, schema] of Object.entries({ name, generateName })) {
    if (asObject(schema).default === undefined) continue
    causes.push(forbidden(`${where}.properties[${field}].default`, 'must not be set in top-level metadata'))
  }
  if (Object.keys({ ...others, ...fields }).length > 0) {
    const detail = 'must not specify anything other than name and generateName, but metadata is implicitly specified'
    causes.push(forbidden(where, detail))
  }
  return causes
}

function checkType({ type }: Json, wanted: string, at: string): Cause[] {
  return type === wanted ? [] : [invalid(at, type ?? '', `must be ${wanted}`)]
}

interface Found {
  causes: Cause[]
  warnings: string[]
}

const unsupported = ['$ref', 'definitions', 'dependencies', 'patternProperties', 'additionalItems', 'id']
const combined = ['allOf', 'anyOf', 'oneOf'] as const

function checkSchema(schema: Json, at: string, where: string, found: Found): void {
  const fault = (cause: Cause) => found.causes.push(cause)
  for (const word of unsupported)
    if (schema[word] !== undefined) fault(forbidden(`${at}.${word}`, `${word} is not supported`))
  checkWords(schema, at, where, found)
  if (schema.additionalProperties === false) {
    fault(forbidden(`${at}.additionalProperties`, 'additionalProperties cannot be set to false'))
  }
  if (isObject(schema.properties) && schema.additionalProperties !== undefined) {
    fault(forbidden(`${at}.additionalProperties`, 'additionalProperties and properties are mutual exclusive'))
  }
  for (const [name, inner] of Object.entries(asObject(schema.properties))) {
    const path = `${at}.properties[${name}]`
    checkSchema(asObject(inner), path, where === '' ? name : `${where}.${name}`, found)
    checkTyped(asObject(inner), path, 'must not be empty for specified object fields', found)
  }
  if (isObject(schema.additionalProperties)) {
    const path = `${at}.additionalProperties`
    checkSchema(schema.additionalProperties, path, `${where}.*`, found)
    checkTyped(schema.additionalProperties, path, 'must not be empty for specified object fields', found)
  }
  if (schema.type === 'array') checkItems(schema, at, where, found)
  for (const word of combined) {
    for (const [index, inner] of asArray(schema[word]).entries()) {
      checkConstraint(asObject(inner), `${at}.${word}[${index}]`, found)
    }
  }
  if (isObject(schema.not)) checkConstraint(schema.not, `${at}.not`, found)
}

function checkItems(schema: Json, at: string, where: string, found: Found): void {
  const { items } = schema
  if (!isObject(items)) {
    found.causes.push(
      Array.isArray(items)
        ? forbidden(`${at}.items`, 'items must be a schema object and not an array')
        : required(`${at}.items`, 'must be specified'),
    )
    return
  }
  checkSchema(items, `${at}.items`, `${where}[]`, found)
  checkTyped(items, `${at}.items`, 'must not be empty for specified array items', found)
  if (schema['x-kubernetes-list-type'] === 'map') checkMapKeys(schema, items, at, found)
}

function checkMapKeys(schema: Json, items: Json, at: string, found: Found): void {
  const keys = asArray(schema['x-kubernetes-list-map-keys'])
  if (keys.length === 0) {
    found.causes.push(
      required(`${at}.x-kubernetes-list-map-keys`, 'must not be empty if x-kubernetes-list-type is map'),
    )
  }
  for (const [index, key] of keys.entries()) {
    const field = asObject(items.properties)[String(key)]
    const path = `${at}.x-kubernetes-list-map-keys[${index}]`
    if (field === undefined) {
      found.causes.push(invalid(path, key, 'entries must all be names of item properties'))
    } else if (!asArray(items.required).includes(key) && asObject(field).default === undefined) {
      found.causes.push(
        required(
          `${at}.items.properties[${key}].default`,
          'this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property',
        ),
      )
    }
  }
}

function checkTyped(schema: Json, at: string, detail: string, found: Found): void {
  if (schema.type !== undefined || schema['x-kubernetes-int-or-string'] === true) return
  if (schema['x-kubernetes-preserve-unknown-fields'] === true) return
  found.causes.push(required(`${at}.type`, detail))
}

function checkWords(schema: Json, at: string, where: string, found: Found): void {
  const { type } = schema
  if (type !== undefined && !types.includes(String(type))) found.causes.push(notSupported(`${at}.type`, type, types))
  if (schema.uniqueItems === true) {
    found.causes.push(
      forbidden(
        `${at}.uniqueItems`,
        'uniqueItems cannot be set to true since the runtime complexity becomes quadratic',
      ),
    )
  }
  if (typeof schema.pattern === 'string' && !isPattern(schema.pattern)) {
    found.causes.push(invalid(`${at}.pattern`, schema.pattern, 'must be a valid regular expression'))
  }
  if (schema.default !== undefined) found.causes.push(...checkDefault(schema as Schema, `${at}.default`))
  if (schema['x-kubernetes-validations'] !== undefined) {
    found.warnings.push(
      `${at}: x-kubernetes-validations (CEL rules) of ${where || 'the object'} are not checked by this server`,
    )
  }
}

function isPattern(source: string): boolean {
  try {
    pattern(source)
    return true
  } catch {
    return false
  }
}

function checkDefault(schema: Schema, at: string): Cause[] {
  const unknown: string[] = []
  prune(schema, schema.default, '', { builtIn: false, unknown })
  if (unknown.length > 0) return [invalid(at, schema.default, 'must not have unknown fields')]
  // A default gets the defaults within it before it is used.
  const value = structuredClone(schema.default)
  applyDefaults(schema, value)
  return check(schema, value, at)
}

const notInConstraints = ['type', 'description', 'default', 'additionalProperties', 'nullable', 'title']

/** Below allOf and the like, schemas only constrain what the structure outside of them describes. */
function checkConstraint(schema: Json, at: string, found: Found): void {
  for (const word of notInConstraints) {
    // As in Kubernetes, the alternatives of an int-or-string name its types.
    if (schema[word] !== undefined && !(word === 'type' && /\.anyOf\[\d\]$/.test(at))) {
      found.causes.push(forbidden(`${at}.${word}`, 'must be empty to be structural'))
    }
  }
  for (const [name, inner] of Object.entries(asObject(schema.properties))) {
    checkConstraint(asObject(inner), `${at}.properties[${name}]`, found)
  }
  if (isObject(schema.items)) checkConstraint(schema.items, `${at}.items`, found)
}
