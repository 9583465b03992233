import { join as joinPath } from 'node:path'
import { startApiServer } from '@kedge/cloudcore/apiserver/apiserver'
import { tokenCommand } from '@kedge/cloudcore/cli/token'
import { type Cloudcore, startCloudcore } from '@kedge/cloudcore/cloudcore'
import type { IssuingSettings } from '@kedge/cloudcore/identity/open-issuing'
import { join } from '@kedge/edgecore/cli/join'
import { startEdgecore } from '@kedge/edgecore/edgecore'
import { type Clock, systemClock } from '@kedge/shared/clock'
import { openLog, silentLog } from '@kedge/shared/log'
import { onTestFinished } from 'vitest'
import { Api } from './api.ts'
import { DeviceClient } from './device-client.ts'
import { eventually } from './eventually.ts'
import { heard } from './members.ts'
import type { LogLine } from './programs.ts'
import { tempDir, type WhenOver } from './temp-dir.ts'

interface Parts {
  clock: Clock
  data: string
  kubeconfig: string
  settings: Partial<IssuingSettings>
}

/** cloudcore with TLS in this process, whose clock is turned by hand, over an API of its own with the machine's time. */
export class JoinableCloud {
  readonly api: Api
  readonly kubeconfig: string
  readonly log: LogLine[] = []
  readonly #clock: Clock
  readonly #data: string
  readonly #settings: Partial<IssuingSettings>
  #cloudcore: Cloudcore | undefined
  #port = 0

  private constructor({ clock, data, kubeconfig, settings }: Parts) {
    this.#settings = settings
    this.#clock = clock
    this.#data = data
    this.kubeconfig = kubeconfig
    this.api = new Api(kubeconfig)
  }

  /** `settings` beside the usual ones. */
  static async start(
    clock: Clock,
    whenOver: WhenOver = onTestFinished,
    settings: Partial<IssuingSettings> = {},
  ): Promise<JoinableCloud> {
    const dir = tempDir(whenOver)
    const kubeconfig = joinPath(dir, 'kubeconfig')
    const options = { dir, host: '127.0.0.1', port: 0, kubeconfig, clock: systemClock, log: silentLog }
    const server = await startApiServer(options)
    whenOver(() => server.stop())
    const cloud = new JoinableCloud({ clock, data: tempDir(whenOver), kubeconfig, settings })
    whenOver(async () => {
      await cloud.stop()
      await cloud.api.close()
    })
    await cloud.start()
    return cloud
  }

  /** The same after every restart. */
  get port(): number {
    return this.#port
  }

  async start(): Promise<void> {
    const to = { write: (line: string) => void this.log.push(JSON.parse(line) as LogLine) }
    const link = { linkHost: '127.0.0.1', linkPort: this.#port }
    this.#cloudcore = await startCloudcore({
      settings: {
        ...{ data: this.#data, apiHost: '127.0.0.1', apiPort: 0, writeKubeconfig: undefined, ...link },
        ...{ statusInterval: 50, defaultAutonomy: 3_600_000, installCrds: true, metricsAddress: null },
        ...this.#settings,
      },
      kubernetes: { is: 'kubeconfig', path: this.kubeconfig },
      ...{
        clock: this.#clock,
        random: Math.random,
        log: openLog({ level: 'info', program: 'cloudcore', version: 'test', to }),
      },
    })
    this.#port = this.#cloudcore.linkPort ?? 0
  }

  async stop(): Promise<void> {
    const cloudcore = this.#cloudcore
    this.#cloudcore = undefined
    await cloudcore?.stop()
  }

  /** The arguments of the command that `cloudcore token create` prints, behind `edgecore join`. */
  async token(...flags: string[]): Promise<string[]> {
    const around = { env: {}, now: this.#clock.now(), note: () => {} }
    const create = () => tokenCommand(['create', '--kubeconfig', this.kubeconfig, ...flags], around)
    // A cloudcore that has just started says a little later where it is.
    const printed = await eventually(create)
    return printed.trim().split(' ').slice(2)
  }
}

/** One board: what it keeps, and edgecore on it. */
export class Board {
  readonly data: string
  readonly #name: string
  readonly #clock: Clock
  #edge: Awaited<ReturnType<typeof startEdgecore>> | undefined

  constructor(name: string, clock: Clock, whenOver: WhenOver = onTestFinished) {
    this.#name = name
    this.#clock = clock
    this.data = joinPath(tempDir(whenOver), 'data')
    whenOver(() => this.stop())
  }

  /** `edgecore join` with these arguments. */
  join(args: readonly string[], patience = 60_000): Promise<string> {
    const flags = ['--data', this.data, '--node-name', this.#name]
    const around = { env: {}, note: () => {}, stdin: () => '', signal: new AbortController().signal, random: () => 0.1 }
    return join([...args, ...flags], { ...around, patience, clock: this.#clock })
  }

  async start(cloudPort: number): Promise<void> {
    const { log, lines } = heard('edgecore')
    this.#edge = await startEdgecore({
      settings: {
        ...{ runtime: 'simulated', nodeName: this.#name, cloud: `mqtts://127.0.0.1:${cloudPort}`, data: this.data },
        ...{ mqttHost: '127.0.0.1', mqttPort: 0, metricsAddress: null, dmiSocket: null },
      },
      // With little chance it waits little before it tries again.
      ...{ clock: this.#clock, random: () => 0.005, log },
    })
    this.#lines.push(lines)
  }

  readonly #lines: (readonly LogLine[])[] = []

  /** What edgecore has said, in all its runs. */
  said(msg: string): LogLine[] {
    return this.#lines.flat().filter((line) => line.msg === msg)
  }

  /** A device on its local broker. */
  device(): Promise<DeviceClient> {
    return DeviceClient.connect(this.#edge?.mqttPort ?? 0)
  }

  get inSync(): boolean {
    return this.#edge?.inSync ?? false
  }

  async stop(): Promise<void> {
    const edge = this.#edge
    this.#edge = undefined
    await edge?.stop()
  }
}
