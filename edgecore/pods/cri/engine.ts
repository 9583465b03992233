import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { basename, dirname, join } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
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
  Verdict,
} from '../runtime.ts'
import { EngineFault, ExecTimedOut } from '../runtime.ts'
import type { Scheduler } from '../scheduler.ts'
import { methods } from './api.ts'
import { containerState } from './api-container.ts'
import { cgroupParent } from './cgroups.ts'
import { CriClient, isGone } from './client.ts'
import { containerConfig } from './container-config.ts'
import { codes, GrpcError } from './grpc.ts'
import { CriImages } from './images.ts'
import { labels, logFolder, logPath, manager } from './names.ts'
import { sandboxConfig } from './sandbox-config.ts'
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

/** How long the engine may take for what starts and ends processes: on a board with a slow card that is long. */
const workMs = 240_000
/** An engine that takes a second over the time that a command has is not late yet. */
const execMarginMs = 5000

/**
 * Pods by an engine that speaks the Kubernetes CRI v1: containerd from 1.6 on, CRI-O.
 *
 * Invariants:
 * - The engine holds all there is to know: labels and annotations carry what `list` gives back.
 * - While the engine is away its pods go on. Each call fails soon, and the watcher finds out what happened meanwhile.
 */
export class CriRuntime implements Runtime {
  readonly #options: CriOptions
  readonly #client: CriClient
  readonly #view: View
  readonly #images: CriImages
  readonly #watcher: Watcher
  readonly #turns: Turns
  #cgroupParent: { is: string | undefined } | undefined

  constructor(options: CriOptions) {
    this.#options = options
    this.#client = new CriClient(options.endpoint)
    this.#view = new View(this.#client)
    this.#images = new CriImages(this.#client)
    const { scheduler, log } = options
    this.#turns = new Turns(2 * availableParallelism(), scheduler)
    const up = () => {
      this.#cgroupParent = undefined
    }
    this.#watcher = new Watcher({ client: this.#client, view: this.#view, scheduler, log, up })
  }

  get name(): string {
    return this.#watcher.engine?.name ?? guess(this.#options.endpoint)
  }

  async version(): Promise<string> {
    return (await this.#client.call(methods.version, {})).runtime_version
  }

  async health(): Promise<Health> {
    try {
      const { status } = await this.#client.call(methods.status, {})
      const verdict = (type: string): Verdict => {
        const found = status?.conditions.find((one) => one.type === type)
        if (found?.status === true) return { ok: true }
        const { reason = '', message = '' } = found ?? {}
        return { ok: false, reason: reason || `${type}False`, message: message || `the engine reports no ${type}` }
      }
      return { runtime: verdict('RuntimeReady'), network: verdict('NetworkReady') }
    } catch (error) {
      const away: Verdict = { ok: false, reason: reasonOf(error), message: explain(error) }
      return { runtime: away, network: away }
    }
  }

  refusal(): undefined {
    return undefined
  }

  list(pod?: PodName): Promise<Sandbox[]> {
    return this.#view.list(pod)
  }

  async createSandbox(pod: PodConfig, attempt: number): Promise<string> {
    if (!pod.hostNetwork) await this.#requireNetwork()
    const { logRoot } = this.#options
    await mkdir(logFolder(logRoot, pod), { recursive: true, mode: 0o755 })
    this.#cgroupParent ??= { is: await cgroupParent(this.#client) }
    const { is: parent } = this.#cgroupParent
    const config = sandboxConfig(pod, attempt, { logRoot, ...(parent !== undefined && { cgroupParent: parent }) })
    const run = () =>
      this.#turns.take(0, async () => (await this.#client.call(methods.runSandbox, { config }, workMs)).pod_sandbox_id)
    const existing = async () => {
      const sandboxes = await this.#view.list(pod)
      return sandboxes.find((one) => one.pod.uid === pod.uid && one.attempt === attempt)?.id
    }
    const id = await once(run, existing)
    this.#view.own(id, pod)
    return id
  }

  async #requireNetwork(): Promise<void> {
    const { status } = await this.#client.call(methods.status, {})
    const network = status?.conditions.find(({ type }) => type === 'NetworkReady')
    if (network === undefined || network.status) return
    const said = `NetworkReady=false reason:${network.reason} message:${network.message}`
    const advice = 'set up CNI in /etc/cni/net.d, or give the pod hostNetwork: true'
    throw new EngineFault(
      'NetworkNotReady',
      `network is not ready: container runtime network not ready: ${said}; ${advice}`,
    )
  }

  async stopSandbox(id: string): Promise<void> {
    await this.#client.call(methods.stopSandbox, { pod_sandbox_id: id }, workMs).catch(unlessGone)
  }

  async removeSandbox(id: string): Promise<void> {
    await this.stopSandbox(id)
    await this.#client.call(methods.removeSandbox, { pod_sandbox_id: id }, workMs).catch(unlessGone)
  }

  async createContainer(sandbox: string, pod: PodConfig, container: ContainerConfig): Promise<string> {
    const { logRoot } = this.#options
    await mkdir(dirname(this.logFile(pod, container)), { recursive: true, mode: 0o755 })
    const request = {
      pod_sandbox_id: sandbox,
      config: containerConfig(pod, container),
      sandbox_config: sandboxConfig(pod, 0, { logRoot }),
    }
    const create = () =>
      this.#turns.take(1, async () => (await this.#client.call(methods.createContainer, request, workMs)).container_id)
    const existing = async () => {
      const { containers = [] } = (await this.#view.list(pod)).find(({ id }) => id === sandbox) ?? {}
      return containers.find(({ name, attempt }) => name === container.name && attempt === container.attempt)?.id
    }
    const id = await once(create, existing)
    this.#view.own(id, pod)
    return id
  }

  async startContainer(id: string): Promise<void> {
    try {
      await this.#turns.take(2, () => this.#client.call(methods.startContainer, { container_id: id }, workMs))
    } catch (error) {
      const status = await this.#view.status(id)
      const ran = status !== undefined && status.started_at > 0
      if (!ran) throw error
    }
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    const status = await this.#view.status(id)
    if (status === undefined || status.state === containerState.exited) return
    const until = this.#options.clock.now() + graceMs
    if (until >= (this.#view.until(id) ?? Number.POSITIVE_INFINITY)) return
    this.#view.stop(id, until)
    const pod = this.#view.owner(id)
    const request = { container_id: id, timeout: Math.ceil(graceMs / 1000) }
    void this.#client.call(methods.stopContainer, request, graceMs + workMs).then(
      () => this.#ended(id, pod),
      (error) => {
        if (!isGone(error)) {
          this.#options.log.info({ container: id, reason: explain(error) }, 'container stop failed')
          this.#view.stop(id, undefined)
        }
        this.#ended(id, pod)
      },
    )
  }

  #ended(id: string, pod: PodName | undefined): void {
    this.#view.expire(id)
    if (pod !== undefined) this.#watcher.tell(pod)
  }

  async removeContainer(id: string): Promise<void> {
    await this.#client.call(methods.removeContainer, { container_id: id }, workMs).catch(unlessGone)
  }

  async exec(id: string, command: readonly string[], timeoutMs: number): Promise<ExecResult> {
    const request = { container_id: id, cmd: command, timeout: Math.max(1, Math.ceil(timeoutMs / 1000)) }
    try {
      const answer = await this.#client.call(methods.execSync, request, timeoutMs + execMarginMs)
      return { exitCode: answer.exit_code, stdout: answer.stdout, stderr: answer.stderr }
    } catch (error) {
      if (!isLate(error)) throw error
      throw new ExecTimedOut(`command ${command[0] ?? ''} timed out after ${timeoutMs / 1000} s`, { cause: error })
    }
  }

  async streamUrl(request: StreamRequest): Promise<string> {
    if (request.is === 'portForward') {
      const { sandbox, ports } = request
      return (await this.#client.call(methods.portForward, { pod_sandbox_id: sandbox, port: ports })).url
    }
    const { container, stdin, tty } = request
    const streams = { container_id: container, stdin, tty, stdout: true, stderr: !tty }
    if (request.is === 'attach') return (await this.#client.call(methods.attach, streams)).url
    return (await this.#client.call(methods.exec, { ...streams, cmd: request.command })).url
  }

  logFile(pod: PodId, container: { name: string; attempt: number }): string {
    return join(logFolder(this.#options.logRoot, pod), logPath(container))
  }

  async reopenLog(id: string): Promise<void> {
    await this.#client.call(methods.reopenLog, { container_id: id })
  }

  async stats(): Promise<ContainerStats[]> {
    const filter = { label_selector: { [labels.manager]: manager } }
    const { stats } = await this.#client.call(methods.listStats, { filter })
    // Of those that have ended there is an entry, too, with nothing in it.
    const running = stats.filter(({ cpu, memory }) => cpu !== undefined || memory !== undefined)
    return running.map(({ attributes, cpu, memory, writable_layer }) => ({
      id: attributes?.id ?? '',
      cpuNanos: cpu?.usage_core_nano_seconds?.value ?? 0,
      memoryBytes: memory?.working_set_bytes?.value ?? 0,
      diskBytes: writable_layer?.used_bytes?.value ?? 0,
    }))
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

  /** Lets go of the engine; what runs goes on. */
  close(): void {
    this.#watcher.stop()
    this.#client.close()
  }
}

/** Makes something of which there can be one: a repeat after an answer that was lost finds what was made. */
async function once(make: () => Promise<string>, find: () => Promise<string | undefined>): Promise<string> {
  try {
    return await make()
  } catch (error) {
    // Engines keep the name of what they make: `name "…" is reserved for "…"`.
    const found = error instanceof GrpcError && /reserved|already exists|in use/i.test(error.message) && (await find())
    if (found) return found
    throw error
  }
}

function unlessGone(error: unknown): void {
  if (!isGone(error)) throw error
}

function isLate(error: unknown): boolean {
  if (!(error instanceof GrpcError)) return false
  return error.code === codes.deadlineExceeded || /timeout .*exceeded|timed out/i.test(error.message)
}

function reasonOf(error: unknown): string {
  for (let at = error; at instanceof Error; at = at.cause) if (at instanceof EngineFault) return at.reason
  return 'ContainerRuntimeUnreachable'
}

/** How an engine is called that was never reached. */
function guess(endpoint: () => string): string {
  try {
    return basename(endpoint()).startsWith('crio') ? 'cri-o' : 'containerd'
  } catch {
    return 'containerd'
  }
}
