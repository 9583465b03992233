import type { KubeObject } from '@kedge/shared/objects'
import type { Sandbox } from './runtime.ts'
import type { PodStatus } from './status.ts'

/** KubeEdge's: whoever runs machines decides when something new begins on them. */
const annotation = 'edge.kubeedge.io/hold-upgrade'

export const holdMessage = `held until its annotation is taken off: kubectl annotate pod NAME ${annotation}-`

/** What is known of the pod so far. */
interface Known {
  uid: string
  seen: readonly Sandbox[]
  previous: PodStatus | undefined
}

/** Whether the pod asks to wait for someone's leave to begin. One that has begun is left alone, whatever it asks. */
export function isOnHold({ metadata }: KubeObject, { uid, seen, previous }: Known): boolean {
  if (metadata.annotations?.[annotation] !== 'true') return false
  const begun = previous !== undefined && previous.phase !== 'Pending'
  return !begun && !seen.some(({ pod }) => pod.uid === uid)
}
