/**
 * The container engine, as far as Kedge needs one: the verbs of the Kubernetes CRI, which containerd and CRI-O speak.
 *
 * What holds for every engine:
 * - Sandboxes and containers outlive edgecore: whatever ran goes on with the same ids, and `list` shows it to the next
 *   edgecore. Everything that `list` tells about a pod was handed over when it was made; nothing has to be remembered
 *   beside the engine.
 * - No call waits for a process to end: `stopContainer` begins a stop, `list` shows how it went, and `watch` says when
 *   to look. The exception is `exec`, which waits for its command, at most as long as it was told.
 * - Every call may be repeated. Stopping what has stopped and removing what is gone succeed.
 * - An error means that nothing is known about the call: the caller looks (`list`) before it tries again. While the
 *   engine is away every call but `health` rejects, soon, and what runs goes on.
 * - Times are milliseconds since the epoch by the engine's clock.
 */
export interface Runtime {
  /** How the engine is called in container ids and on the Node: `containerd`, `cri-o`, `simulated`. */
  readonly name: string
  /** What everyone who looks at a pod of this engine has to know: a condition of the Pod, and an Event. */
  readonly notice?: Notice

  version(): Promise<string>

  /** How the engine is doing; never rejects. */
  health(): Promise<Health>

  /** What of this pod the engine cannot do, naming the field, or undefined. Asked before anything is made of it. */
  refusal(pod: PodConfig): string | undefined

  /** Every sandbox that Kedge made, or those of one name, with all their containers, in any state, of any uid. */
  list(pod?: PodName): Promise<Sandbox[]>

  /**
   * Makes and starts the surroundings of a pod's containers. A repeat with the same uid and attempt gives the same id.
   * Rejects with an `EngineFault` whose reason is `NetworkNotReady` while the node's pod network is not set up.
   */
  createSandbox(pod: PodConfig, attempt: number): Promise<string>

  /** Takes down what the containers share, and what still runs at once, without grace. */
  stopSandbox(id: string): Promise<void>

  /** Removes a sandbox with its containers, running or not. */
  removeSandbox(id: string): Promise<void>

  /** Makes a container and does not start it. A repeat with the same sandbox, name and attempt gives the same id. */
  createContainer(sandbox: string, pod: PodConfig, container: ContainerConfig): Promise<string>

  /** Starts a container that was never started; one that was is left as it is. */
  startContainer(id: string): Promise<void>

  /**
   * Asks the container to end and kills it after `graceMs` (0: at once). Resolves when the request is on its way; the
   * container then is `stopping`, until it has `exited`. A repeat can bring the end forward, never put it off.
   */
  stopContainer(id: string, graceMs: number): Promise<void>

  /** Removes a container, running or not. */
  removeContainer(id: string): Promise<void>

  /**
   * Runs a command in a running container and waits for its end. Output beyond 64 KiB of each stream may be cut off.
   * Rejects with `ExecTimedOut` when the command took longer than `timeoutMs`; the engine then ends it.
   */
  exec(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult>

  /** A URL on this machine where the engine streams (SPDY or WebSocket, as kubelet's endpoints do). Good for one use. */
  streamUrl(request: StreamRequest): Promise<string>

  /** Where the output of a container is written, in the CRI log format; undefined when nothing is. */
  logFile(pod: PodId, container: { name: string; attempt: number }): string | undefined

  /** Makes a running container write to a new file at its `logFile`: the old one was moved away. */
  reopenLog(id: string): Promise<void>

  /** What running containers use, by container id. */
  stats(): Promise<ContainerStats[]>

  /** The id of an image that is on this node, or undefined. */
  image(reference: string): Promise<string | undefined>

  /** Everything about one image that is on this node, by a name of it or its id, or undefined. */
  imageInfo(reference: string): Promise<ImageInfo | undefined>

  /** Every image on this node. */
  images(): Promise<ImageInfo[]>

  /**
   * Fetches an image, also when it is there already; resolves with its id. May take minutes. The credentials are tried
   * in their order, then none. Rejects with what the registry said last.
   */
  pull(reference: string, pod: PodConfig, credentials?: readonly RegistryCredential[]): Promise<string>

  /** Removes an image with all its names. */
  removeImage(id: string): Promise<void>

  /** Where images lie and how much room they take there. */
  imageFsInfo(): Promise<ImageFsInfo[]>

  /** Calls `changed` when something happened to a pod's containers by itself. Call what it returns to end that. */
  watch(changed: (pod: PodName) => void): () => void

  /** Lets go of the engine for good; what runs goes on. */
  close(): void
}

/** An engine's refusal that has a name of its own in Kubernetes: the reason of the Event and of the waiting state. */
export class EngineFault extends Error {
  override readonly name = 'EngineFault'
  /** CamelCase: `NetworkNotReady`, `RegistryUnavailable`. */
  readonly reason: string

  constructor(reason: string, message: string, options?: ErrorOptions) {
    super(message, options)
    this.reason = reason
  }
}

/** The command of an `exec` did not end in time. */
export class ExecTimedOut extends Error {
  override readonly name = 'ExecTimedOut'
}

export interface Health {
  /** Whether pods can be run at all. */
  runtime: Verdict
  /** Whether pods with a network of their own can be; those on the node's network do without. */
  network: Verdict
}

export type Verdict = { ok: true } | { ok: false; reason: string; message: string }

export interface ExecResult {
  exitCode: number
  stdout: Buffer
  stderr: Buffer
}

export type StreamRequest =
  /** Without `stdin`, `stdout` and `stderr` only; with `tty`, `stderr` is part of `stdout`. */
  | { is: 'exec'; container: string; command: readonly string[]; stdin: boolean; tty: boolean }
  | { is: 'attach'; container: string; stdin: boolean; tty: boolean }
  | { is: 'portForward'; sandbox: string; ports: readonly number[] }

export interface ContainerStats {
  id: string
  /** Processor time since its start, in nanoseconds of one core. */
  cpuNanos: number
  /** Memory that cannot be reclaimed, in bytes. */
  memoryBytes: number
  /** What it wrote over its image, in bytes. */
  diskBytes: number
}

export interface ImageInfo {
  id: string
  /** With tags: `docker.io/library/nginx:1.27`. */
  names: string[]
  /** With digests: `docker.io/library/nginx@sha256:…`. */
  digests: string[]
  bytes: number
  /** The engine needs it itself: never to be removed. */
  pinned: boolean
  /** Who runs its processes unless told otherwise: a number, or a name that only the image can resolve; none is root. */
  user?: { uid: number } | { name: string }
}

export interface ImageFsInfo {
  path: string
  usedBytes: number
}

/** Who asks at a registry: a name and a password, or a token. */
export interface RegistryCredential {
  username?: string
  password?: string
  /** Base64 of `name:password`. */
  auth?: string
  identityToken?: string
  registryToken?: string
  serverAddress?: string
}

export interface Notice {
  /** Type of the Pod's condition. */
  type: string
  reason: string
  message: string
}

export interface PodName {
  namespace: string
  name: string
}

export interface PodId extends PodName {
  uid: string
}

/** What an engine is told about a pod. A field that is absent is as Kubernetes has it when nobody says anything. */
export interface PodConfig extends PodId {
  labels: Record<string, string>
  annotations: Record<string, string>
  /** All containers of the spec. */
  containers: readonly { name: string; kind: ContainerKind; image: string }[]
  /** Kept with the sandbox: how long its containers have to end once nobody wants the pod any more. */
  graceMs: number
  /** Kept with the sandbox and given back by `list`, for whoever made it. */
  notes?: Record<string, string>
  /** The pod's name, unless given; not used with `hostNetwork`. */
  hostname?: string
  /** What its containers find in `/etc/resolv.conf`; the node's own, unless given. */
  dns?: { servers: readonly string[]; searches: readonly string[]; options: readonly string[] }
  portMappings?: readonly PortMapping[]
  hostNetwork?: boolean
  hostPID?: boolean
  hostIPC?: boolean
  shareProcessNamespace?: boolean
  sysctls?: Record<string, string>
  /** Limits of all its containers together. */
  resources?: Resources
  security?: PodSecurity
}

export interface PortMapping {
  protocol: 'TCP' | 'UDP' | 'SCTP'
  containerPort: number
  hostPort: number
  hostIP?: string
}

/** What holds for the sandbox itself; containers bring their own. */
export interface PodSecurity {
  /** A container of the pod is privileged. */
  privileged?: boolean
  runAsUser?: number
  runAsGroup?: number
  supplementalGroups?: readonly number[]
  seccomp?: SecurityProfile
  selinux?: SELinux
}

/** `path`: of the profile on this node (seccomp), or its name (AppArmor). */
export type SecurityProfile = { type: 'RuntimeDefault' } | { type: 'Unconfined' } | { type: 'Localhost'; path: string }

export interface SELinux {
  user?: string
  role?: string
  type?: string
  level?: string
}

/** `init` runs to its end before the next begins; `sidecar` is an init container that stays. */
export type ContainerKind = 'init' | 'sidecar' | 'main'

/** What is kept with a container: `list` gives it back. */
export interface ContainerRecord {
  name: string
  kind: ContainerKind
  image: string
  imageId: string
  /** 0 for the first of its name in the pod, one more with each restart. */
  attempt: number
  /** How long to wait before its successor starts, once it has ended; milliseconds. */
  backoffMs: number
  /** Of the container's spec when it was made: a spec with another one is another container. */
  hash?: string
  /** For whoever made it. */
  notes?: Record<string, string>
}

/** What an engine is told about a container. A field that is absent is as the image has it, or as nobody says anything. */
export interface ContainerConfig extends ContainerRecord {
  /** In place of the image's entrypoint; its arguments then are `args`. */
  command?: readonly string[]
  args?: readonly string[]
  workingDir?: string
  env?: readonly { name: string; value: string }[]
  mounts?: readonly Mount[]
  devices?: readonly Device[]
  resources?: Resources
  security?: ContainerSecurity
  stdin?: boolean
  stdinOnce?: boolean
  tty?: boolean
}

export interface Mount {
  hostPath: string
  containerPath: string
  readOnly?: boolean
  /** `None` unless given. */
  propagation?: 'None' | 'HostToContainer' | 'Bidirectional'
}

export interface Device {
  hostPath: string
  containerPath: string
  /** Of `r`, `w` and `m`. */
  permissions: string
}

/** Limits and weights, in the kernel's units. */
export interface Resources {
  /** Weight among others, 1024 for one core (cgroup 1; the engine converts for cgroup 2). */
  cpuShares?: number
  /** Microseconds of processor time in each period. */
  cpuQuota?: number
  /** Microseconds. */
  cpuPeriod?: number
  /** Bytes. */
  memoryLimit?: number
  /** -1000 to 1000. */
  oomScoreAdj?: number
  /** Settings of cgroup 2 by file name. */
  unified?: Record<string, string>
}

export interface ContainerSecurity {
  privileged?: boolean
  runAsUser?: number
  /** The engine wants a user with it. */
  runAsGroup?: number
  supplementalGroups?: readonly number[]
  readOnlyRootFilesystem?: boolean
  /** Without the prefix `CAP_`; `ALL` is all. */
  addCapabilities?: readonly string[]
  dropCapabilities?: readonly string[]
  noNewPrivs?: boolean
  seccomp?: SecurityProfile
  apparmor?: SecurityProfile
  selinux?: SELinux
  /** `Unmasked`: all of /proc is seen and can be written. `Default` unless given. */
  procMount?: 'Default' | 'Unmasked'
}

export interface Sandbox {
  id: string
  pod: PodId
  attempt: number
  graceMs: number
  notes?: Record<string, string>
  /** False once it was stopped, or lost in a reboot. */
  ready: boolean
  createdAt: number
  /** Its own address; none on the node's network. */
  ip?: string
  /** All its own addresses, `ip` first. */
  ips?: string[]
  containers: Container[]
}

export interface Container extends ContainerRecord {
  id: string
  createdAt: number
  state: ContainerState
}

export type ContainerState =
  | { is: 'created' }
  | { is: 'running'; startedAt: number }
  /** It was asked to end, and is killed at `until`. */
  | { is: 'stopping'; startedAt: number; until: number }
  /** `startedAt` equals `finishedAt` when it never ran. */
  | { is: 'exited'; startedAt: number; finishedAt: number; exitCode: number; reason: string; message?: string }
