import type { KubeObject } from '../objects.ts'
import type { Cause } from './causes.ts'
import type { ApiKind } from './kinds.ts'

export interface AdmitRequest {
  kind: ApiKind
  operation: 'create' | 'update'
  /** `status`, `binding`, `approval`, …; undefined for the object itself. */
  subresource?: string
  /** What the client sent, or what its patch made of `old`. Not changed. */
  object: unknown
  /** The stored object, in the version of `kind`; for updates. */
  old?: KubeObject
}

export interface Admission {
  /**
   * The object to store: pruned, with defaults, with what the (sub)resource may not touch taken from `old`, with
   * `metadata.generation` counted where the kind has one. The server adds uid, resourceVersion and creationTimestamp.
   * Meaningful only when `malformed` is undefined and `causes` is empty.
   */
  object: KubeObject
  /** Faults of the content: answer 422 `Invalid` (`sumUp` makes the message). */
  causes: Cause[]
  /** What the decoder of a built-in kind cannot read at all (a string where a number must be): answer 400 `BadRequest`. */
  malformed?: string
  /** Paths of unknown fields, pruned: 400 with fieldValidation=Strict, `Warning: unknown field "…"` with Warn. */
  unknown: string[]
  /** Texts for `Warning` headers, whatever fieldValidation says. */
  warnings: string[]
}

/** Decides what becomes of an object that a client wants to write. */
export function admit(_request: AdmitRequest): Admission {
  throw new Error('admit is not written yet')
}
