import {
  bool,
  type In,
  int,
  ints,
  message,
  messages,
  nested,
  type Out,
  string,
  stringMap,
  strings,
} from './protobuf.ts'

/**
 * The messages of the CRI, package `runtime.v1`, about sandboxes: the fields that Kedge uses, by their numbers in
 * `api.proto` of k8s.io/cri-api.
 */

export const Empty = message({})

const Int64Value = message({ value: int(1) })
const SecurityProfile = message({ profile_type: int(1), localhost_ref: string(2) })
const SELinuxOption = message({ user: string(1), role: string(2), type: string(3), level: string(4) })
const NamespaceOption = message({ network: int(1), pid: int(2), ipc: int(3) })

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

export const LinuxResources = message({
  cpu_period: int(1),
  cpu_quota: int(2),
  cpu_shares: int(3),
  memory_limit_in_bytes: int(4),
  oom_score_adj: int(5),
  unified: stringMap(9),
  memory_swap_limit_in_bytes: int(10),
})

const LinuxSandboxSecurityContext = message({
  namespace_options: nested(1, NamespaceOption),
  selinux_options: nested(2, SELinuxOption),
  run_as_user: nested(3, Int64Value),
  supplemental_groups: ints(5),
  privileged: bool(6),
  run_as_group: nested(8, Int64Value),
  seccomp: nested(9, SecurityProfile),
})

const LinuxSandboxConfig = message({
  cgroup_parent: string(1),
  security_context: nested(2, LinuxSandboxSecurityContext),
  sysctls: stringMap(3),
  resources: nested(5, LinuxResources),
})

const SandboxMetadata = message({ name: string(1), uid: string(2), namespace: string(3), attempt: int(4) })
const DnsConfig = message({ servers: strings(1), searches: strings(2), options: strings(3) })
const PortMapping = message({ protocol: int(1), container_port: int(2), host_port: int(3), host_ip: string(4) })

export const SandboxConfig = message({
  metadata: nested(1, SandboxMetadata),
  hostname: string(2),
  log_directory: string(3),
  dns_config: nested(4, DnsConfig),
  port_mappings: messages(5, PortMapping),
  labels: stringMap(6),
  annotations: stringMap(7),
  linux: nested(8, LinuxSandboxConfig),
})
export type SandboxConfig = In<typeof SandboxConfig>

export const RunPodSandboxRequest = message({ config: nested(1, SandboxConfig) })
export const RunPodSandboxResponse = message({ pod_sandbox_id: string(1) })
export const SandboxId = message({ pod_sandbox_id: string(1) })

const SandboxFilter = message({ id: string(1), label_selector: stringMap(3) })
export const ListPodSandboxRequest = message({ filter: nested(1, SandboxFilter) })

export const PodSandbox = message({
  id: string(1),
  metadata: nested(2, SandboxMetadata),
  state: int(3),
  created_at: int(4),
  labels: stringMap(5),
  annotations: stringMap(6),
})
export type PodSandbox = Out<typeof PodSandbox>
export const ListPodSandboxResponse = message({ items: messages(1, PodSandbox) })

const PodIp = message({ ip: string(1) })
const NetworkStatus = message({ ip: string(1), additional_ips: messages(2, PodIp) })
const PodSandboxStatus = message({ id: string(1), network: nested(5, NetworkStatus), labels: stringMap(7) })
export const PodSandboxStatusResponse = message({ status: nested(1, PodSandboxStatus) })
export const PortForwardRequest = message({ pod_sandbox_id: string(1), port: ints(2) })
