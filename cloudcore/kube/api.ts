import type { KubeObject } from '@kedge/shared/objects'

export interface KubeList {
  items: KubeObject[]
  /** Where a watch of the collection continues. */
  resourceVersion: string
}

export interface ListOptions {
  labelSelector?: string
  fieldSelector?: string
  /** Objects per request; 500 unless given. */
  limit?: number
  signal?: AbortSignal
  /** Makes each object smaller while the list is still coming in. */
  trim?: (object: KubeObject) => KubeObject | undefined
}

export interface WatchOptions {
  resourceVersion: string
  labelSelector?: string
  fieldSelector?: string
  signal?: AbortSignal
  /** Called when the server has taken up a watch, which may stay silent for long. */
  onOpen?: () => void
}

export interface WatchEvent {
  type: 'ADDED' | 'MODIFIED' | 'DELETED' | 'BOOKMARK'
  object: KubeObject
}

export interface DeleteOptions {
  gracePeriodSeconds?: number
  preconditions?: { uid?: string; resourceVersion?: string }
}

/** A merge patch (RFC 7386), or the operations of a JSON patch (RFC 6902). */
export type Patch = Record<string, unknown> | readonly { op: string; path: string; value?: unknown; from?: string }[]

/**
 * The Kubernetes API over plain JSON. Paths are those of the REST API (`/api/v1/nodes/edge-1`). Every method throws
 * `KubeError` when the server says no, and an ordinary `Error` when it cannot be reached or does not answer in time.
 */
export interface Kube {
  get(path: string): Promise<KubeObject>
  list(path: string, options?: ListOptions): Promise<KubeList>
  create(path: string, object: KubeObject): Promise<KubeObject>
  update(path: string, object: KubeObject): Promise<KubeObject>
  patch(path: string, patch: Patch): Promise<KubeObject>
  /** Patches the status subresource of the object at `path`. */
  patchStatus(path: string, patch: Patch): Promise<KubeObject>
  delete(path: string, options?: DeleteOptions): Promise<void>
  /**
   * Throws a `KubeError` (504) when the server has not come as far as the version: its store was put back to an earlier
   * state. A watch from there would be silent until it has come as far again.
   */
  confirm(path: string, options: WatchOptions): Promise<void>
  /** What happens in a collection after a version. Ends when the server ends it or `signal` aborts; throws otherwise. */
  watch(path: string, options: WatchOptions): AsyncIterable<WatchEvent>
  close(): void
}
