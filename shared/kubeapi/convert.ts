import type { KubeObject } from '../objects.ts'
import type { ApiKind } from './kinds.ts'

/**
 * `object`, stored in `kind.storageApiVersion`, as `kind` shows it. Versions of a custom resource differ in apiVersion
 * only (conversion strategy None); core and events.k8s.io Events differ in the names of their fields.
 */
export function fromStorage(_kind: ApiKind, _object: KubeObject): KubeObject {
  throw new Error('fromStorage is not written yet')
}

/** The reverse of `fromStorage`. */
export function toStorage(_kind: ApiKind, _object: KubeObject): KubeObject {
  throw new Error('toStorage is not written yet')
}
