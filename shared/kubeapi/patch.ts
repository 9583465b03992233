import type { KubeObject } from '../objects.ts'
import type { ApiKind } from './kinds.ts'

/** A patch that cannot be applied; `code` and `reason` are those of the `Status` to answer with. */
export class PatchError extends Error {
  override name = 'PatchError'
  readonly code: 400 | 413 | 415 | 422
  readonly reason: 'BadRequest' | 'UnsupportedMediaType' | 'Invalid' | 'RequestEntityTooLarge'

  constructor(code: PatchError['code'], message: string) {
    super(message)
    this.code = code
    this.reason = reasons[code]
  }
}

const reasons = {
  400: 'BadRequest',
  413: 'RequestEntityTooLarge',
  415: 'UnsupportedMediaType',
  422: 'Invalid',
} as const

export interface PatchRequest {
  /** Without parameters: `application/merge-patch+json`. */
  mediaType: string
  /** The parsed body. */
  patch: unknown
  /** The stored object, in the version of `kind`. Not changed. */
  object: KubeObject
  kind: ApiKind
}

/** The object with the patch applied, not yet admitted. Throws `PatchError`. */
export function applyPatch(_request: PatchRequest): KubeObject {
  throw new Error('applyPatch is not written yet')
}
