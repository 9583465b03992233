import { availableParallelism } from 'node:os'
import { basename } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import type { Log } from '@kedge/shared/log'
import type {
  ContainerConfig,
  ContainerStats,
  ExecResult,
  Health,
  ImageFsInfo,
  ImageInfo,
  PodConfig,
  PodId,
  PodName,
  RegistryCredential,
  Runtime,
  Sandbox,
  StreamRequest,
} from '../runtime.ts'
import type { Scheduler } from '../scheduler.ts'
import { methods } from './api.ts'
import { CgroupParent } from './cgroups.ts'
import { CriClient } from './client.ts'
import { CriContainers } from './containers.ts'
import { healthOf } from './health.ts'
import { CriImages } from './images.ts'
import { CriSandboxes } from './sandboxes.ts'
import { Turns } from './turns.ts'
import { View } from './view.ts'
import { Watcher } from './watcher.ts'

export interface CriOptions {
  /** The path of the engine's socket now; throws an error that says why there is none. */
  endpoint: () => string
  /** Folder of the logs of all pods: `/var/log/pods` as with kubelet. */
  logRoot: string
  clock: Clock
  scheduler: Scheduler
  log: Log
}

/**
 * Pods by an engine that speaks the Kubernetes CRI v1: containerd from 1.6 on, CRI-O.
 *
 * Invariants:
 * - The engine holds all there is to know: labels and annotations carry what `list` gives back.
 * - While the engine is away its pods go on. Each call fails soon, and the watcher finds out what happened meanwhile.
 */
export class CriRuntime implements Runtime {
  readonly #endpoint: () => string
  readonly #client: CriClient
  readonly #view: View
  readonly #sandboxes: CriSandboxes
  readonly #containers: CriContainers
  readonly #images: CriImages
  readonly #watcher: Watcher

  constructor({ endpoint, logRoot, clock, scheduler, log }: CriOptions) {
    const client = new CriClient(endpoint)
    const view = new View(client)
    const turns = new Turns(2 * availableParallelism(), scheduler)
    this.#endpoint = endpoint
    this.#client = client
    this.#view = view
    this.#images = new CriImages(client)
    const cgroups = new CgroupParent(client)
    this.#sandboxes = new CriSandboxes({ client, view, turns, cgroups, logRoot })
    this.#watcher = new Watcher({ client, view, scheduler, log, up: () => cgroups.forget() })
    const tell = (pod: PodName) => this.#watcher.tell(pod)
    this.#containers = new CriContainers({ client, view, turns, cgroups, logRoot, clock, log, tell })
  }

  get name(): string {
    return this.#watcher.engine?.name ?? guess(this.#endpoint)
  }

  async version(): Promise<string> {
    return (await this.#client.call(methods.version, {})).runtime_version
  }

  health(): Promise<Health> {
    return healthOf(this.#client)
  }

  refusal(): undefined {
    return undefined
  }

  list(pod?: PodName): Promise<Sandbox[]> {
    return this.#view.list(pod)
  }

  createSandbox(pod: PodConfig, attempt: number): Promise<string> {
    return this.#sandboxes.create(pod, attempt)
  }

  stopSandbox(id: string): Promise<void> {
    return this.#sandboxes.stop(id)
  }

  removeSandbox(id: string): Promise<void> {
    return this.#sandboxes.remove(id)
  }

  createContainer(sandbox: string, pod: PodConfig, container: ContainerConfig): Promise<string> {
    return this.#containers.create(sandbox, pod, container)
  }

  startContainer(id: string): Promise<void> {
    return this.#containers.start(id)
  }

  stopContainer(id: string, graceMs: number): Promise<void> {
    return this.#containers.stop(id, graceMs)
  }

  removeContainer(id: string): Promise<void> {
    return this.#containers.remove(id)
  }

  exec(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    return this.#containers.exec(id, command, timeoutMs)
  }

  streamUrl(request: StreamRequest): Promise<string> {
    return this.#containers.streamUrl(request)
  }

  logFile(pod: PodId, container: { name: string; attempt: number }): string {
    return this.#containers.logFile(pod, container)
  }

  reopenLog(id: string): Promise<void> {
    return this.#containers.reopenLog(id)
  }

  stats(): Promise<ContainerStats[]> {
    return this.#containers.stats()
  }

  async image(reference: string): Promise<string | undefined> {
    return (await this.#images.info(reference))?.id
  }

  imageInfo(reference: string): Promise<ImageInfo | undefined> {
    return this.#images.info(reference)
  }

  images(): Promise<ImageInfo[]> {
    return this.#images.all()
  }

  pull(reference: string, pod: PodConfig, credentials: readonly RegistryCredential[] = []): Promise<string> {
    return this.#images.pull(reference, pod, credentials)
  }

  removeImage(id: string): Promise<void> {
    return this.#images.remove(id)
  }

  imageFsInfo(): Promise<ImageFsInfo[]> {
    return this.#images.fsInfo()
  }

  watch(changed: (pod: PodName) => void): () => void {
    return this.#watcher.start(changed)
  }

  close(): void {
    this.#watcher.stop()
    this.#client.close()
  }
}

/** How an engine is called that was never reached. */
function guess(endpoint: () => string): string {
  try {
    return basename(endpoint()).startsWith('crio') ? 'cri-o' : 'containerd'
  } catch {
    return 'containerd'
  }
}
