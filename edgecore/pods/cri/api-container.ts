import { LinuxResources, SandboxConfig, security } from './api-sandbox.ts'
import * as pb from './protobuf.ts'

/** The messages of the CRI about containers and their images, as in `api-sandbox.ts`. */

export const containerState = { created: 0, running: 1, exited: 2, unknown: 3 } as const
export const propagation = { None: 0, HostToContainer: 1, Bidirectional: 2 } as const

const ImageSpec = pb.message({ image: pb.string(1), annotations: pb.stringMap(2) })
const KeyValue = pb.message({ key: pb.string(1), value: pb.string(2) })
const Mount = pb.message({
  container_path: pb.string(1),
  host_path: pb.string(2),
  readonly: pb.bool(3),
  propagation: pb.int(5),
})
const Device = pb.message({ container_path: pb.string(1), host_path: pb.string(2), permissions: pb.string(3) })
const Capability = pb.message({ add_capabilities: pb.strings(1), drop_capabilities: pb.strings(2) })

const LinuxContainerSecurityContext = pb.message({
  capabilities: pb.nested(1, Capability),
  privileged: pb.bool(2),
  namespace_options: pb.nested(3, security.namespace_options),
  selinux_options: pb.nested(4, security.selinux),
  run_as_user: pb.nested(5, security.run_as),
  readonly_rootfs: pb.bool(7),
  supplemental_groups: pb.ints(8),
  no_new_privs: pb.bool(11),
  run_as_group: pb.nested(12, security.run_as),
  masked_paths: pb.strings(13),
  readonly_paths: pb.strings(14),
  seccomp: pb.nested(15, security.profile),
  apparmor: pb.nested(16, security.profile),
})

const LinuxContainerConfig = pb.message({
  resources: pb.nested(1, LinuxResources),
  security_context: pb.nested(2, LinuxContainerSecurityContext),
})

const ContainerMetadata = pb.message({ name: pb.string(1), attempt: pb.int(2) })

export const ContainerConfig = pb.message({
  metadata: pb.nested(1, ContainerMetadata),
  image: pb.nested(2, ImageSpec),
  command: pb.strings(3),
  args: pb.strings(4),
  working_dir: pb.string(5),
  envs: pb.messages(6, KeyValue),
  mounts: pb.messages(7, Mount),
  devices: pb.messages(8, Device),
  labels: pb.stringMap(9),
  annotations: pb.stringMap(10),
  log_path: pb.string(11),
  stdin: pb.bool(12),
  stdin_once: pb.bool(13),
  tty: pb.bool(14),
  linux: pb.nested(15, LinuxContainerConfig),
})
export type ContainerConfig = pb.In<typeof ContainerConfig>

export const CreateContainerRequest = pb.message({
  pod_sandbox_id: pb.string(1),
  config: pb.nested(2, ContainerConfig),
  sandbox_config: pb.nested(3, SandboxConfig),
})
export const ContainerId = pb.message({ container_id: pb.string(1) })
export const StopContainerRequest = pb.message({ container_id: pb.string(1), timeout: pb.int(2) })

const ContainerFilter = pb.message({ id: pb.string(1), pod_sandbox_id: pb.string(3), label_selector: pb.stringMap(4) })
export const ListContainersRequest = pb.message({ filter: pb.nested(1, ContainerFilter) })

export const Container = pb.message({
  id: pb.string(1),
  pod_sandbox_id: pb.string(2),
  metadata: pb.nested(3, ContainerMetadata),
  state: pb.int(6),
  created_at: pb.int(7),
  labels: pb.stringMap(8),
  annotations: pb.stringMap(9),
})
export type Container = pb.Out<typeof Container>
export const ListContainersResponse = pb.message({ containers: pb.messages(1, Container) })

export const ContainerStatus = pb.message({
  id: pb.string(1),
  metadata: pb.nested(2, ContainerMetadata),
  state: pb.int(3),
  created_at: pb.int(4),
  started_at: pb.int(5),
  finished_at: pb.int(6),
  exit_code: pb.int(7),
  reason: pb.string(10),
  message: pb.string(11),
  labels: pb.stringMap(12),
})
export type ContainerStatus = pb.Out<typeof ContainerStatus>
export const ContainerStatusResponse = pb.message({ status: pb.nested(1, ContainerStatus) })

export const ExecSyncRequest = pb.message({ container_id: pb.string(1), cmd: pb.strings(2), timeout: pb.int(3) })
export const ExecSyncResponse = pb.message({ stdout: pb.bytes(1), stderr: pb.bytes(2), exit_code: pb.int(3) })
export const ExecRequest = pb.message({
  container_id: pb.string(1),
  cmd: pb.strings(2),
  tty: pb.bool(3),
  stdin: pb.bool(4),
  stdout: pb.bool(5),
  stderr: pb.bool(6),
})
export const AttachRequest = pb.message({
  container_id: pb.string(1),
  stdin: pb.bool(2),
  tty: pb.bool(3),
  stdout: pb.bool(4),
  stderr: pb.bool(5),
})
export const UrlResponse = pb.message({ url: pb.string(1) })

const UInt64 = pb.message({ value: pb.int(1) })
const ContainerAttributes = pb.message({ id: pb.string(1), labels: pb.stringMap(3) })
const CpuUsage = pb.message({ usage_core_nano_seconds: pb.nested(2, UInt64) })
const MemoryUsage = pb.message({ working_set_bytes: pb.nested(2, UInt64) })
const FilesystemId = pb.message({ mountpoint: pb.string(1) })
const FilesystemUsage = pb.message({ fs_id: pb.nested(2, FilesystemId), used_bytes: pb.nested(3, UInt64) })
const ContainerStats = pb.message({
  attributes: pb.nested(1, ContainerAttributes),
  cpu: pb.nested(2, CpuUsage),
  memory: pb.nested(3, MemoryUsage),
  writable_layer: pb.nested(4, FilesystemUsage),
})
const StatsFilter = pb.message({ label_selector: pb.stringMap(3) })
export const ListContainerStatsRequest = pb.message({ filter: pb.nested(1, StatsFilter) })
export const ListContainerStatsResponse = pb.message({ stats: pb.messages(1, ContainerStats) })

export const Image = pb.message({
  id: pb.string(1),
  repo_tags: pb.strings(2),
  repo_digests: pb.strings(3),
  size: pb.int(4),
  uid: pb.nested(5, security.run_as),
  username: pb.string(6),
  pinned: pb.bool(8),
})
export type Image = pb.Out<typeof Image>
export const ListImagesResponse = pb.message({ images: pb.messages(1, Image) })
export const ImageRequest = pb.message({ image: pb.nested(1, ImageSpec) })
export const ImageStatusResponse = pb.message({ image: pb.nested(1, Image) })

const AuthConfig = pb.message({
  username: pb.string(1),
  password: pb.string(2),
  auth: pb.string(3),
  server_address: pb.string(4),
  identity_token: pb.string(5),
  registry_token: pb.string(6),
})
export const PullImageRequest = pb.message({
  image: pb.nested(1, ImageSpec),
  auth: pb.nested(2, AuthConfig),
  sandbox_config: pb.nested(3, SandboxConfig),
})
export const PullImageResponse = pb.message({ image_ref: pb.string(1) })
export const ImageFsInfoResponse = pb.message({ image_filesystems: pb.messages(1, FilesystemUsage) })
