import type { KubeObject } from '../objects.ts'
import type { Cause } from './causes.ts'
import type { ApiKind } from './kinds.ts'

/** The kinds that an established CustomResourceDefinition declares, one per served version. */
export function kindsOf(_crd: KubeObject): ApiKind[] {
  throw new Error('kindsOf is not written yet')
}

/** Faults of a CustomResourceDefinition: `admit` calls it. */
export function validateCrd(_crd: KubeObject, _old?: KubeObject): { causes: Cause[]; warnings: string[] } {
  throw new Error('validateCrd is not written yet')
}

/**
 * The status of a CustomResourceDefinition that is written now: acceptedNames, NamesAccepted and Established,
 * storedVersions. `taken` are the kinds served besides its own; `now` is RFC 3339.
 */
export function establish(_crd: KubeObject, _taken: readonly ApiKind[], _now: string): KubeObject {
  throw new Error('establish is not written yet')
}
