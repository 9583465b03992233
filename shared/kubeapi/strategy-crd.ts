import { checkCrd } from './crd-check.ts'
import { asArray, asObject, isObject } from './schema.ts'
import type { Strategy } from './strategy.ts'

export const crdStrategy: Strategy = {
  generation: true,
  defaults(crd) {
    const spec = asObject(crd.spec)
    const names = asObject(spec.names)
    const { kind } = names
    if (typeof kind === 'string' && kind !== '') {
      names.singular ||= kind.toLowerCase()
      names.listKind ||= `${kind}List`
    }
    spec.conversion ??= { strategy: 'None' }
    for (const version of asArray(spec.versions)) {
      const schema = asObject(asObject(version).schema)
      if (schema.openAPIV3Schema !== undefined) schema.openAPIV3Schema = withoutNulls(schema.openAPIV3Schema)
    }
  },
  check: ({ object, old, subresource }) => (subresource === undefined ? checkCrd(object, old).causes : []),
  warnings: (object) => checkCrd(object).warnings,
}

/** Values, not words of the schema. */
const values = new Set(['enum', 'example'])

/** A word of a schema that is null says nothing. */
function withoutNulls(schema: unknown): unknown {
  if (Array.isArray(schema)) return schema.map(withoutNulls)
  if (!isObject(schema)) return schema
  const said = Object.entries(schema).filter(([, value]) => value !== null)
  return Object.fromEntries(said.map(([word, value]) => [word, values.has(word) ? value : withoutNulls(value)]))
}
