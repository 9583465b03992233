import type { KubeObject } from '@kedge/shared/objects'
import type { Kube } from './api.ts'
import type { Counters } from './counters.ts'
import { hasCode, isRefusal } from './errors.ts'
import type { Freshest } from './freshest.ts'
import { type Json, mergePatch } from './merge-patch.ts'

export type Written =
  | { is: 'written' | 'same' }
  /** The object, as it was meant, is no more. */
  | { is: 'gone' }
  | { is: 'refused'; reason: string }

export interface ObjectWrite {
  kube: Pick<Kube, 'get' | 'patch' | 'patchStatus'>
  freshest: Freshest
  counters: Counters
  /** Of the object in `freshest`. */
  key: string
  path: string
  /** `status` writes the status subresource, `object` everything else. */
  part: 'status' | 'object'
  /** The object as it is; the freshest copy unless given. */
  base?: KubeObject
  /** The object as it should be, given as it is; undefined when this is not the object that was meant. */
  wanted: (base: KubeObject) => KubeObject | undefined
}

const tries = 5

/**
 * Brings one object to what it should be: the difference from the newest copy known, as a merge patch that only that
 * copy accepts. When someone else has written meanwhile, it is read again and thought over again. Equal writes nothing.
 * Throws what may pass with time.
 */
export async function writeObject(write: ObjectWrite): Promise<Written> {
  const { freshest, key, wanted, counters } = write
  let base = write.base ?? freshest.get(key)
  for (let attempt = 0; attempt < tries; attempt++) {
    const next = base && wanted(base)
    if (base === undefined || next === undefined) return { is: 'gone' }
    const patch = mergePatch(partOf(base, write.part), partOf(next, write.part))
    if (patch === undefined) return { is: 'same' }
    const outcome = await tryPatch(write, base, patch)
    if (outcome.is !== 'stale') return outcome
    counters.add('conflicts')
    base = outcome.newest
  }
  throw new Error(`${write.path}: someone else wrote it ${tries} times meanwhile`)
}

/** What a write to the part may change. */
function partOf(object: KubeObject, part: 'status' | 'object'): Json {
  if (part === 'status') return { status: object.status ?? {} }
  const { labels, annotations } = object.metadata
  return { metadata: { labels: labels ?? {}, annotations: annotations ?? {} }, spec: object.spec ?? {} }
}

async function tryPatch(
  { kube, freshest, key, path, part, counters }: ObjectWrite,
  base: KubeObject,
  patch: Json,
): Promise<Written | { is: 'stale'; newest: KubeObject | undefined }> {
  const { uid, resourceVersion } = base.metadata
  const body = { ...patch, metadata: { ...(patch.metadata as Json | undefined), uid, resourceVersion } }
  try {
    freshest.remember(key, part === 'status' ? await kube.patchStatus(path, body) : await kube.patch(path, body))
    counters.add('writes')
    return { is: 'written' }
  } catch (error) {
    if (isRefusal(error)) return { is: 'refused', reason: error.message }
    if (hasCode(error, 409)) return { is: 'stale', newest: await reread(kube, path) }
    if (!hasCode(error, 404)) throw error
    if ((await reread(kube, path)) === undefined) return { is: 'gone' }
    // The object is there and its status is not: a CRD without the status subresource.
    throw error
  }
}

/** The object as it is now; undefined when there is none. */
async function reread(kube: Pick<Kube, 'get'>, path: string): Promise<KubeObject | undefined> {
  try {
    return await kube.get(path)
  } catch (error) {
    if (hasCode(error, 404)) return undefined
    throw error
  }
}
