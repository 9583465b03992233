import type { KubeObject } from '../objects.ts'
import { applyJsonPatch } from './json-patch.ts'
import type { ApiKind } from './kinds.ts'
import { mergePatch } from './merge-patch.ts'
import { PatchError } from './patch-error.ts'
import { isDeeperThan, isObject, type Json, maxDepth } from './schema.ts'
import { strategicMerge } from './strategic-merge.ts'

export { PatchError }

export interface PatchRequest {
  /** Without parameters: `application/merge-patch+json`. */
  mediaType: string
  /** The parsed body. */
  patch: unknown
  /** The stored object, in the version of `kind`. Not changed. */
  object: KubeObject
  kind: ApiKind
}

const jsonPatch = 'application/json-patch+json'
const merge = 'application/merge-patch+json'
const strategic = 'application/strategic-merge-patch+json'

/** The media types that a patch of `kind` may have. */
export function patchMediaTypes(kind: ApiKind): string[] {
  return kind.custom ? [jsonPatch, merge] : [jsonPatch, merge, strategic]
}

/** The object with the patch applied, not yet admitted. Throws `PatchError`. */
export function applyPatch({ mediaType, patch, object, kind }: PatchRequest): KubeObject {
  const accepted = patchMediaTypes(kind)
  if (!accepted.includes(mediaType)) {
    const list = accepted.join(', ')
    throw new PatchError(
      415,
      `the body of the request was in an unknown format - accepted media types include: ${list}`,
    )
  }
  if (isDeeperThan(patch, maxDepth)) throw new PatchError(400, `the patch nests deeper than ${maxDepth} levels`)
  if (mediaType === jsonPatch) return whole(applyJsonPatch(object, patch))
  if (!isObject(patch)) throw new PatchError(400, 'error decoding patch: a merge patch is a JSON object')
  if (mediaType === merge) return whole(mergePatch(object, patch))
  return whole(strategicMerge(kind.schema, structuredClone(object), patch))
}

/** Whatever a patch does, an object with metadata must come of it. */
function whole(result: unknown): KubeObject {
  if (!isObject(result)) throw new PatchError(422, 'the patch leaves no object')
  const metadata: Json = isObject(result.metadata) ? result.metadata : {}
  return { ...result, metadata: metadata as unknown as KubeObject['metadata'] }
}
