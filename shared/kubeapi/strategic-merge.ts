import { canonical } from '../canonical.ts'
import { idOf, inOrder, partition } from './element-order.ts'
import { PatchError } from './patch-error.ts'
import { isObject, type Json, type Schema, setField } from './schema.ts'

/**
 * Kubernetes' strategic merge patch: objects merge, lists merge by the key that the schema names or are replaced, and
 * directives in the patch say what else to do. `original` is changed; what of the patch goes into it is copied.
 */
export function strategicMerge(schema: Schema, original: Json, patch: Json): Json {
  if ('$patch' in patch) return directed(patch)
  retainKeys(original, patch)
  const left = { ...patch }
  delete left.$retainKeys
  for (const [name, value] of Object.entries(patch)) {
    if (!name.startsWith(deletePrefix)) continue
    deleteValues(original, name.slice(deletePrefix.length), value)
    delete left[name]
  }
  mergeOrdered(schema, original, left)
  for (const [name, value] of Object.entries(left)) mergeField(schema, original, name, value)
  return original
}

const deletePrefix = '$deleteFromPrimitiveList/'
const orderPrefix = '$setElementOrder/'

function directed(patch: Json): Json {
  if (patch.$patch === 'delete') return {}
  if (patch.$patch === 'replace') return withoutDirectives(patch) as Json
  throw new PatchError(
    400,
    `unknown $patch directive ${JSON.stringify(patch.$patch)}: an object takes replace or delete`,
  )
}

/** Of a union, only the fields that the patch lists stay. */
function retainKeys(original: Json, patch: Json): void {
  if (!('$retainKeys' in patch)) return
  const kept = listOf(patch.$retainKeys, '$retainKeys')
  for (const name of Object.keys(patch)) {
    if (name !== '$retainKeys' && !kept.includes(name) && !name.startsWith('$')) {
      throw new PatchError(400, `the patch sets ${name}, which its $retainKeys does not list`)
    }
  }
  for (const name of Object.keys(original)) if (!kept.includes(name)) delete original[name]
}

function deleteValues(original: Json, field: string, values: unknown): void {
  const gone = new Set(listOf(values, deletePrefix + field).map(canonical))
  const before = original[field]
  if (Array.isArray(before)) original[field] = before.filter((value) => !gone.has(canonical(value)))
}

function listOf(value: unknown, name: string): unknown[] {
  if (Array.isArray(value)) return value
  throw new PatchError(400, `${name} must be a list`)
}

function fieldOf(schema: Schema, name: string): Schema {
  if (schema.properties !== undefined && Object.hasOwn(schema.properties, name)) return schema.properties[name] ?? {}
  return isObject(schema.additionalProperties) ? (schema.additionalProperties as Schema) : {}
}

function mergeField(schema: Schema, original: Json, name: string, value: unknown): void {
  if (value === null) {
    delete original[name]
    return
  }
  const field = fieldOf(schema, name)
  const before = Object.hasOwn(original, name) ? original[name] : undefined
  if (isObject(before) && isObject(value)) setField(original, name, strategicMerge(field, before, value))
  else if (Array.isArray(before) && Array.isArray(value)) setField(original, name, mergeList(field, before, value))
  else setField(original, name, withoutDirectives(value))
}

function isMerged(field: Schema): boolean {
  return field['x-kubernetes-patch-strategy']?.split(',').includes('merge') === true
}

function mergeList(field: Schema, original: unknown[], patch: unknown[]): unknown[] {
  if (!isMerged(field)) return withoutDirectives(patch) as unknown[]
  const key = field['x-kubernetes-patch-merge-key']
  if (key === undefined) {
    const merged = [...original]
    for (const value of patch) if (!merged.some((one) => canonical(one) === canonical(value))) merged.push(value)
    return inOrder({ merged, wanted: patch, before: original, key })
  }
  return mergeElements(field, key, original, patch)
}

function mergeElements(field: Schema, key: string, original: unknown[], patch: unknown[]): unknown[] {
  const { plain, deleted, replaced } = sorted(patch, key)
  if (replaced) return withoutDirectives(plain) as unknown[]
  const before = original.filter((one) => !isObject(one) || !deleted.has(canonical(one[key])))
  const merged = [...before]
  for (const element of plain) {
    const index = merged.findIndex((one) => isObject(one) && canonical(one[key]) === canonical(element[key]))
    const found = merged[index]
    if (isObject(found)) merged[index] = strategicMerge(field.items ?? {}, found, element)
    else merged.push(withoutDirectives(element))
  }
  return inOrder({ merged, wanted: plain, before, key })
}

/** Elements of the patch by what is to be done with them. */
function sorted(patch: unknown[], key: string): { plain: Json[]; deleted: Set<string>; replaced: boolean } {
  const plain: Json[] = []
  const deleted = new Set<string>()
  let replaced = false
  for (const element of patch) {
    if (!isObject(element)) throw new PatchError(400, `a list merged by ${key} holds objects, not ${typeof element}`)
    const directive = element.$patch
    if (directive === 'replace') {
      replaced = true
      continue
    }
    if (directive !== undefined && directive !== 'delete' && directive !== 'merge') {
      throw new PatchError(400, `unknown $patch directive ${JSON.stringify(directive)}: use delete, replace or merge`)
    }
    if (element[key] === undefined) {
      throw new PatchError(400, `map: ${JSON.stringify(element)} does not contain declared merge key: ${key}`)
    }
    if (directive === 'delete') deleted.add(canonical(element[key]))
    else plain.push(directive === 'merge' ? without(element, '$patch') : element)
  }
  return { plain, deleted, replaced }
}

function without({ ...object }: Json, field: string): Json {
  delete object[field]
  return object
}

/** Lists whose order the patch gives: merges them, puts them in that order, and takes them out of `patch`. */
function mergeOrdered(schema: Schema, original: Json, patch: Json): void {
  for (const [directive, value] of Object.entries(patch)) {
    if (!directive.startsWith(orderPrefix)) continue
    const name = directive.slice(orderPrefix.length)
    const order = listOf(value, directive)
    const field = fieldOf(schema, name)
    const key = field['x-kubernetes-patch-merge-key']
    const before = original[name]
    const given = patch[name]
    delete patch[directive]
    if (given !== undefined && given !== null) checkOrder(listOf(given, name), order, key, directive)
    // Null takes the whole list away, whatever order it was to have.
    if (given === null || (!Array.isArray(before) && !Array.isArray(given))) continue
    delete patch[name]
    if (Array.isArray(given)) mergeField(schema, original, name, given)
    const merged = listOf(original[name], name)
    original[name] = inOrder({ merged, wanted: order, before: Array.isArray(before) ? before : [], key })
  }
}

/** What the patch sets must be in the order list, in that order. */
function checkOrder(given: unknown[], order: unknown[], key: string | undefined, directive: string): void {
  const set = given.filter((one) => !isObject(one) || one.$patch === undefined)
  const { inside, outside } = partition(order, set, key)
  const sameOrder = inside.every((one, index) => idOf(one, key) === idOf(set[index], key))
  if (inside.length + outside.length !== order.length || inside.length < set.length || !sameOrder) {
    throw new PatchError(400, `the elements of the patch do not come in the order of ${directive}`)
  }
}

/** A copy without nulls and without what is only an instruction. */
function withoutDirectives(value: unknown): unknown {
  if (Array.isArray(value)) {
    return value.filter((one) => !isObject(one) || !('$patch' in one) || one.$patch === 'merge').map(withoutDirectives)
  }
  if (!isObject(value)) return value
  const out: Json = {}
  for (const [name, inner] of Object.entries(value)) {
    const isDirective =
      name === '$patch' ||
      name === '$retainKeys' ||
      name.startsWith('$setElementOrder/') ||
      name.startsWith('$deleteFromPrimitiveList/')
    if (!isDirective && inner !== null) setField(out, name, withoutDirectives(inner))
  }
  return out
}
