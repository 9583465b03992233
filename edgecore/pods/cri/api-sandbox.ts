import * as pb from './protobuf.ts'

/**
 * The messages of the CRI, package `runtime.v1`, about sandboxes: the fields that Kedge uses, by their numbers in
 * `api.proto` of k8s.io/cri-api.
 */

export const Empty = pb.message({})

const Int64Value = pb.message({ value: pb.int(1) })
const SecurityProfile = pb.message({ profile_type: pb.int(1), localhost_ref: pb.string(2) })
const SELinuxOption = pb.message({ user: pb.string(1), role: pb.string(2), type: pb.string(3), level: pb.string(4) })
const NamespaceOption = pb.message({ network: pb.int(1), pid: pb.int(2), ipc: pb.int(3) })

/** How the enums are numbered. */
export const namespaceMode = { pod: 0, container: 1, node: 2 } as const
export const profileType = { RuntimeDefault: 0, Unconfined: 1, Localhost: 2 } as const
export const protocol = { TCP: 0, UDP: 1, SCTP: 2 } as const
export const sandboxState = { ready: 0, notReady: 1 } as const

export const security = {
  namespace_options: NamespaceOption,
  run_as: Int64Value,
  profile: SecurityProfile,
  selinux: SELinuxOption,
}

export const LinuxResources = pb.message({
  cpu_period: pb.int(1),
  cpu_quota: pb.int(2),
  cpu_shares: pb.int(3),
  memory_limit_in_bytes: pb.int(4),
  oom_score_adj: pb.int(5),
  unified: pb.stringMap(9),
  memory_swap_limit_in_bytes: pb.int(10),
})

const LinuxSandboxSecurityContext = pb.message({
  namespace_options: pb.nested(1, NamespaceOption),
  selinux_options: pb.nested(2, SELinuxOption),
  run_as_user: pb.nested(3, Int64Value),
  supplemental_groups: pb.ints(5),
  privileged: pb.bool(6),
  run_as_group: pb.nested(8, Int64Value),
  seccomp: pb.nested(9, SecurityProfile),
})

const LinuxSandboxConfig = pb.message({
  cgroup_parent: pb.string(1),
  security_context: pb.nested(2, LinuxSandboxSecurityContext),
  sysctls: pb.stringMap(3),
  resources: pb.nested(5, LinuxResources),
})

const SandboxMetadata = pb.message({
  name: pb.string(1),
  uid: pb.string(2),
  namespace: pb.string(3),
  attempt: pb.int(4),
})
const DnsConfig = pb.message({ servers: pb.strings(1), searches: pb.strings(2), options: pb.strings(3) })
const PortMapping = pb.message({
  protocol: pb.int(1),
  container_port: pb.int(2),
  host_port: pb.int(3),
  host_ip: pb.string(4),
})

export const SandboxConfig = pb.message({
  metadata: pb.nested(1, SandboxMetadata),
  hostname: pb.string(2),
  log_directory: pb.string(3),
  dns_config: pb.nested(4, DnsConfig),
  port_mappings: pb.messages(5, PortMapping),
  labels: pb.stringMap(6),
  annotations: pb.stringMap(7),
  linux: pb.nested(8, LinuxSandboxConfig),
})
export type SandboxConfig = pb.In<typeof SandboxConfig>

export const RunPodSandboxRequest = pb.message({ config: pb.nested(1, SandboxConfig) })
export const RunPodSandboxResponse = pb.message({ pod_sandbox_id: pb.string(1) })
export const SandboxId = pb.message({ pod_sandbox_id: pb.string(1) })

const SandboxFilter = pb.message({ id: pb.string(1), label_selector: pb.stringMap(3) })
export const ListPodSandboxRequest = pb.message({ filter: pb.nested(1, SandboxFilter) })

export const PodSandbox = pb.message({
  id: pb.string(1),
  metadata: pb.nested(2, SandboxMetadata),
  state: pb.int(3),
  created_at: pb.int(4),
  labels: pb.stringMap(5),
  annotations: pb.stringMap(6),
})
export type PodSandbox = pb.Out<typeof PodSandbox>
export const ListPodSandboxResponse = pb.message({ items: pb.messages(1, PodSandbox) })

const PodIp = pb.message({ ip: pb.string(1) })
const NetworkStatus = pb.message({ ip: pb.string(1), additional_ips: pb.messages(2, PodIp) })
const PodSandboxStatus = pb.message({ id: pb.string(1), network: pb.nested(5, NetworkStatus), labels: pb.stringMap(7) })
export const PodSandboxStatusResponse = pb.message({ status: pb.nested(1, PodSandboxStatus) })
export const PortForwardRequest = pb.message({ pod_sandbox_id: pb.string(1), port: pb.ints(2) })
