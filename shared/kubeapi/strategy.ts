import type { KubeObject } from '../objects.ts'
import type { Cause } from './causes.ts'
import type { NameRule } from './metadata.ts'

export interface CheckInput {
  /** With its defaults. */
  object: KubeObject
  /** The stored object; for updates. */
  old?: KubeObject
  subresource?: string
}

/**
 * What the API server knows of one built-in kind besides its schema. `prepare` and `defaults` change the object in place:
 * it is a fresh copy, except for parts that the schema preserves.
 */
export interface Strategy {
  /** `subdomain` unless given. */
  name?: NameRule
  /** Whether metadata.generation counts the changes. */
  generation?: boolean
  /** Whether a client may set the status when it creates the object. */
  statusOnCreate?: boolean
  /** Whether a write of the status may also change labels, annotations and finalizers. */
  metadataOnStatus?: boolean
  defaults?(object: KubeObject): void
  /** After defaults, on create. */
  prepare?(object: KubeObject): void
  /** After defaults, on update of the object itself. */
  prepareUpdate?(object: KubeObject, old: KubeObject): void
  /** On update of a subresource. `now` is RFC 3339. */
  prepareStatus?(object: KubeObject, old: KubeObject, write: { subresource: string; now: string | undefined }): void
  check?(input: CheckInput): Cause[]
  warnings?(object: KubeObject): string[]
}
