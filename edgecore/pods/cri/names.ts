import { join } from 'node:path'
import type { PodId } from '../runtime.ts'

/** What sandboxes and containers are labelled with: as kubelet does, so that tools find what they know. */
export const labels = {
  /** Which of them are ours: the engine may serve others, too. */
  manager: 'kedge.io/managed-by',
  podName: 'io.kubernetes.pod.name',
  podNamespace: 'io.kubernetes.pod.namespace',
  podUid: 'io.kubernetes.pod.uid',
  containerName: 'io.kubernetes.container.name',
} as const
export const manager = 'edgecore'

/** The annotation with what is kept of a sandbox or a container, as JSON. */
export const recordAnnotation = 'kedge.io/record'

export function podLabels({ namespace, name, uid }: PodId): Record<string, string> {
  return {
    [labels.manager]: manager,
    [labels.podName]: name,
    [labels.podNamespace]: namespace,
    [labels.podUid]: uid,
  }
}

/** Where the logs of a pod's containers lie, as with kubelet: log collectors look there. */
export function logFolder(root: string, { namespace, name, uid }: PodId): string {
  return join(root, `${namespace}_${name}_${uid}`)
}

/** Below the log folder. */
export function logPath({ name, attempt }: { name: string; attempt: number }): string {
  return join(name, `${attempt}.log`)
}
