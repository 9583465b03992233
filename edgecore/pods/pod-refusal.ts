import type { KubeObject } from '@kedge/shared/objects'
import type * as z from 'zod'
import { hostnameOf } from './network-names.ts'
import type { PodSpec } from './pod-schema.ts'
import type { Unsupported } from './unsupported.ts'

/** Why nothing is made of a pod. */
export interface Refusal {
  reason: string
  message: string
}

export function invalidPod(message: string): Refusal {
  return { reason: 'InvalidPod', message }
}

function notDone({ refused }: Unsupported): Refusal | undefined {
  return refused.length === 0 ? undefined : { reason: 'Unsupported', message: refused.slice(0, 5).join('; ') }
}

/** Why nothing can be made of a pod that was read so, or undefined. */
export function refusalOf(
  { metadata }: KubeObject,
  parsed: z.ZodSafeParseResult<PodSpec>,
  unsupported: Unsupported,
): Refusal | undefined {
  // What is not supported may be why it could not be read.
  if (!parsed.success) return notDone(unsupported) ?? invalidPod(faultsOf(parsed.error))
  const spec = parsed.data
  const { name, namespace = 'default', uid = '' } = metadata
  if (uid === '') return invalidPod('metadata.uid: is missing')
  const names = [...spec.initContainers, ...spec.containers].map((one) => one.name)
  const twice = names.find((one, index) => names.indexOf(one) !== index)
  if (twice !== undefined) return invalidPod(`spec.containers: two containers are named "${twice}"`)
  const fault = mountFault(spec)
  if (fault !== undefined) return invalidPod(fault)
  const host = hostnameOf({ name, namespace }, spec)
  if ('fault' in host) return invalidPod(host.fault)
  return notDone(unsupported) ?? sysctlRefusal(spec)
}

function mountFault({ volumes, initContainers, containers }: PodSpec): string | undefined {
  const names = volumes.map(({ name }) => name)
  for (const { name: container, volumeMounts } of [...initContainers, ...containers]) {
    for (const { name, subPath, subPathExpr } of volumeMounts) {
      const at = `container ${container}: volumeMounts ${name}`
      if (!names.includes(name)) return `${at}: the pod has no such volume, it has ${names.join(', ') || 'none'}`
      for (const path of [subPath, subPathExpr]) {
        if (path.startsWith('/') || path.split('/').includes('..')) return `${at}: "${path}" leaves the volume`
      }
    }
  }
  return undefined
}

/** Sysctls that belong to a pod alone, and which whether its own network is needed for. */
const safeSysctls = new Set(
  (
    'kernel.shm_rmid_forced net.ipv4.ip_local_port_range net.ipv4.tcp_syncookies net.ipv4.ping_group_range ' +
    'net.ipv4.ip_unprivileged_port_start net.ipv4.ip_local_reserved_ports net.ipv4.tcp_keepalive_time ' +
    'net.ipv4.tcp_fin_timeout net.ipv4.tcp_keepalive_intvl net.ipv4.tcp_keepalive_probes net.ipv4.tcp_rmem net.ipv4.tcp_wmem'
  ).split(' '),
)

/** As kubelet does, only sysctls that touch nobody else are set. */
function sysctlRefusal({ securityContext, hostNetwork, hostIPC }: PodSpec): Refusal | undefined {
  const shared = (name: string) => (name.startsWith('net.') ? hostNetwork : hostIPC)
  const bad = securityContext.sysctls.find(({ name }) => !safeSysctls.has(name) || shared(name))
  if (bad === undefined) return undefined
  const why = safeSysctls.has(bad.name) ? 'the pod shares it with its node' : 'it is not one that a pod has for itself'
  return { reason: 'SysctlForbidden', message: `spec.securityContext.sysctls: ${bad.name} is refused, ${why}` }
}

function faultsOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${['spec', ...path].join('.')}: ${message}`)
    .join('; ')
}
