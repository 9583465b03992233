import { mkdirSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { root } from '../build.ts'
import { joinEdge } from './join.ts'
import { ask, readKubeconfig } from './kube.ts'
import { commandOf, earlierEdges, type Layout } from './layout.ts'
import { MemberProcess } from './member-process.ts'
import { createFrom, isReady, nodesInSync } from './nodes.ts'
import { checkPorts } from './ports.ts'
import { until } from './until.ts'

export type Say = (line: string) => void

const stopGrace = 10_000
const startWithin = 120_000
const joinsAtOnce = 8

/**
 * cloudcore and its edge nodes as processes of this machine.
 *
 * Invariants:
 * - The edge nodes start after the API answers, and stop before cloudcore does.
 * - `fleet.json` is there while the fleet runs, and names the processes that run now.
 * - A process that ends by itself is told, with the command that starts it again; the others go on.
 */
export class Fleet {
  readonly layout: Layout
  readonly cloudcore: MemberProcess
  readonly edges: MemberProcess[]
  readonly #say: Say
  /** The pids as they were last told. */
  #known = new Map<MemberProcess, number | undefined>()
  readonly #restarting = new Set<MemberProcess>()

  constructor(layout: Layout, say: Say) {
    this.layout = layout
    this.cloudcore = new MemberProcess(layout.cloudcore)
    this.edges = layout.edges.map((edge) => new MemberProcess(edge))
    this.#say = say
  }

  get processes(): MemberProcess[] {
    return [this.cloudcore, ...this.edges]
  }

  /** Starts everything and waits until it works. Throws when a process ends meanwhile, or `signal` aborts. */
  async start(signal: AbortSignal): Promise<void> {
    mkdirSync(this.layout.dir, { recursive: true })
    rmSync(this.layout.fleetFile, { force: true })
    await this.#stopLeftovers()
    await checkPorts(this.processes.map(({ member }) => member))
    this.cloudcore.start()
    await this.#until('the API answers', [this.cloudcore], signal, () => this.#apiAnswers())
    await this.#join(signal)
    for (const edge of this.edges) edge.start()
    const everyone = this.processes
    await this.#until('all nodes have a link and are in sync', everyone, signal, async () => {
      return (await nodesInSync(this.#metricsUrl)) >= this.edges.length
    })
    for (const { member } of this.edges) {
      await this.#until(`${member.name} is Ready`, everyone, signal, () => isReady(this.#access(), member.name))
    }
    const example = join(root, 'deploy/examples/thermostat.yaml')
    await this.#until('the thermostat is there', [this.cloudcore], signal, async () => {
      await createFrom(this.#access(), example)
      return true
    })
    this.#note()
  }

  /** A few at a time: each join is some work for both sides. */
  async #join(signal: AbortSignal): Promise<void> {
    const { kubeconfig } = this.layout
    const left = [...this.edges]
    await this.#until('all nodes have joined', [this.cloudcore], signal, async () => {
      while (left.length > 0) {
        const some = left.slice(0, joinsAtOnce)
        await Promise.all(some.map(({ member }) => joinEdge({ kubeconfig, edge: member, signal })))
        left.splice(0, some.length)
      }
      return true
    })
  }

  /** Looks after the processes until `signal` aborts: tells who ended and who came back. */
  async watch(signal: AbortSignal): Promise<void> {
    while (!signal.aborted) {
      for (const each of this.processes) this.#look(each)
      await pause(250, undefined, { signal }).catch(() => {})
    }
  }

  /** Stops the edge nodes, then cloudcore: what runs, whoever started it. */
  async stop(): Promise<void> {
    for (const group of [this.edges, [this.cloudcore]]) {
      await Promise.all(group.map((each) => this.#stopOne(each)))
    }
    rmSync(this.layout.fleetFile, { force: true })
  }

  /** Stops one process and starts it again. */
  async restart(each: MemberProcess): Promise<void> {
    this.#restarting.add(each)
    await each.stop(stopGrace)
    each.start()
    this.#restarting.delete(each)
    this.#note()
  }

  async #stopOne(each: MemberProcess): Promise<void> {
    if (each.pid === undefined) return
    const forced = await each.stop(stopGrace)
    this.#say(`${each.member.name} stopped${forced ? `, killed after ${stopGrace / 1000} s without an end` : ''}`)
  }

  /** An `npm start` that was killed leaves its processes running. */
  async #stopLeftovers(): Promise<void> {
    const earlier = earlierEdges(this.layout).map((edge) => new MemberProcess(edge))
    for (const each of [...earlier, this.cloudcore]) {
      const { pid } = each
      if (pid === undefined) continue
      this.#say(`${each.member.name} still runs as process ${pid}, left by an earlier start: stopping it`)
      await each.stop(stopGrace)
    }
  }

  #look(each: MemberProcess): void {
    const [before, now] = [this.#known.get(each), each.pid]
    if (before === now || this.#restarting.has(each)) return
    const { name, log } = each.member
    if (now !== undefined) this.#say(`${name} runs again, as process ${now}`)
    else {
      this.#say(`\n!! ${name}, process ${before}, has ended${each.endingOf(before)}. The end of ${log}:`)
      for (const line of each.lastLines(5)) this.#say(`     ${line}`)
      this.#say(`   Start it again with: ${commandOf(each.member, process.cwd())}\n`)
    }
    this.#note()
  }

  /** Remembers who runs and writes `fleet.json`, at once and whole. */
  #note(): void {
    for (const each of this.processes) this.#known.set(each, each.pid)
    const { fleetFile } = this.layout
    writeFileSync(`${fleetFile}.tmp`, `${JSON.stringify(this.#described(), null, 2)}\n`)
    renameSync(`${fleetFile}.tmp`, fleetFile)
  }

  /** What `fleet.json` says; a process that has ended has the pid null. */
  #described(): Record<string, unknown> {
    const common = (each: MemberProcess) => ({
      pid: each.pid ?? null,
      data: each.member.data,
      log: each.member.log,
      command: commandOf(each.member, process.cwd()),
    })
    const { settings } = this.cloudcore.member
    return {
      kubeconfig: this.layout.kubeconfig,
      pid: process.pid,
      cloudcore: {
        ...common(this.cloudcore),
        api: `https://127.0.0.1:${settings['api-port']}`,
        link: `mqtts://127.0.0.1:${settings['link-port']}`,
        metrics: this.#metricsUrl,
      },
      nodes: this.edges.map((edge) => ({
        name: edge.member.name,
        mqtt: `mqtt://127.0.0.1:${edge.member.settings['mqtt-port']}`,
        ...common(edge),
      })),
    }
  }

  get #metricsUrl(): string {
    return `http://${this.cloudcore.member.settings['metrics-address']}/metrics`
  }

  #access() {
    return readKubeconfig(this.layout.kubeconfig)
  }

  async #apiAnswers(): Promise<boolean> {
    return (await ask(this.#access(), 'GET', '/readyz')).status === 200
  }

  /** Waits until `look` says yes, while all of `needed` run. */
  #until(what: string, needed: MemberProcess[], signal: AbortSignal, look: () => Promise<boolean>): Promise<void> {
    const check = () => {
      for (const each of needed) this.#mustRun(each)
    }
    return until({ what, look, check, signal, say: this.#say, within: startWithin })
  }

  #mustRun(each: MemberProcess): void {
    if (each.pid !== undefined) return
    const lines = each.lastLines(10).map((line) => `  ${line}`)
    const { name, log } = each.member
    throw new Error(`${name} has ended${each.endingOf(each.startedPid)}. The end of ${log}:\n${lines.join('\n')}`)
  }
}
