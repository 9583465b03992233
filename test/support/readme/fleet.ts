import { chmodSync, mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { isAlive, runningPid } from '@kedge/shared/pid-file'
import { onTestFinished } from 'vitest'
import { bundlePath, type ProgramName } from '../../../scripts/build.ts'
import { joinEdge } from '../../../scripts/fleet/join.ts'
import { eventually } from '../eventually.ts'
import { portsInARow } from '../ports-in-a-row.ts'
import { startProgram } from '../programs.ts'
import { tempDir } from '../temp-dir.ts'

/** The ports that the README names, of the fleet and of what it starts beside it. */
const named = ['1883', '8389', '5020', '8081', '7001'] as const

/** The fleet of `npm start`, as far as the README speaks of it: cloudcore and two nodes that have joined. */
export interface ReadmeFleet {
  /** In place of `.kedge`. */
  dir: string
  /** The programs by their names, as npm or the archive install them. */
  bin: string
  /** The test's own port for each that the README names. */
  ports: Map<string, number>
  /** Where cloudcore serves its metrics: `127.0.0.1:9091` with `npm start`. */
  metrics: string
  /** Writes `fleet.json` with who runs now, as `npm start` does whenever that changes. */
  tell(): void
  /** Ends the cloudcore that runs. */
  stopCloud(): Promise<void>
}

export async function startReadmeFleet(): Promise<ReadmeFleet> {
  const dir = tempDir()
  mkdirSync(join(dir, 'logs'))
  const first = await portsInARow(named.length + 4)
  const ports = new Map(named.map((port, index) => [port as string, first + index]))
  const [linkPort, apiPort, metricsPort, secondMqtt] = [0, 1, 2, 3].map((index) => first + named.length + index)
  const write = (name: string, settings: Record<string, unknown>) => {
    const lines = Object.entries({ ...settings, data: join(dir, name) }).map(
      ([key, value]) => `${key}: ${JSON.stringify(value)}\n`,
    )
    writeFileSync(join(dir, `${name}.yaml`), lines.join(''))
    return ['--config', join(dir, `${name}.yaml`)]
  }
  const kubeconfig = join(dir, 'kubeconfig')
  const pidOf = (name: string, program: ProgramName) => runningPid(join(dir, name, `${program}.pid`)) ?? null
  const tell = () => {
    const nodes = ['edge-1', 'edge-2'].map((name) => ({ pid: pidOf(name, 'edgecore') }))
    writeFileSync(
      join(dir, 'fleet.json'),
      JSON.stringify({ cloudcore: { pid: pidOf('cloudcore', 'cloudcore') }, nodes }),
    )
  }
  const metrics = `127.0.0.1:${metricsPort}`
  const cloud = { standalone: true, 'api-port': apiPort, 'link-port': linkPort, 'metrics-address': metrics }
  const quick = { 'write-kubeconfig': kubeconfig, 'status-interval': '1s' }
  const cloudcore = await startProgram('cloudcore', write('cloudcore', { ...cloud, ...quick }))
  await cloudcore.line('cloudcore started')
  for (const [index, name] of ['edge-1', 'edge-2'].entries()) {
    const data = join(dir, name)
    const webhooks = index === 0 ? `127.0.0.1:${ports.get('8389')}` : 'off'
    const flags = write(name, {
      ...{ 'node-name': name, runtime: 'simulated', cloud: `mqtts://127.0.0.1:${linkPort}` },
      ...{ 'mqtt-port': index === 0 ? ports.get('1883') : secondMqtt, 'webhook-address': webhooks },
      'dmi-socket': join(data, 'dmi.sock'),
    })
    const edge = {
      name,
      data,
      program: 'edgecore' as const,
      settings: {},
      settingsFile: '',
      pidFile: '',
      log: '',
      ports: [],
    }
    await eventually(() => joinEdge({ kubeconfig, edge, signal: AbortSignal.timeout(60_000) }).then(() => true))
    await (await startProgram('edgecore', flags)).line('edgecore started')
  }
  tell()
  const stopCloud = async () => {
    const pid = pidOf('cloudcore', 'cloudcore')
    if (pid === null) return
    process.kill(pid, 'SIGTERM')
    await eventually(() => !isAlive(pid))
  }
  onTestFinished(stopCloud)
  return { dir, bin: installed(dir), ports, metrics, tell, stopCloud }
}

/** The programs in a folder of the PATH; the data folders are those of a fleet, and of a board that is new. */
function installed(dir: string): string {
  const bin = join(dir, 'bin')
  mkdirSync(bin)
  for (const [program, data] of [
    ['cloudcore', 'cloudcore'],
    ['edgecore', 'edge-3'],
  ] as const) {
    const path = join(bin, program)
    // Whatever the machine of the test has.
    const own = program === 'edgecore' ? ' KEDGE_RUNTIME=simulated KEDGE_MQTT_PORT=0' : ''
    writeFileSync(
      path,
      `#!/bin/sh\nKEDGE_DATA=${join(dir, data)}${own} exec ${process.execPath} ${bundlePath(program)} "$@"\n`,
    )
    chmodSync(path, 0o755)
  }
  return bin
}
