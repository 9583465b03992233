import { rfc3339 } from '@kedge/shared/clock'
import type { NodeCondition } from '../reports/node-conditions.ts'

/** What one pod needs to start with nothing but what is on this node. */
export interface PodNeeds {
  /** `<namespace>/<name>` */
  pod: string
  /** Images that are not on this node. */
  images: readonly string[]
  /** ConfigMaps and Secrets, or keys of them, that it cannot do without and this node does not hold. */
  missing: readonly { kind: 'ConfigMap' | 'Secret'; name: string }[]
  /** It has a network of its own, which the engine has to make. */
  network?: boolean
}

/** What decides whether this node comes back by itself. */
export interface OfflineFacts {
  pods: readonly PodNeeds[]
  /** Why the engine does not work, if it does not. */
  runtimeFault?: string
  /** Why the engine makes no networks for pods, if it does not. */
  networkFault?: string
  /** Why the database takes no write, if it does not. */
  storageFault?: string
  /** The file system of the node's data is nearly full. */
  diskFull: boolean
  /** Why the machine's clock is not believed, if it is not. */
  clockFault?: string
  /** When the certificate of this node ends, milliseconds since the epoch; absent without one. */
  certificateEndsAt?: number
  /** For how long this node should do without the cloud, milliseconds. */
  autonomyMs: number
  /** Milliseconds since the epoch. */
  now: number
}

export type UnreadyReason =
  | 'StoreFault'
  | 'DiskFull'
  | 'RuntimeNotReady'
  | 'NetworkNotReady'
  | 'ImageMissing'
  | 'SecretMissing'
  | 'ConfigMapMissing'
  | 'CertificateEnds'
  | 'ClockUntrusted'

export interface Unready {
  reason: UnreadyReason
  message: string
  /** The pods that would not come back for it; none when it is about the node. */
  pods: readonly string[]
}

/** Names no more than these pods and things in one sentence. */
const mostNamed = 5

/** Everything that would go wrong if link and power went now, the gravest first. */
export function unreadiness(facts: OfflineFacts): Unready[] {
  const { pods, runtimeFault, storageFault, clockFault, certificateEndsAt: ends } = facts
  const node = (reason: UnreadyReason, message: string): Unready => ({ reason, message, pods: [] })
  const found: Unready[] = []
  if (storageFault !== undefined) found.push(node('StoreFault', `the database takes no write: ${storageFault}`))
  if (facts.diskFull) found.push(node('DiskFull', "the disk of the node's data, or that of its images, is nearly full"))
  if (runtimeFault !== undefined) found.push(node('RuntimeNotReady', `the engine does not run pods: ${runtimeFault}`))
  const { networkFault } = facts
  if (networkFault !== undefined) {
    const network = ({ network }: PodNeeds) => (network ? [`(${networkFault})`] : [])
    found.push(...ofPods('NetworkNotReady', 'no network for pods', pods, network))
  }
  found.push(...ofPods('ImageMissing', 'not on this node: image', pods, ({ images }) => images))
  for (const kind of ['Secret', 'ConfigMap'] as const) {
    const names = ({ missing }: PodNeeds) => missing.filter((one) => one.kind === kind).map(({ name }) => name)
    found.push(...ofPods(`${kind}Missing`, `not on this node: ${kind}`, pods, names))
  }
  if (ends !== undefined && ends < facts.now + facts.autonomyMs) {
    const gone = ends <= facts.now ? 'ended' : 'ends'
    found.push(node('CertificateEnds', `the certificate of this node ${gone} ${rfc3339(ends)}, within its autonomy`))
  }
  if (clockFault !== undefined) found.push(node('ClockUntrusted', clockFault))
  return found
}

function ofPods(
  reason: UnreadyReason,
  what: string,
  pods: readonly PodNeeds[],
  names: (pod: PodNeeds) => readonly string[],
): Unready[] {
  const concerned = pods.filter((pod) => names(pod).length > 0)
  if (concerned.length === 0) return []
  const things = [...new Set(concerned.flatMap(names))].sort()
  const those = concerned.map(({ pod }) => pod).sort()
  const plural = those.length === 1 ? 'pod' : 'pods'
  return [{ reason, message: `${what} ${listed(things)}, needed by ${plural} ${listed(those)}`, pods: those }]
}

function listed(names: readonly string[]): string {
  const shown = names.slice(0, mostNamed).join(', ')
  return names.length > mostNamed ? `${shown} and ${names.length - mostNamed} more` : shown
}

/** The node's condition `OfflineReady`: whether everything would come back without link and after a power cut. */
export function offlineReady(facts: OfflineFacts): NodeCondition {
  const [gravest, ...others] = unreadiness(facts)
  const type = 'OfflineReady'
  if (gravest === undefined) {
    const message = 'everything that this node runs would come back without the cloud'
    return { type, status: 'True', reason: 'OfflineReady', message }
  }
  const message = [gravest, ...others].map((one) => one.message).join('; ')
  return { type, status: 'False', reason: gravest.reason, message: message.slice(0, 1024) }
}
