import type { KubeObject } from '@kedge/shared/objects'
import type { WatchedResource } from './paths.ts'

/** Set by cloudcore on the nodes that it registered, whatever becomes of their labels. */
export const registeredAnnotation = 'kedge.io/registered'
/** The label by which KubeEdge, and so Kedge, knows an edge node. */
export const edgeLabel = 'node-role.kubernetes.io/edge'

/** A node that edgecore runs on, as far as its object says. */
export function isEdgeNode(node: KubeObject): boolean {
  const { labels, annotations } = node.metadata
  return labels?.[edgeLabel] !== undefined || annotations?.[registeredAnnotation] !== undefined
}

/**
 * The part of an object that is kept in memory. Of a node that is not at the edge only its metadata: that it exists is
 * all that anyone asks. `managedFields` and what kubectl remembers for itself are read by nobody.
 */
export function trim(resource: WatchedResource, object: KubeObject): KubeObject {
  const { managedFields: _, ...metadata } = object.metadata as KubeObject['metadata'] & { managedFields?: unknown }
  if (resource === 'nodes' && !isEdgeNode(object))
    return { apiVersion: object.apiVersion, kind: object.kind, metadata: withoutKubectlNotes(metadata) }
  return { ...object, metadata: withoutKubectlNotes(metadata) }
}

const kubectlNote = 'kubectl.kubernetes.io/last-applied-configuration'

function withoutKubectlNotes(metadata: KubeObject['metadata']): KubeObject['metadata'] {
  if (metadata.annotations?.[kubectlNote] === undefined) return metadata
  const { [kubectlNote]: _, ...annotations } = metadata.annotations
  return { ...metadata, annotations }
}

/** The node that a pod or a device is bound to; undefined when it is bound to none. */
export function nodeOf(object: KubeObject | undefined): string | undefined {
  const name = object?.spec?.nodeName
  return typeof name === 'string' && name !== '' ? name : undefined
}
