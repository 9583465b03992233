import type { ApiKind } from './kinds.ts'

/** The kinds that are served without a CustomResourceDefinition. */
export const builtIns: readonly ApiKind[] = []
