import { mkdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type {
  ContainerConfig,
  ContainerStats,
  ExecResult,
  PodConfig,
  PodId,
  PodName,
  StreamRequest,
} from '../runtime.ts'
import { ExecTimedOut } from '../runtime.ts'
import { methods } from './api.ts'
import { containerState } from './api-container.ts'
import type { CgroupParent } from './cgroups.ts'
import { type CriClient, isGone, isLate, once, unlessGone, workMs } from './client.ts'
import { containerConfig } from './container-config.ts'
import { labels, logFolder, logPath, manager } from './names.ts'
import { sandboxConfig } from './sandbox-config.ts'
import type { Turns } from './turns.ts'
import type { View } from './view.ts'

export interface ContainersOptions {
  client: CriClient
  view: View
  turns: Turns
  cgroups: CgroupParent
  logRoot: string
  clock: Clock
  log: Log
  /** Something about the pod is not as it was. */
  tell: (pod: PodName) => void
}

/** An engine that takes a little longer than the time that a command has is not late yet. */
const execMarginMs = 5000

/** The containers of the engine: what `Runtime` asks of each. */
export class CriContainers {
  readonly #options: ContainersOptions
  readonly #client: CriClient
  readonly #view: View

  constructor(options: ContainersOptions) {
    this.#options = options
    this.#client = options.client
    this.#view = options.view
  }

  async create(sandbox: string, pod: PodConfig, container: ContainerConfig): Promise<string> {
    const { logRoot, turns, cgroups } = this.#options
    await mkdir(dirname(this.logFile(pod, container)), { recursive: true, mode: 0o755 })
    const request = {
      pod_sandbox_id: sandbox,
      config: containerConfig(pod, container),
      sandbox_config: sandboxConfig(pod, 0, { logRoot, cgroupParent: await cgroups.name() }),
    }
    const create = async () => (await this.#client.call(methods.createContainer, request, workMs)).container_id
    const existing = async () => {
      const { containers = [] } = (await this.#view.list(pod)).find(({ id }) => id === sandbox) ?? {}
      return containers.find(({ name, attempt }) => name === container.name && attempt === container.attempt)?.id
    }
    const id = await once(() => turns.take(1, create), existing)
    this.#view.own(id, pod)
    return id
  }

  async start(id: string): Promise<void> {
    try {
      await this.#options.turns.take(2, () => this.#client.call(methods.startContainer, { container_id: id }, workMs))
    } catch (error) {
      // One that could not start has ended, too, but never began.
      const status = await this.#view.status(id)
      if (status === undefined || status.started_at === 0) throw error
    }
  }

  async stop(id: string, graceMs: number): Promise<void> {
    const status = await this.#view.status(id)
    if (status === undefined || status.state === containerState.exited) return
    const until = this.#options.clock.now() + graceMs
    if (until >= (this.#view.until(id) ?? Number.POSITIVE_INFINITY)) return
    this.#view.stop(id, until)
    const request = { container_id: id, timeout: Math.ceil(graceMs / 1000) }
    // The engine answers once it has ended.
    void this.#client
      .call(methods.stopContainer, request, graceMs + workMs)
      .catch((error) => this.#notStopped(id, error))
      .then(() => this.#ended(id))
  }

  #notStopped(id: string, error: unknown): void {
    if (isGone(error)) return
    this.#options.log.info({ container: id, reason: explain(error) }, 'container stop failed')
    this.#view.stop(id, undefined)
  }

  #ended(id: string): void {
    this.#view.expire(id)
    const pod = this.#view.owner(id)
    if (pod !== undefined) this.#options.tell(pod)
  }

  async remove(id: string): Promise<void> {
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
}
