import { LinuxResources, SandboxConfig, security } from './api-sandbox.ts'
import {
  bool,
  bytes,
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

/** The messages of the CRI about containers and their images, as in `api-sandbox.ts`. */

export const containerState = { created: 0, running: 1, exited: 2, unknown: 3 } as const
export const propagation = { None: 0, HostToContainer: 1, Bidirectional: 2 } as const

const ImageSpec = message({ image: string(1), annotations: stringMap(2) })
const KeyValue = message({ key: string(1), value: string(2) })
const Mount = message({ container_path: string(1), host_path: string(2), readonly: bool(3), propagation: int(5) })
const Device = message({ container_path: string(1), host_path: string(2), permissions: string(3) })
const Capability = message({ add_capabilities: strings(1), drop_capabilities: strings(2) })

const LinuxContainerSecurityContext = message({
  capabilities: nested(1, Capability),
  privileged: bool(2),
  namespace_options: nested(3, security.namespace_options),
  selinux_options: nested(4, security.selinux),
  run_as_user: nested(5, security.run_as),
  readonly_rootfs: bool(7),
  supplemental_groups: ints(8),
  no_new_privs: bool(11),
  run_as_group: nested(12, security.run_as),
  masked_paths: strings(13),
  readonly_paths: strings(14),
  seccomp: nested(15, security.profile),
  apparmor: nested(16, security.profile),
})

const LinuxContainerConfig = message({
  resources: nested(1, LinuxResources),
  security_context: nested(2, LinuxContainerSecurityContext),
})

const ContainerMetadata = message({ name: string(1), attempt: int(2) })

export const ContainerConfig = message({
  metadata: nested(1, ContainerMetadata),
  image: nested(2, ImageSpec),
  command: strings(3),
  args: strings(4),
  working_dir: string(5),
  envs: messages(6, KeyValue),
  mounts: messages(7, Mount),
  devices: messages(8, Device),
  labels: stringMap(9),
  annotations: stringMap(10),
  log_path: string(11),
  stdin: bool(12),
  stdin_once: bool(13),
  tty: bool(14),
  linux: nested(15, LinuxContainerConfig),
})
export type ContainerConfig = In<typeof ContainerConfig>

export const CreateContainerRequest = message({
  pod_sandbox_id: string(1),
  config: nested(2, ContainerConfig),
  sandbox_config: nested(3, SandboxConfig),
})
export const ContainerId = message({ container_id: string(1) })
export const StopContainerRequest = message({ container_id: string(1), timeout: int(2) })

const ContainerFilter = message({ id: string(1), pod_sandbox_id: string(3), label_selector: stringMap(4) })
export const ListContainersRequest = message({ filter: nested(1, ContainerFilter) })

export const Container = message({
  id: string(1),
  pod_sandbox_id: string(2),
  metadata: nested(3, ContainerMetadata),
  state: int(6),
  created_at: int(7),
  labels: stringMap(8),
  annotations: stringMap(9),
})
export type Container = Out<typeof Container>
export const ListContainersResponse = message({ containers: messages(1, Container) })

export const ContainerStatus = message({
  id: string(1),
  metadata: nested(2, ContainerMetadata),
  state: int(3),
  created_at: int(4),
  started_at: int(5),
  finished_at: int(6),
  exit_code: int(7),
  reason: string(10),
  message: string(11),
  labels: stringMap(12),
})
export type ContainerStatus = Out<typeof ContainerStatus>
export const ContainerStatusResponse = message({ status: nested(1, ContainerStatus) })

export const ExecSyncRequest = message({ container_id: string(1), cmd: strings(2), timeout: int(3) })
export const ExecSyncResponse = message({ stdout: bytes(1), stderr: bytes(2), exit_code: int(3) })
export const ExecRequest = message({
  container_id: string(1),
  cmd: strings(2),
  tty: bool(3),
  stdin: bool(4),
  stdout: bool(5),
  stderr: bool(6),
})
export const AttachRequest = message({
  container_id: string(1),
  stdin: bool(2),
  tty: bool(3),
  stdout: bool(4),
  stderr: bool(5),
})
export const UrlResponse = message({ url: string(1) })

const UInt64 = message({ value: int(1) })
const ContainerAttributes = message({ id: string(1), labels: stringMap(3) })
const CpuUsage = message({ usage_core_nano_seconds: nested(2, UInt64) })
const MemoryUsage = message({ working_set_bytes: nested(2, UInt64) })
const FilesystemId = message({ mountpoint: string(1) })
const FilesystemUsage = message({ fs_id: nested(2, FilesystemId), used_bytes: nested(3, UInt64) })
const ContainerStats = message({
  attributes: nested(1, ContainerAttributes),
  cpu: nested(2, CpuUsage),
  memory: nested(3, MemoryUsage),
  writable_layer: nested(4, FilesystemUsage),
})
const StatsFilter = message({ label_selector: stringMap(3) })
export const ListContainerStatsRequest = message({ filter: nested(1, StatsFilter) })
export const ListContainerStatsResponse = message({ stats: messages(1, ContainerStats) })

export const Image = message({
  id: string(1),
  repo_tags: strings(2),
  repo_digests: strings(3),
  size: int(4),
  uid: nested(5, security.run_as),
  username: string(6),
  pinned: bool(8),
})
export type Image = Out<typeof Image>
export const ListImagesResponse = message({ images: messages(1, Image) })
export const ImageRequest = message({ image: nested(1, ImageSpec) })
export const ImageStatusResponse = message({ image: nested(1, Image) })

const AuthConfig = message({
  username: string(1),
  password: string(2),
  auth: string(3),
  server_address: string(4),
  identity_token: string(5),
  registry_token: string(6),
})
export const PullImageRequest = message({
  image: nested(1, ImageSpec),
  auth: nested(2, AuthConfig),
  sandbox_config: nested(3, SandboxConfig),
})
export const PullImageResponse = message({ image_ref: string(1) })
export const ImageFsInfoResponse = message({ image_filesystems: messages(1, FilesystemUsage) })
