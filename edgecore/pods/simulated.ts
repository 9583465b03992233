import { createHash, randomBytes } from 'node:crypto'
import type { Clock } from '@kedge/shared/clock'
import type { Store } from '../store/store.ts'
import type {
  ContainerConfig,
  ContainerStats,
  ExecResult,
  Health,
  ImageFsInfo,
  ImageInfo,
  PodConfig,
  PodName,
  Runtime,
  Sandbox,
} from './runtime.ts'
import type { Scheduler } from './scheduler.ts'
import { afterReboot, begun, type ContainerRow, hasEnded, recordOf, sandboxOf, stopped } from './simulated-life.ts'
import { Rows } from './simulated-rows.ts'
import { readSimulation, type Simulation, simulationAnnotation } from './simulation.ts'

export interface SimulatedOptions {
  store: Store
  clock: Clock
  scheduler: Scheduler
  /** Names this boot of the machine: containers do not outlive another one. */
  bootId: string
}

/**
 * An engine that executes nothing. Its containers are rows in the node's database, so they outlive edgecore, and what
 * becomes of one follows from its row and the time alone: it starts, ends by itself when its pod's annotation says so,
 * and ends when asked. A reboot of the machine ends them all, as it would real ones.
 *
 * Invariant: a call resolves after its rows are on disk.
 */
export class SimulatedRuntime implements Runtime {
  readonly name = 'simulated'
  readonly notice = {
    type: 'kedge.io/Simulated',
    reason: 'SimulatedRuntime',
    message: 'Simulated: the runtime of this node executes nothing; states and times are made up.',
  }
  readonly #clock: Clock
  readonly #scheduler: Scheduler
  readonly #rows: Rows
  readonly #bootId: string
  readonly #images = new Set<string>()
  #changed: ((pod: PodName) => void) | undefined
  #cancel: () => void = () => {}

  private constructor({ store, clock, scheduler, bootId }: SimulatedOptions) {
    this.#clock = clock
    this.#scheduler = scheduler
    this.#bootId = bootId
    this.#rows = new Rows(store)
  }

  /** Takes over what is in the database; what an earlier boot left running has ended with that boot. */
  static async open(options: SimulatedOptions): Promise<SimulatedRuntime> {
    const engine = new SimulatedRuntime(options)
    const now = options.clock.now()
    await engine.#rows.put(engine.#rows.all().flatMap((row) => afterReboot(row, options.bootId, now)))
    return engine
  }

  async version(): Promise<string> {
    return '0.1.0'
  }

  async health(): Promise<Health> {
    return { runtime: { ok: true }, network: { ok: true } }
  }

  refusal({ annotations, containers }: PodConfig): string | undefined {
    const read = readSimulation(annotations)
    if (!read.ok) return read.reason
    const names = containers.map(({ name }) => name)
    const unknown = Object.keys(read.simulation.containers).find((name) => !names.includes(name))
    if (unknown === undefined) return undefined
    return `annotation ${simulationAnnotation}: containers.${unknown}: the pod has no such container, it has ${names.join(', ')}`
  }

  async list(pod?: PodName): Promise<Sandbox[]> {
    const rows = pod === undefined ? this.#rows.all() : this.#rows.of(pod)
    const now = this.#clock.now()
    return rows.flatMap((row) => (row.is === 'sandbox' ? [sandboxOf(row, rows, now)] : []))
  }

  async createSandbox(pod: PodConfig, attempt: number): Promise<string> {
    const { namespace, name, uid, graceMs, notes } = pod
    const same = this.#rows
      .of(pod)
      .find((row) => row.is === 'sandbox' && row.pod.uid === uid && row.attempt === attempt)
    if (same !== undefined) return same.id
    const id = newId()
    const row = { is: 'sandbox', id, pod: { namespace, name, uid }, attempt, graceMs, ready: true } as const
    await this.#rows.put([{ ...row, ...(notes && { notes }), createdAt: this.#clock.now(), bootId: this.#bootId }])
    return id
  }

  async stopSandbox(id: string): Promise<void> {
    const sandbox = this.#rows.get(id)
    if (sandbox?.is !== 'sandbox') return
    const now = this.#clock.now()
    const containers = this.#rows.inSandbox(id).map((row) => stopped(row, now, 0))
    await this.#rows.put([...containers, { ...sandbox, ready: false }])
  }

  async removeSandbox(id: string): Promise<void> {
    await this.#rows.drop([...this.#rows.inSandbox(id).map((row) => row.id), id])
  }

  async createContainer(sandbox: string, pod: PodConfig, config: ContainerConfig): Promise<string> {
    if (this.#rows.get(sandbox)?.is !== 'sandbox') throw new Error(`there is no sandbox ${sandbox}`)
    const { name, attempt } = config
    const existing = this.#rows.inSandbox(sandbox).find((row) => row.name === name && row.attempt === attempt)
    if (existing !== undefined) return existing.id
    const id = newId()
    const { namespace, uid } = pod
    const behaviour = simulationOf(pod).containers[name] ?? {}
    const createdAt = this.#clock.now()
    const identity = { is: 'container', id, sandbox, pod: { namespace, name: pod.name, uid } } as const
    await this.#rows.put([{ ...identity, ...recordOf(config), behaviour, createdAt, bootId: this.#bootId }])
    return id
  }

  async startContainer(id: string): Promise<void> {
    const row = this.#container(id)
    if (row.startedAt !== undefined) return
    await this.#rows.put([begun(row, this.#clock.now())])
    this.#alarm()
  }

  async stopContainer(id: string, graceMs: number): Promise<void> {
    const row = this.#rows.get(id)
    if (row?.is !== 'container') return
    await this.#rows.put([stopped(row, this.#clock.now(), graceMs)])
    this.#alarm()
  }

  async removeContainer(id: string): Promise<void> {
    await this.#rows.drop([id])
  }

  /** Nothing is executed, and every command succeeds: the probes of a simulated container do. */
  async exec(id: string, command: readonly string[]): Promise<ExecResult> {
    const row = this.#container(id)
    const runs = row.startedAt !== undefined && !hasEnded(row, this.#clock.now())
    if (!runs) throw new Error(`container ${row.name} does not run`)
    const stderr = Buffer.from(
      `simulated: ${command[0] ?? 'nothing'} was not executed, the runtime of this node executes nothing\n`,
    )
    return { exitCode: 0, stdout: Buffer.alloc(0), stderr }
  }

  async streamUrl(): Promise<string> {
    throw new Error('simulated: the runtime of this node executes nothing, so there is nothing to stream')
  }

  logFile(): undefined {
    return undefined
  }

  async reopenLog(): Promise<void> {}

  async stats(): Promise<ContainerStats[]> {
    const now = this.#clock.now()
    const running = this.#rows
      .all()
      .filter((row) => row.is === 'container' && row.startedAt !== undefined && !hasEnded(row, now))
    return running.map(({ id }) => ({ id, cpuNanos: 0, memoryBytes: 0, diskBytes: 0 }))
  }

  async image(reference: string): Promise<string | undefined> {
    const used = () => this.#rows.all().some((row) => row.is === 'container' && row.image === reference)
    return this.#images.has(reference) || used() ? imageId(reference) : undefined
  }

  async pull(reference: string, pod: PodConfig): Promise<string> {
    const { pullTime, pullError } = simulationOf(pod)
    if (pullTime !== undefined) await new Promise<void>((resolve) => this.#scheduler.after(pullTime, resolve))
    if (pullError !== undefined) throw new Error(pullError)
    this.#images.add(reference)
    return imageId(reference)
  }

  async imageInfo(reference: string): Promise<ImageInfo | undefined> {
    const id = await this.image(reference)
    return id === undefined ? undefined : { id, names: [reference], digests: [], bytes: 0, pinned: false }
  }

  async images(): Promise<ImageInfo[]> {
    const used = this.#rows.all().flatMap((row) => (row.is === 'container' ? [row.image] : []))
    const names = [...new Set([...this.#images, ...used])]
    return names.map((name) => ({ id: imageId(name), names: [name], digests: [], bytes: 0, pinned: false }))
  }

  async removeImage(id: string): Promise<void> {
    for (const name of this.#images) if (imageId(name) === id) this.#images.delete(name)
  }

  async imageFsInfo(): Promise<ImageFsInfo[]> {
    return []
  }

  watch(changed: (pod: PodName) => void): () => void {
    this.#changed = changed
    this.#alarm()
    return () => {
      this.#changed = undefined
      this.#cancel()
    }
  }

  close(): void {
    this.#cancel()
  }

  #container(id: string): ContainerRow {
    const row = this.#rows.get(id)
    if (row?.is !== 'container') throw new Error(`there is no container ${id}`)
    return row
  }

  /** Tells of the containers that have ended, and rings again when the next one does. */
  #alarm(): void {
    this.#cancel()
    if (this.#changed === undefined) return
    const now = this.#clock.now()
    const alive = this.#rows.all().filter((row): row is ContainerRow => row.is === 'container' && row.ended !== true)
    const ended = alive.filter((row) => hasEnded(row, now))
    // A note that fails is made at the next alarm.
    this.#rows.end(ended).catch(() => {})
    for (const { pod } of ended) this.#changed(pod)
    const next = Math.min(...alive.map(({ exit }) => exit?.at ?? Number.POSITIVE_INFINITY).filter((at) => at > now))
    if (Number.isFinite(next)) this.#cancel = this.#scheduler.after(next - now, () => this.#alarm())
  }
}

function simulationOf(pod: PodConfig): Simulation {
  const read = readSimulation(pod.annotations)
  if (!read.ok) throw new Error(read.reason)
  return read.simulation
}

function newId(): string {
  return randomBytes(32).toString('hex')
}

function imageId(reference: string): string {
  return `simulated://sha256:${createHash('sha256').update(reference).digest('hex')}`
}
