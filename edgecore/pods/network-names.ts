import type { PodSpec } from './pod-schema.ts'

/** The zone that Kubernetes' names end in; a node that may be alone has no cluster DNS to ask for another. */
const clusterDomain = 'cluster.local'
const longestHostname = 63
/** What Linux takes as the name of a host. */
const longestFqdn = 64

export interface Hostname {
  /** What `hostname` says in the pod. */
  hostname: string
  /** `<subdomain>.<namespace>.svc.<zone>`, for a pod with a subdomain. */
  domain?: string
}

/** The host name of a pod, or what is wrong with it. */
export function hostnameOf(
  { name, namespace }: { name: string; namespace: string },
  spec: Pick<PodSpec, 'hostname' | 'hostnameOverride' | 'subdomain' | 'setHostnameAsFQDN'>,
): Hostname | { fault: string } {
  if (spec.hostnameOverride !== '') return { hostname: spec.hostnameOverride }
  const host = (spec.hostname || name).slice(0, longestHostname).replace(/[-.]+$/, '')
  if (spec.subdomain === '') return { hostname: host }
  const domain = `${spec.subdomain}.${namespace}.svc.${clusterDomain}`
  if (!spec.setHostnameAsFQDN) return { hostname: host, domain }
  const fqdn = `${host}.${domain}`
  if (fqdn.length > longestFqdn) {
    const fault = `spec.setHostnameAsFQDN: ${fqdn} has ${fqdn.length} characters, a host name has at most ${longestFqdn}`
    return { fault }
  }
  return { hostname: fqdn, domain }
}

/** The content of a pod's `/etc/hosts`. `hostFile`: that of the node, for pods on its network. */
export function hostsFile(
  { hostname, domain }: Hostname,
  {
    ips,
    aliases,
    hostFile,
  }: {
    ips: readonly string[]
    aliases: PodSpec['hostAliases']
    hostFile?: string | undefined
  },
): string {
  const short = domain === undefined ? hostname : (hostname.split('.')[0] ?? hostname)
  const names = domain === undefined ? hostname : `${short}.${domain}\t${short}`
  const own =
    hostFile === undefined
      ? ['# Written by Kedge.', ...loopback, ...ips.map((ip) => `${ip}\t${names}`)]
      : ['# Written by Kedge, from the file of the node.', hostFile.trimEnd()]
  const added = aliases.map(({ ip, hostnames }) => [ip, ...hostnames].join('\t'))
  return [...own, ...(added.length > 0 ? ['', '# From hostAliases of the pod.', ...added] : []), ''].join('\n')
}

const loopback = [
  '127.0.0.1\tlocalhost',
  '::1\tlocalhost ip6-localhost ip6-loopback',
  'fe00::0\tip6-localnet',
  'fe00::0\tip6-mcastprefix',
  'fe00::1\tip6-allnodes',
  'fe00::2\tip6-allrouters',
]
