import type { ApiKind } from './kinds.ts'

/** The OpenAPI v3 document of one group-version: what `/openapi/v3/apis/<group>/<version>` answers. */
export function openApiV3(_kinds: readonly ApiKind[]): Record<string, unknown> {
  throw new Error('openApiV3 is not written yet')
}

/** The OpenAPI v2 (Swagger) document of all kinds, as JSON. */
export function openApiV2(_kinds: readonly ApiKind[]): Record<string, unknown> {
  throw new Error('openApiV2 is not written yet')
}
