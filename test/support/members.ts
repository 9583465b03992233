import { join } from 'node:path'
import { startCloudcore } from '@kedge/cloudcore/cloudcore'
import { startEdgecore } from '@kedge/edgecore/edgecore'
import { systemClock } from '@kedge/shared/clock'
import { openLog } from '@kedge/shared/log'
import { onTestFinished } from 'vitest'
import { type LogLine, startProgram } from './programs.ts'
import type { WhenOver } from './temp-dir.ts'

/** A program of a fleet, whether it is a process of its own or runs in the test's. */
export interface Member {
  /** Its log so far. */
  readonly lines: readonly LogLine[]
  stop(): Promise<void>
  /** `kill -9`; only of a process. */
  kill(): Promise<void>
}

export interface CloudMember extends Member {
  readonly linkPort: number
  readonly metricsPort: number
}

export interface EdgeMember extends Member {
  readonly mqttPort: number
  readonly pid: number | undefined
}

/** `process`: the bundle, in a process of its own. `here`: in this one. */
export type Form = 'process' | 'here'

export interface CloudOptions {
  form: Form
  data: string
  /** Milliseconds between two writes of a device's status. */
  statusInterval: number
  /** Where uploads go. */
  uploads?: string | undefined
  /** Of the cluster to use; undefined for an embedded API. */
  kubeconfig: string | undefined
}

export interface EdgeOptions {
  form: Form
  nodeName: string
  data: string
  /** Whether it takes uploads. */
  uploads?: boolean
  /** Whether gRPC mappers can register, at `mapperSocket`. */
  mappers?: boolean
  /** Socket of a container engine; without it, the simulated one. */
  engine?: string | undefined
  /** Undefined for a node that runs alone. */
  cloud: string | undefined
  /** Stops a process: in a `beforeAll` give `afterAll`. */
  whenOver?: WhenOver | undefined
}

const metrics = { host: '127.0.0.1', port: 0 }

export async function startCloud({
  form,
  data,
  statusInterval,
  uploads,
  kubeconfig,
}: CloudOptions): Promise<CloudMember> {
  if (form === 'here') {
    const { log, lines } = heard('cloudcore')
    const cloudcore = await startCloudcore({
      settings: {
        ...{ data, apiHost: '127.0.0.1', apiPort: 0, writeKubeconfig: undefined, linkHost: '127.0.0.1', linkPort: 0 },
        linkPlain: true,
        ...{ statusInterval, defaultAutonomy: 3_600_000, installCrds: true, metricsAddress: metrics, uploads },
      },
      kubernetes: kubeconfig === undefined ? { is: 'standalone' } : { is: 'kubeconfig', path: kubeconfig },
      ...{ clock: systemClock, random: Math.random, log },
    })
    const stop = () => cloudcore.stop()
    return { lines, linkPort: cloudcore.linkPort ?? 0, metricsPort: metricsPort(lines), stop, kill: cannotKill }
  }
  const program = await startProgram('cloudcore', [
    ...(kubeconfig === undefined ? ['--standalone', '--api-port', '0'] : ['--kubeconfig', kubeconfig]),
    ...['--data', data, '--link-port', '0', '--link-plain', '--metrics-address', '127.0.0.1:0'],
    ...['--status-interval', `${statusInterval}ms`],
    ...(uploads === undefined ? [] : ['--uploads', uploads]),
  ])
  const started = await program.line('cloudcore started')
  return {
    lines: program.lines,
    linkPort: Number(started.linkPort),
    metricsPort: metricsPort(program.lines),
    stop: async () => void (await program.stop()),
    kill: async () => void (await program.kill('SIGKILL')),
  }
}

/** Where gRPC mappers register at a node with this data folder. */
export function mapperSocket(data: string): string {
  return join(data, 'dmi.sock')
}

export async function startEdge({
  form,
  nodeName,
  data,
  cloud,
  uploads = false,
  mappers = false,
  engine,
  whenOver = onTestFinished,
}: EdgeOptions): Promise<EdgeMember> {
  const dmiSocket = mappers ? mapperSocket(data) : null
  if (form === 'here') {
    const { log, lines } = heard('edgecore')
    const edgecore = await startEdgecore({
      settings: {
        ...{ nodeName, cloud, data, mqttHost: '127.0.0.1', mqttPort: 0, metricsAddress: null, uploads, dmiSocket },
        ...(engine ? { runtime: 'cri', runtimeEndpoint: engine, podLogs: podLogs(data) } : { runtime: 'simulated' }),
      },
      ...{ clock: systemClock, random: Math.random, log },
    })
    return { lines, mqttPort: edgecore.mqttPort, pid: undefined, stop: () => edgecore.stop(), kill: cannotKill }
  }
  const toCloud = cloud === undefined ? [] : ['--cloud', cloud, ...(cloud.startsWith('mqtt:') ? ['--cloud-plain'] : [])]
  const flags = ['--node-name', nodeName, '--data', data, '--mqtt-port', '0', ...toCloud]
  if (uploads) flags.push('--uploads')
  if (dmiSocket !== null) flags.push('--dmi-socket', dmiSocket)
  if (engine !== undefined) flags.push('--runtime', 'cri', '--runtime-endpoint', engine, '--pod-logs', podLogs(data))
  const program = await startProgram('edgecore', flags, { whenOver })
  const started = await program.line('edgecore started')
  return {
    lines: program.lines,
    mqttPort: Number(started.mqttPort),
    pid: program.pid,
    stop: async () => void (await program.stop()),
    kill: async () => void (await program.kill('SIGKILL')),
  }
}

/** Where a node with this data folder has the logs of its pods. */
function podLogs(data: string): string {
  return join(data, 'logs')
}

/** Where the kubeconfig of a cloudcore with this data folder lies. */
export function kubeconfigOf(data: string): string {
  return join(data, 'kubeconfig')
}

/** A log at its usual level, and what it has said. */
export function heard(program: string) {
  const lines: LogLine[] = []
  const to = { write: (line: string) => void lines.push(JSON.parse(line) as LogLine) }
  return { lines, log: openLog({ level: 'info', program, version: 'test', to }) }
}

function metricsPort(lines: readonly LogLine[]): number {
  return Number(lines.find(({ msg }) => msg === 'metrics served')?.port)
}

async function cannotKill(): Promise<void> {
  throw new Error('only a process of its own can be killed')
}
