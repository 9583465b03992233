import type { PodConfig, PodSecurity, Resources, SecurityProfile } from '../runtime.ts'
import { namespaceMode, profileType, protocol, type SandboxConfig } from './api-sandbox.ts'
import { logFolder, podLabels, recordAnnotation } from './names.ts'

/** How this node wants its sandboxes. */
export interface Node {
  logRoot: string
  /** The cgroup above all pods, in the words of the engine's cgroup driver; the engine's own choice, unless given. */
  cgroupParent: string | undefined
}

/** A pod as the CRI is told. */
export function sandboxConfig(pod: PodConfig, attempt: number, node: Node): SandboxConfig {
  const { namespace, name, uid, graceMs, notes, dns, portMappings = [], sysctls = {}, resources } = pod
  return {
    metadata: { namespace, name, uid, attempt },
    ...(!pod.hostNetwork && { hostname: pod.hostname ?? name }),
    log_directory: logFolder(node.logRoot, pod),
    ...(dns && { dns_config: dns }),
    port_mappings: portMappings.map((one) => ({
      protocol: protocol[one.protocol],
      container_port: one.containerPort,
      host_port: one.hostPort,
      host_ip: one.hostIP ?? '',
    })),
    labels: { ...pod.labels, ...podLabels(pod) },
    annotations: { ...pod.annotations, [recordAnnotation]: JSON.stringify({ graceMs, notes }) },
    linux: {
      ...(node.cgroupParent !== undefined && { cgroup_parent: node.cgroupParent }),
      security_context: sandboxSecurity(pod, pod.security ?? {}),
      sysctls,
      ...(resources && { resources: linuxResources(resources) }),
    },
  }
}

function sandboxSecurity(pod: PodConfig, security: PodSecurity) {
  const { runAsUser, runAsGroup, supplementalGroups = [], privileged = false, seccomp, selinux } = security
  return {
    namespace_options: namespaces(pod),
    privileged,
    supplemental_groups: supplementalGroups,
    ...(runAsUser !== undefined && { run_as_user: { value: runAsUser } }),
    // The engine refuses a group without a user.
    ...(runAsUser !== undefined && runAsGroup !== undefined && { run_as_group: { value: runAsGroup } }),
    seccomp: profile(seccomp ?? { type: 'RuntimeDefault' }),
    ...(selinux && { selinux_options: selinux }),
  }
}

/** Kubernetes' default is one process namespace per container, and all else shared in the pod. */
export function namespaces({ hostNetwork, hostPID, hostIPC, shareProcessNamespace }: PodConfig) {
  const shared = shareProcessNamespace ? namespaceMode.pod : namespaceMode.container
  return {
    network: hostNetwork ? namespaceMode.node : namespaceMode.pod,
    pid: hostPID ? namespaceMode.node : shared,
    ipc: hostIPC ? namespaceMode.node : namespaceMode.pod,
  }
}

export function profile(one: SecurityProfile) {
  return { profile_type: profileType[one.type], localhost_ref: one.type === 'Localhost' ? one.path : '' }
}

export function linuxResources(resources: Resources) {
  const { cpuShares = 0, cpuQuota = 0, cpuPeriod = 0, memoryLimit = 0, oomScoreAdj = 0, unified = {} } = resources
  return {
    cpu_shares: cpuShares,
    cpu_quota: cpuQuota,
    cpu_period: cpuPeriod,
    memory_limit_in_bytes: memoryLimit,
    oom_score_adj: oomScoreAdj,
    unified,
  }
}
