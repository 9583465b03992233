import type { Device } from '@kedge/shared/devices'

/** Names the mapper of a device where several serve its protocol, or `builtin` for edgecore's own driver. */
export const mapperAnnotation = 'kedge.io/mapper'

export interface Candidate {
  name: string
  protocol: string
  /** Grows with each registration. */
  order: number
  /** It has not been reachable for a while. */
  absent: boolean
}

/**
 * What serves a device: nothing of ours, or a mapper, or one that is named and has never registered.
 *
 * Each device has one mapper. The annotation names it; without one it is the mapper that registered last for the
 * device's protocol, as with KubeEdge, and while that one is absent the one before it.
 */
export function choose<T extends Candidate>(device: Device | undefined, mappers: Iterable<T>): T | string | undefined {
  const protocol = device?.spec?.protocol?.protocolName
  if (device === undefined || !protocol) return undefined
  const named = device.metadata.annotations?.[mapperAnnotation]
  if (named === 'builtin') return undefined
  const candidates = [...mappers].filter((each) => each.protocol === protocol)
  if (named) return candidates.find(({ name }) => name === named) ?? named
  return candidates.sort((a, b) => Number(a.absent) - Number(b.absent) || b.order - a.order)[0]
}
