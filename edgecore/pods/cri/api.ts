import * as container from './api-container.ts'
import * as sandbox from './api-sandbox.ts'
import type { Method } from './grpc.ts'
import * as pb from './protobuf.ts'

/** What Kedge calls at an engine: the CRI (k8s.io/cri-api, package `runtime.v1`) and containerd's own events. */

const VersionRequest = pb.message({ version: pb.string(1) })
const VersionResponse = pb.message({ version: pb.string(1), runtime_name: pb.string(2), runtime_version: pb.string(3) })
const Condition = pb.message({ type: pb.string(1), status: pb.bool(2), reason: pb.string(3), message: pb.string(4) })
const RuntimeStatus = pb.message({ conditions: pb.messages(1, Condition) })
const StatusRequest = pb.message({ verbose: pb.bool(1) })
const StatusResponse = pb.message({ status: pb.nested(1, RuntimeStatus), info: pb.stringMap(2) })
const LinuxRuntimeConfiguration = pb.message({ cgroup_driver: pb.int(1) })
const RuntimeConfigResponse = pb.message({ linux: pb.nested(1, LinuxRuntimeConfiguration) })
export const cgroupDriver = { systemd: 0, cgroupfs: 1 } as const

/** Of `ContainerEventResponse`: whose container it was is in the labels of its sandbox. */
const EventSandbox = pb.message({ id: pb.string(1), labels: pb.stringMap(7) })
const ContainerEvent = pb.message({ container_id: pb.string(1), type: pb.int(2), sandbox: pb.nested(4, EventSandbox) })

const SubscribeRequest = pb.message({ filters: pb.strings(1) })
const Any = pb.message({
  type_url: pb.string(1),
  value: pb.nested(2, pb.message({ container_id: pb.string(1), id: pb.string(2) })),
})
const Envelope = pb.message({ namespace: pb.string(2), topic: pb.string(3), event: pb.nested(4, Any) })

function runtime<I, O>(name: string, request: pb.Message<unknown, I>, response: pb.Message<O, unknown>): Method<I, O> {
  return { path: `/runtime.v1.RuntimeService/${name}`, request, response }
}

function image<I, O>(name: string, request: pb.Message<unknown, I>, response: pb.Message<O, unknown>): Method<I, O> {
  return { path: `/runtime.v1.ImageService/${name}`, request, response }
}

export const methods = {
  version: runtime('Version', VersionRequest, VersionResponse),
  status: runtime('Status', StatusRequest, StatusResponse),
  /** Of newer engines: containerd 2, CRI-O 1.28. */
  runtimeConfig: runtime('RuntimeConfig', sandbox.Empty, RuntimeConfigResponse),
  runSandbox: runtime('RunPodSandbox', sandbox.RunPodSandboxRequest, sandbox.RunPodSandboxResponse),
  stopSandbox: runtime('StopPodSandbox', sandbox.SandboxId, sandbox.Empty),
  removeSandbox: runtime('RemovePodSandbox', sandbox.SandboxId, sandbox.Empty),
  sandboxStatus: runtime('PodSandboxStatus', sandbox.SandboxId, sandbox.PodSandboxStatusResponse),
  listSandboxes: runtime('ListPodSandbox', sandbox.ListPodSandboxRequest, sandbox.ListPodSandboxResponse),
  portForward: runtime('PortForward', sandbox.PortForwardRequest, container.UrlResponse),
  createContainer: runtime('CreateContainer', container.CreateContainerRequest, container.ContainerId),
  startContainer: runtime('StartContainer', container.ContainerId, sandbox.Empty),
  stopContainer: runtime('StopContainer', container.StopContainerRequest, sandbox.Empty),
  removeContainer: runtime('RemoveContainer', container.ContainerId, sandbox.Empty),
  listContainers: runtime('ListContainers', container.ListContainersRequest, container.ListContainersResponse),
  containerStatus: runtime('ContainerStatus', container.ContainerId, container.ContainerStatusResponse),
  execSync: runtime('ExecSync', container.ExecSyncRequest, container.ExecSyncResponse),
  exec: runtime('Exec', container.ExecRequest, container.UrlResponse),
  attach: runtime('Attach', container.AttachRequest, container.UrlResponse),
  reopenLog: runtime('ReopenContainerLog', container.ContainerId, sandbox.Empty),
  listStats: runtime('ListContainerStats', container.ListContainerStatsRequest, container.ListContainerStatsResponse),
  /** Of newer engines, where it is turned on. */
  events: runtime('GetContainerEvents', sandbox.Empty, ContainerEvent),
  listImages: image('ListImages', sandbox.Empty, container.ListImagesResponse),
  imageStatus: image('ImageStatus', container.ImageRequest, container.ImageStatusResponse),
  pullImage: image('PullImage', container.PullImageRequest, container.PullImageResponse),
  removeImage: image('RemoveImage', container.ImageRequest, sandbox.Empty),
  imageFsInfo: image('ImageFsInfo', sandbox.Empty, container.ImageFsInfoResponse),
  /** containerd's own: every release serves it on the same socket. */
  subscribe: {
    path: '/containerd.services.events.v1.Events/Subscribe',
    request: SubscribeRequest,
    response: Envelope,
  },
}
