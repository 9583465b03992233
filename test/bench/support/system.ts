import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isAlive } from '@kedge/shared/pid-file'
import type { ProgramName } from '../../../scripts/build.ts'
import type { Member } from '../../../scripts/fleet/layout.ts'
import { MemberProcess } from '../../../scripts/fleet/member-process.ts'
import { eventually } from '../../support/eventually.ts'
import { portsInARow } from '../../support/ports-in-a-row.ts'
import { EdgeRows } from './edge-rows.ts'
import { KubeClient } from './kube-client.ts'

type Settings = Member['settings']

/** cloudcore's default, in milliseconds. */
export const statusInterval = 10_000

/** A program in a process of its own, from its bundle, with its settings file, data and log in a folder. */
export class Program {
  readonly process: MemberProcess
  readonly data: string
  readonly #log: string

  constructor(dir: string, name: string, program: ProgramName, settings: Settings) {
    this.data = join(dir, name)
    this.#log = join(dir, `${name}.log`)
    this.process = new MemberProcess({
      ...{ name, program, settings: { ...settings, data: this.data }, data: this.data, log: this.#log, ports: [] },
      settingsFile: join(dir, `${name}.yaml`),
      pidFile: join(this.data, `${program}.pid`),
    })
  }

  get pid(): number {
    const { startedPid } = this.process
    if (startedPid === undefined || !isAlive(startedPid)) throw new Error(`${this.#log}:\n${this.#tail()}`)
    return startedPid
  }

  /** Starts the process and resolves with the time of it, in milliseconds since the epoch. */
  start(): number {
    this.process.start()
    return Date.now()
  }

  stop(): Promise<boolean> {
    return this.process.stop(10_000)
  }

  /** As a power cut. */
  async kill(): Promise<void> {
    const { pid } = this
    process.kill(pid, 'SIGKILL')
    await eventually(() => !isAlive(pid), { every: 5 })
  }

  /**
   * The time, in milliseconds since the epoch, of the first line of the log with one of these messages at or after
   * `since`.
   */
  said(messages: string | readonly string[], since: number): Promise<number> {
    const all = [messages].flat()
    const look = () => this.pid && this.#times(all).find((time) => time >= since)
    return eventually(look, { within: 60_000, every: 20 }).catch((cause) => {
      throw new Error(`no "${all.join('", "')}" in ${this.#log}:\n${this.#tail()}`, { cause })
    })
  }

  #times(messages: readonly string[]): number[] {
    const lines = this.#text().split('\n')
    return lines
      .filter((line) => messages.some((message) => line.includes(`"msg":"${message}"`)))
      .map((line) => Date.parse(/"time":"([^"]+)"/.exec(line)?.[1] ?? ''))
  }

  #tail(): string {
    return this.#text().trimEnd().split('\n').slice(-10).join('\n')
  }

  #text(): string {
    return existsSync(this.#log) ? readFileSync(this.#log, 'utf8') : ''
  }
}

export class Edge extends Program {
  readonly mqttPort: number
  /** Where gRPC mappers register. */
  readonly dmiSocket: string
  readonly nodeName: string

  constructor(
    dir: string,
    nodeName: string,
    { cloudPort, mqttPort, settings }: { cloudPort: number; mqttPort: number; settings: Settings },
  ) {
    const cloud = `mqtt://127.0.0.1:${cloudPort}`
    const dmiSocket = join(dir, nodeName, 'dmi.sock')
    super(dir, nodeName, 'edgecore', {
      'node-name': nodeName,
      'mqtt-port': mqttPort,
      'dmi-socket': dmiSocket,
      runtime: 'simulated',
      cloud,
      'cloud-plain': true,
      ...settings,
    })
    this.dmiSocket = dmiSocket
    this.mqttPort = mqttPort
    this.nodeName = nodeName
  }

  /** Starts it and resolves once it has heard from its cloud what to hold. */
  async up(): Promise<void> {
    await this.said(['in sync', 'change applied'], this.start())
  }

  /** Opens its database; close it before the data is wiped. */
  rows(): EdgeRows {
    return new EdgeRows(join(this.data, 'edge.db'))
  }

  wipe(): void {
    rmSync(this.data, { recursive: true, force: true })
  }
}

/** cloudcore with its embedded API and broker, and edges to it: processes on loopback, in a folder that goes. */
export class System {
  readonly cloudcore: Program
  readonly linkPort: number
  readonly #dir: string
  readonly #apiPort: number
  readonly #metricsPort: number
  readonly kubeconfig: string
  readonly #programs: Program[] = []
  #kube: KubeClient | undefined

  private constructor(dir: string, firstPort: number, secure: boolean) {
    this.#dir = dir
    this.linkPort = firstPort
    this.#apiPort = firstPort + 1
    this.#metricsPort = firstPort + 2
    this.kubeconfig = join(dir, 'kubeconfig')
    this.cloudcore = new Program(dir, 'cloudcore', 'cloudcore', {
      standalone: true,
      'link-port': this.linkPort,
      'link-plain': !secure,
      'api-port': this.#apiPort,
      'metrics-address': `127.0.0.1:${this.#metricsPort}`,
      'write-kubeconfig': this.kubeconfig,
    })
    this.#programs.push(this.cloudcore)
  }

  /** Starts cloudcore, hands the system to `use`, and stops and removes everything after it; `secure`: with TLS. */
  static async run(use: (system: System) => Promise<void>, { secure = false } = {}): Promise<void> {
    const system = new System(mkdtempSync(join(tmpdir(), 'kedge-bench-')), await portsInARow(3), secure)
    const atExit = () => system.#killAll()
    process.once('exit', atExit)
    try {
      await system.startCloudcore()
      await use(system)
    } finally {
      await system.#stop()
      process.off('exit', atExit)
    }
  }

  get kube(): KubeClient {
    this.#kube ??= new KubeClient(this.kubeconfig)
    return this.#kube
  }

  /** Resolves once it takes connections from edges. */
  async startCloudcore(): Promise<void> {
    const since = this.cloudcore.start()
    await this.cloudcore.said('cloudcore started', since)
  }

  /** An edge that is not started yet; `cloudPort` is that of a proxy before cloudcore's broker, or cloudcore's; `settings` add to its own. */
  async edge(nodeName: string, cloudPort = this.linkPort, settings: Settings = {}): Promise<Edge> {
    const edge = new Edge(this.#dir, nodeName, { cloudPort, mqttPort: await portsInARow(1), settings })
    this.#programs.push(edge)
    return edge
  }

  /** A sum of cloudcore's metrics whose line begins with `name`. */
  async metric(name: string): Promise<number> {
    const text = await (await fetch(`http://127.0.0.1:${this.#metricsPort}/metrics`)).text()
    const lines = text.split('\n').filter((line) => line.startsWith(name))
    if (lines.length === 0) throw new Error(`cloudcore has no metric ${name}`)
    return lines.reduce((sum, line) => sum + Number(line.split(' ').at(-1)), 0)
  }

  /** What cloudcore shows on a page beside its metrics. */
  async page(path: string): Promise<unknown> {
    return (await fetch(`http://127.0.0.1:${this.#metricsPort}${path}`)).json()
  }

  /** Resolves once cloudcore has written nothing to Kubernetes for `calm` milliseconds. */
  async quiet(calm = 1500, within = 60_000): Promise<void> {
    const deadline = performance.now() + within
    let before = -1
    let since = performance.now()
    while (performance.now() - since < calm) {
      const now = await this.metric('kedge_cloud_kube_writes_total')
      if (now !== before) since = performance.now()
      before = now
      if (performance.now() > deadline) throw new Error(`cloudcore still writes after ${within} ms`)
      await pause(100)
    }
  }

  async #stop(): Promise<void> {
    this.#kube?.close()
    for (const program of this.#programs.reverse()) await program.stop()
    rmSync(this.#dir, { recursive: true, force: true, maxRetries: 5 })
  }

  #killAll(): void {
    for (const { process: each } of this.#programs) {
      const { pid } = each
      if (pid !== undefined && pid === each.startedPid) process.kill(pid, 'SIGKILL')
    }
  }
}
