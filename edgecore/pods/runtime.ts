/**
 * The container engine, as far as Kedge needs one: the verbs of the Kubernetes CRI, which containerd and CRI-O speak.
 *
 * What holds for every engine:
 * - Sandboxes and containers outlive edgecore: whatever ran goes on with the same ids, and `list` shows it to the next
 *   edgecore. Everything that `list` tells about a pod was handed over when it was made; nothing has to be remembered
 *   beside the engine.
 * - No call waits for a process to end: `stopContainer` begins a stop, `list` shows how it went, and `watch` says when
 *   to look.
 * - Every call may be repeated. Stopping what has stopped and removing what is gone succeed.
 * - An error means that nothing is known about the call: the caller looks (`list`) before it tries again.
 * - Times are milliseconds since the epoch by the engine's clock.
 */
export interface Runtime {
  /** How the engine is called in container ids and on the Node: `containerd`, `simulated`. */
  readonly name: string
  /** What everyone who looks at a pod of this engine has to know: a condition of the Pod, and an Event. */
  readonly notice?: Notice

  version(): Promise<string>

  /** What of this pod the engine cannot do, naming the field, or undefined. Asked before anything is made of it. */
  refusal(pod: PodConfig): string | undefined

  /** Every sandbox that Kedge made, or those of one name, with all their containers, in any state, of any uid. */
  list(pod?: PodName): Promise<Sandbox[]>

  /** Makes and starts the surroundings of a pod's containers. A repeat with the same uid and attempt gives the same id. */
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

  /** The id of an image that is on this node, or undefined. */
  image(reference: string): Promise<string | undefined>

  /** Fetches an image, also when it is there already; resolves with its id. May take minutes. */
  pull(reference: string, pod: PodConfig): Promise<string>

  /** Calls `changed` when something happened to a pod's containers by itself. Call what it returns to end that. */
  watch(changed: (pod: PodName) => void): () => void
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

/** What an engine is told about a pod. */
export interface PodConfig extends PodId {
  labels: Record<string, string>
  annotations: Record<string, string>
  /** All containers of the spec. */
  containers: readonly { name: string; kind: ContainerKind; image: string }[]
  /** Kept with the sandbox: how long its containers have to end once nobody wants the pod any more. */
  graceMs: number
}

/** `init` runs to its end before the next begins; `sidecar` is an init container that stays. */
export type ContainerKind = 'init' | 'sidecar' | 'main'

/** What an engine is told about a container. */
export interface ContainerConfig {
  name: string
  kind: ContainerKind
  image: string
  imageId: string
  /** 0 for the first of its name in the pod, one more with each restart. */
  attempt: number
  /** Kept with the container: how long to wait before its successor starts, once it has ended; milliseconds. */
  backoffMs: number
}

export interface Sandbox {
  id: string
  pod: PodId
  attempt: number
  graceMs: number
  /** False once it was stopped, or lost in a reboot. */
  ready: boolean
  createdAt: number
  ip?: string
  containers: Container[]
}

export interface Container extends ContainerConfig {
  id: string
  createdAt: number
  state: ContainerState
}

export type ContainerState =
  | { is: 'created' }
  | { is: 'running'; startedAt: number }
  /** It was asked to end, and is killed at `until`. */
  | { is: 'stopping'; startedAt: number; until: number }
  | { is: 'exited'; startedAt: number; finishedAt: number; exitCode: number; reason: string; message?: string }
