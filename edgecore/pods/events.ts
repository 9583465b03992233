import type { ContainerStatus } from './container-status.ts'
import type { Notice, PodId } from './runtime.ts'
import type { Situation } from './situation.ts'
import type { PodStatus } from './status.ts'

/** What is told about a pod as a Kubernetes Event. */
export interface PodEvent {
  type: 'Normal' | 'Warning'
  reason: string
  message: string
  /** Of the pod that it is about, where that is not the wanted one but an older pod of its name. */
  uid?: string
}

export interface Turnover {
  pod: PodId
  /** What was reported last of the same pod. */
  previous?: PodStatus
  next: PodStatus
  situation: Situation
  notice?: Notice
}

/**
 * The events that follow from a change of status alone. They are written down together with the status, so each is told
 * once, also when edgecore is killed in between.
 */
export function eventsOf({ pod, previous, next, situation, notice }: Turnover): PodEvent[] {
  const events: PodEvent[] = []
  if (notice && !previous?.conditions.some(({ type }) => type === notice.type))
    events.push(warning(notice.reason, notice.message))
  if (next.reason !== undefined && next.message !== undefined && next.message !== previous?.message) {
    events.push(warning(next.reason, next.message))
  }
  const { volumes, unsupported } = situation
  if (volumes.is !== 'missing' && next.message !== previous?.message) {
    for (const what of unsupported) if (!previous?.message?.includes(what)) events.push(warning('Unsupported', what))
  }
  if (volumes.is === 'missing' && volumes.why !== previous?.message) events.push(warning('FailedMount', volumes.why))
  const before = containersOf(previous)
  for (const status of containersOf(next)) {
    // What was refused as a whole is told as a whole.
    if (next.reason !== undefined && reasonOf(status)?.message === next.message) continue
    const event = waitingEvent(
      pod,
      status,
      before.find(({ name }) => name === status.name),
    )
    if (event) events.push(event)
  }
  return events
}

function containersOf(status: PodStatus | undefined): ContainerStatus[] {
  return [...(status?.initContainerStatuses ?? []), ...(status?.containerStatuses ?? [])]
}

function waitingEvent(pod: PodId, next: ContainerStatus, previous?: ContainerStatus): PodEvent | undefined {
  const waiting = reasonOf(next)
  if (waiting === undefined) return undefined
  const before = previous && reasonOf(previous)
  const { reason, message = reason } = waiting
  const again = before?.reason === reason && previous?.restartCount === next.restartCount
  switch (reason) {
    case 'ContainerCreating':
    case 'PodInitializing':
      return undefined
    case 'CrashLoopBackOff': {
      const where = `${pod.name}_${pod.namespace}(${pod.uid})`
      return again ? undefined : warning('BackOff', `Back-off restarting failed container ${next.name} in pod ${where}`)
    }
    case 'ErrImagePull':
      return again ? undefined : warning('Failed', `Failed to pull image "${next.image}": ${message}`)
    case 'ImagePullBackOff':
      return again
        ? undefined
        : { type: 'Normal', reason: 'BackOff', message: `Back-off pulling image "${next.image}"` }
    case 'ErrImageNeverPull':
      return again ? undefined : warning(reason, message)
    default:
      return again && before?.message === waiting.message ? undefined : warning('Failed', `Error: ${message}`)
  }
}

function reasonOf({ state }: ContainerStatus): { reason: string; message?: string } | undefined {
  return 'waiting' in state ? state.waiting : undefined
}

function warning(reason: string, message: string): PodEvent {
  return { type: 'Warning', reason, message }
}
