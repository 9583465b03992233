import type { DnsConfig, PodSpec } from './pod-schema.ts'
import type { PodConfig } from './runtime.ts'

export type Dns = NonNullable<PodConfig['dns']>

/** What `resolv.conf` and Kubernetes allow. */
const mostServers = 3
const mostSearches = 32

/** Reads a `resolv.conf`. */
export function parseResolvConf(text: string): Dns {
  const servers: string[] = []
  let searches: string[] = []
  let options: string[] = []
  for (const line of text.split('\n')) {
    const [word, ...rest] = line.trim().split(/\s+/)
    if (word === 'nameserver' && rest[0] !== undefined) servers.push(rest[0])
    // The last of these lines counts.
    if (word === 'search' || word === 'domain') searches = rest
    if (word === 'options') options = [...options, ...rest]
  }
  return { servers, searches, options }
}

/**
 * What the containers of a pod ask for names. A node that may be alone has no DNS server of the cluster, so `ClusterFirst`
 * is `Default`, as with a kubelet that was given none: `host` is what the node itself asks.
 */
export function dnsOf({ dnsPolicy, dnsConfig }: Pick<PodSpec, 'dnsPolicy' | 'dnsConfig'>, host: Dns): Dns {
  const base = dnsPolicy === 'None' ? { servers: [], searches: [], options: [] } : host
  return {
    servers: unique([...base.servers, ...dnsConfig.nameservers]).slice(0, mostServers),
    searches: unique([...base.searches, ...dnsConfig.searches]).slice(0, mostSearches),
    options: withOptions(base.options, dnsConfig.options),
  }
}

function withOptions(base: readonly string[], added: DnsConfig['options']): string[] {
  const options = new Map(base.map((option) => [option.split(':')[0] ?? option, option]))
  for (const { name, value } of added) options.set(name, value ? `${name}:${value}` : name)
  return [...options.values()]
}

function unique(texts: readonly string[]): string[] {
  return [...new Set(texts)]
}

/** Whether every server is this machine itself, which a pod with a network of its own cannot reach. */
export function onlyLoopback({ servers }: Dns): boolean {
  return servers.length > 0 && servers.every((server) => /^127\.|^::1$/.test(server))
}
