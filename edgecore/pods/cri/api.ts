import * as container from './api-container.ts'
import * as sandbox from './api-sandbox.ts'
import type { Method } from './grpc.ts'
import { bool, int, type Message, message, messages, nested, string, stringMap, strings } from './protobuf.ts'

/** What Kedge calls at an engine: the CRI (k8s.io/cri-api, package `runtime.v1`) and containerd's own events. */

const VersionRequest = message({ version: string(1) })
const VersionResponse = message({ version: string(1), runtime_name: string(2), runtime_version: string(3) })
const Condition = message({ type: string(1), status: bool(2), reason: string(3), message: string(4) })
const RuntimeStatus = message({ conditions: messages(1, Condition) })
const StatusRequest = message({ verbose: bool(1) })
const StatusResponse = message({ status: nested(1, RuntimeStatus), info: stringMap(2) })
const LinuxRuntimeConfiguration = message({ cgroup_driver: int(1) })
const RuntimeConfigResponse = message({ linux: nested(1, LinuxRuntimeConfiguration) })
export const cgroupDriver = { systemd: 0, cgroupfs: 1 } as const

/** Of `ContainerEventResponse`: whose container it was is in the labels of its sandbox. */
const EventSandbox = message({ id: string(1), labels: stringMap(7) })
const ContainerEvent = message({ container_id: string(1), type: int(2), sandbox: nested(4, EventSandbox) })

const SubscribeRequest = message({ filters: strings(1) })
const Any = message({ type_url: string(1), value: nested(2, message({ container_id: string(1), id: string(2) })) })
const Envelope = message({ namespace: string(2), topic: string(3), event: nested(4, Any) })

function runtime<I, O>(name: string, request: Message<unknown, I>, response: Message<O, unknown>): Method<I, O> {
  return { path: `/runtime.v1.RuntimeService/${name}`, request, response }
}

function image<I, O>(name: string, request: Message<unknown, I>, response: Message<O, unknown>): Method<I, O> {
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
