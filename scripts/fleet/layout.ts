import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import { path, port, valueType } from '@kedge/shared/setting-types'
import { program, type Values } from '@kedge/shared/settings'
import { bundlePath, type ProgramName } from '../build.ts'
import { shownPath } from './shown-path.ts'

const count = valueType('COUNT', 'a number of nodes, 1 to 500', (text) =>
  /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= 500 ? Number(text) : undefined,
)

/** What `npm start` can be told. */
export const fleetProgram = program({
  name: 'npm start --',
  summary: 'runs cloudcore and a few edge nodes on this machine',
  flagsOnly: true,
  table: {
    nodes: { type: count, default: '2', help: 'How many edge nodes' },
    dir: { type: path, default: '.kedge', help: 'Where their state, settings and logs lie' },
    portBase: {
      type: port,
      default: '1883',
      help: 'Port of the MQTT broker of edge-1; edge-2 has the next, and so on',
    },
    linkPort: { type: port, default: '1882', help: 'Port of the MQTT broker of cloudcore' },
    apiPort: { type: port, default: '6443', help: 'Port of the Kubernetes API' },
    metricsPort: { type: port, default: '9091', help: 'Port of the metrics of cloudcore' },
  },
})

export type FleetOptions = Values<typeof fleetProgram.table>

/** One process of the fleet. */
export interface Member {
  name: string
  program: ProgramName
  /** What its settings file says. */
  settings: Record<string, string | number | boolean>
  settingsFile: string
  data: string
  /** The program writes its pid here. */
  pidFile: string
  log: string
  /** Where it listens, and the flag of `npm start` that moves it. */
  ports: { port: number; what: string; flag: string }[]
}

export interface Layout {
  dir: string
  kubeconfig: string
  fleetFile: string
  /** Held by the `npm start` that looks after the fleet. */
  pidFile: string
  cloudcore: Member
  edges: Member[]
}

/** Where everything of a fleet lies and listens. */
export function layoutOf(options: FleetOptions): Layout {
  const { dir, apiPort, linkPort, metricsPort } = options
  const kubeconfig = join(dir, 'kubeconfig')
  const cloudcore = member(dir, 'cloudcore', 'cloudcore', {
    standalone: true,
    'api-port': apiPort,
    'link-port': linkPort,
    'metrics-address': `127.0.0.1:${metricsPort}`,
    'write-kubeconfig': kubeconfig,
  })
  cloudcore.ports = [
    { port: apiPort, what: 'the Kubernetes API', flag: '--api-port' },
    { port: linkPort, what: "cloudcore's MQTT broker", flag: '--link-port' },
    { port: metricsPort, what: "cloudcore's metrics", flag: '--metrics-port' },
  ]
  const edges = Array.from({ length: options.nodes }, (_, index) => edge(options, index))
  const fleetFile = join(dir, 'fleet.json')
  return { dir, kubeconfig, fleetFile, pidFile: join(dir, 'npm-start.pid'), cloudcore, edges }
}

function edge({ dir, portBase, linkPort }: FleetOptions, index: number): Member {
  const name = `edge-${index + 1}`
  const mqttPort = portBase + index
  const cloud = `mqtts://127.0.0.1:${linkPort}`
  // Many nodes on one machine: none of them is given its containers.
  const settings = { 'node-name': name, cloud, 'mqtt-port': mqttPort, runtime: 'simulated' }
  const ports = [{ port: mqttPort, what: `the MQTT broker of ${name}`, flag: '--port-base' }]
  return { ...member(dir, name, 'edgecore', settings), ports }
}

function member(dir: string, name: string, program: ProgramName, settings: Member['settings']): Member {
  const data = join(dir, name)
  return {
    name,
    program,
    settings: { ...settings, data },
    settingsFile: join(dir, `${name}.yaml`),
    data,
    pidFile: join(data, `${program}.pid`),
    log: join(dir, 'logs', `${name}.log`),
    ports: [],
  }
}

/** The edge nodes that have a folder: those of this start, and of an earlier one that had more. */
export function earlierEdges({ dir }: Layout): Member[] {
  const names = readdirSync(dir).filter((name) => /^edge-\d+$/.test(name))
  return names.map((name) => member(dir, name, 'edgecore', {}))
}

/** The port that two of the fleet would share, or undefined. */
export function clash({ cloudcore, edges }: Layout): string | undefined {
  const taken = new Map<number, string>()
  for (const { port, what, flag } of [cloudcore, ...edges].flatMap(({ ports }) => ports)) {
    const other = taken.get(port)
    if (other !== undefined) return `${other} and ${what} would share port ${port}: choose another with ${flag}`
    if (port < 1 || port > 65535) return `${what} would need port ${port}, which there is not: choose with ${flag}`
    taken.set(port, what)
  }
  return undefined
}

/** What a person types in `cwd` to start a member in the background, as `npm start` does. */
export function commandOf({ program, settingsFile, log }: Member, cwd: string): string {
  const [bundle, config, to] = [bundlePath(program), settingsFile, log].map((file) => quoted(shownPath(file, cwd)))
  return `node ${bundle} --config ${config} >> ${to} 2>&1 &`
}

function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`
}
