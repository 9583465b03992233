import { checkCrd } from './crd-check.ts'
import { asObject } from './schema.ts'
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
  },
  check: ({ object, old, subresource }) => (subresource === undefined ? checkCrd(object, old).causes : []),
  warnings: (object) => checkCrd(object).warnings,
}
