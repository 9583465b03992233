import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, openSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { bundlePath } from '../../../scripts/build.ts'
import { eventually } from '../../support/eventually.ts'
import { portsInARow } from '../../support/ports-in-a-row.ts'
import { sensorModel, sensors } from '../support/manifests.ts'
import { System } from '../support/system.ts'
import type { Way } from './ways.ts'

/** An edgecore that runs, has joined and is in sync. */
export interface Running {
  pid: number
  mqttPort: number
}

export type RunWay = (way: Way, use: (running: Running) => Promise<void>) => Promise<void>

/** A cloudcore with TLS and a board that has joined it, with `devices` sensors: edgecore is run on it one way after another. */
export async function onBoard(devices: number, use: (run: RunWay) => Promise<void>): Promise<void> {
  const dir = mkdtempSync(join(tmpdir(), 'kedge-bench-memory-'))
  try {
    await System.run(
      async (system) => {
        const command = run('cloudcore', 'token', 'create', '--kubeconfig', system.kubeconfig)
        const token = /kedge1\.\S+/.exec(command)?.[0] ?? ''
        const url = `mqtts://127.0.0.1:${system.linkPort}`
        run('edgecore', 'join', url, '--token', token, '--node-name', 'edge-1', '--data', join(dir, 'data'))
        await system.kube.create([sensorModel, ...sensors('sensor', devices, 'edge-1')])
        await use((way, look) => started(dir, way, look))
      },
      { secure: true },
    )
  } finally {
    rmSync(dir, { recursive: true, force: true, maxRetries: 5 })
  }
}

function run(program: 'cloudcore' | 'edgecore', ...argv: string[]): string {
  return execFileSync(process.execPath, [bundlePath(program), ...argv], { encoding: 'utf8', stdio: 'pipe' })
}

async function started(dir: string, way: Way, look: (running: Running) => Promise<void>): Promise<void> {
  const log = join(dir, 'log')
  writeFileSync(log, '')
  const to = openSync(log, 'a')
  const mqttPort = await portsInARow(1)
  const flags = ['--data', join(dir, 'data'), '--mqtt-port', `${mqttPort}`, '--runtime', 'simulated']
  const child = spawn(process.execPath, [...(way.node ?? []), way.bundle, ...flags], {
    stdio: ['ignore', to, to],
    env: { ...process.env, ...way.env },
  })
  const kill = () => void child.kill('SIGKILL')
  process.once('exit', kill)
  try {
    await eventually(() => /"msg":"(in sync|change applied)"/.test(readFileSync(log, 'utf8')), { within: 60_000 })
    await look({ pid: child.pid ?? 0, mqttPort })
  } catch (cause) {
    throw new Error(`${way.name}: ${readFileSync(log, 'utf8').split('\n').slice(-5).join('\n')}`, { cause })
  } finally {
    process.off('exit', kill)
    child.kill('SIGTERM')
    if (child.exitCode === null) await once(child, 'exit')
  }
}
