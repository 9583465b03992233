import { amountOf } from '@kedge/shared/kubeapi/quantity'
import type { KubeObject } from '@kedge/shared/objects'
import type { ContainerSpec } from './container-schema.ts'

/** Addresses of a pod and of its node, where they are known. */
export interface Addresses {
  podIPs: readonly string[]
  hostIP: string
}

/** What pods can have of a node altogether. */
export interface Capacity {
  cpuMillis: number
  memoryBytes: number
  diskBytes: number
}

/**
 * The value of a field of the pod by its path, or undefined for a path that has none. `addresses` is absent where files
 * are written: there, as in Kubernetes, only metadata can be named.
 */
export function fieldValue(pod: KubeObject, path: string, addresses?: Addresses): string | undefined {
  return metadataValue(pod, path) ?? (addresses && statusValue(pod, path, addresses))
}

function metadataValue({ metadata }: KubeObject, path: string): string | undefined {
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? []
  if (map !== undefined && key !== undefined) return metadata[map as 'labels' | 'annotations']?.[key] ?? ''
  switch (path) {
    case 'metadata.name':
    case 'metadata.namespace':
    case 'metadata.uid':
      return metadata[path.slice('metadata.'.length) as 'name' | 'namespace' | 'uid'] ?? ''
    case 'metadata.labels':
    case 'metadata.annotations': {
      const entries = Object.entries(metadata[path.slice('metadata.'.length) as 'labels' | 'annotations'] ?? {})
      return entries
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .sort()
        .join('\n')
    }
    default:
      return undefined
  }
}

function statusValue({ spec }: KubeObject, path: string, { podIPs, hostIP }: Addresses): string | undefined {
  switch (path) {
    case 'spec.nodeName':
      return textOf(spec?.nodeName)
    case 'spec.serviceAccountName':
      return textOf(spec?.serviceAccountName)
    case 'status.hostIP':
    case 'status.hostIPs':
      return hostIP
    case 'status.podIP':
      return podIPs[0] ?? ''
    case 'status.podIPs':
      return podIPs.join(',')
    default:
      return undefined
  }
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/**
 * A request or limit of a container in units of `divisor`, rounded up. A limit that is not set is what the node has, a
 * request that is not set is 0. Undefined for a resource that cannot be named.
 */
export function resourceValue(
  { resources }: Pick<ContainerSpec, 'resources'>,
  { resource, divisor = '1' }: { resource: string; divisor?: string | number | undefined },
  capacity: Capacity,
): string | undefined {
  const [kind, name = ''] = splitOnce(resource)
  const whole = wholeOf(name, capacity)
  if ((kind !== 'limits' && kind !== 'requests') || whole === undefined) return undefined
  const given = amountOf(resources[kind][name])
  const amount = given === undefined || (kind === 'limits' && given === 0) ? (kind === 'limits' ? whole : 0) : given
  const unit = amountOf(divisor) || 1
  // Amounts are kept to the nano-unit; what is beyond is an artefact of binary fractions.
  return String(Math.ceil(Number((amount / unit).toFixed(6))))
}

function splitOnce(text: string): [string, string] {
  const at = text.indexOf('.')
  return at === -1 ? [text, ''] : [text.slice(0, at), text.slice(at + 1)]
}

function wholeOf(name: string, { cpuMillis, memoryBytes, diskBytes }: Capacity): number | undefined {
  switch (name) {
    case 'cpu':
      return cpuMillis / 1000
    case 'memory':
      return memoryBytes
    case 'ephemeral-storage':
      return diskBytes
    default:
      return name.startsWith('hugepages-') ? 0 : undefined
  }
}
