import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync, rmSync } from 'node:fs'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { isAlive, runningPid } from '@kedge/shared/pid-file'
import { expect, onTestFinished, test } from 'vitest'
import * as z from 'zod'
import { root } from '../../scripts/build.ts'
import { ask, readKubeconfig } from '../../scripts/fleet/kube.ts'
import { eventually } from '../support/eventually.ts'
import { portsInARow } from '../support/ports-in-a-row.ts'
import { tempDir } from '../support/temp-dir.ts'

const Process = z.object({ pid: z.int().nullable(), data: z.string(), log: z.string(), command: z.string() })
const FleetFile = z.object({
  kubeconfig: z.string(),
  cloudcore: Process,
  nodes: z.array(Process.extend({ name: z.string(), mqtt: z.string().regex(/^mqtt:\/\/127\.0\.0\.1:\d+$/) })),
})
type FleetFile = z.infer<typeof FleetFile>

const start = ['--import', 'tsx', join(root, 'scripts/start.ts')]

/** `npm start`, as the shell runs it. */
class Started {
  said = ''
  readonly child: ChildProcess
  readonly exited: Promise<unknown[]>
  readonly #dir: string

  constructor(dir: string, flags: string[]) {
    this.#dir = dir
    this.child = spawn(process.execPath, [...start, '--dir', dir, ...flags], {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe'],
    })
    this.exited = once(this.child, 'close')
    for (const stream of [this.child.stdout, this.child.stderr]) stream?.on('data', (text) => (this.said += text))
    onTestFinished(async () => void (await this.stop()))
  }

  async says(text: string): Promise<void> {
    await eventually(() => this.said.includes(text), { within: 60_000 }).catch((cause) => {
      throw new Error(`it did not say "${text}" but:\n${this.said}`, { cause })
    })
  }

  fleet(): FleetFile {
    return FleetFile.parse(JSON.parse(readFileSync(join(this.#dir, 'fleet.json'), 'utf8')))
  }

  async stop(): Promise<unknown> {
    if (this.child.exitCode === null && this.child.signalCode === null) this.child.kill('SIGINT')
    return (await this.exited)[0]
  }
}

function pids({ cloudcore, nodes }: FleetFile): number[] {
  return [cloudcore, ...nodes].flatMap(({ pid }) => pid ?? [])
}

/** A test that fails half-way leaves what outlived its `npm start`. */
function killThoseOf(dir: string): void {
  for (const file of ['edge-1/edgecore.pid', 'edge-2/edgecore.pid', 'cloudcore/cloudcore.pid']) {
    const pid = runningPid(join(dir, file))
    if (pid !== undefined) process.kill(pid, 'SIGKILL')
  }
}

test('npm start runs a fleet, copes with what is killed and started by hand, stops in order and carries on', async () => {
  const dir = join(tempDir(), 'fleet')
  onTestFinished(() => killThoseOf(dir))
  const first = await portsInARow(5)
  const ports = ['--link-port', '--api-port', '--metrics-port'].flatMap((flag, index) => [flag, `${first + 2 + index}`])
  const flags = ['--nodes', '2', '--port-base', `${first}`, ...ports]

  const one = new Started(dir, flags)
  await one.says('Kedge is up')
  const fleet = one.fleet()
  expect(pids(fleet).every(isAlive)).toBe(true)
  expect(fleet.nodes.map(({ name, mqtt }) => [name, mqtt])).toEqual([
    ['edge-1', `mqtt://127.0.0.1:${first}`],
    ['edge-2', `mqtt://127.0.0.1:${first + 1}`],
  ])
  const device = '/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices/thermostat'
  const created = await ask(readKubeconfig(fleet.kubeconfig), 'GET', device)
  expect(created).toMatchObject({ status: 200, body: { spec: { nodeName: 'edge-1' } } })

  const second = new Started(dir, flags)
  expect(await second.exited).toEqual([2, null])
  expect(second.said).toContain(`is in use by process ${one.child.pid}`)

  const victim = fleet.nodes[1]
  if (!victim?.pid) throw new Error('edge-2 should run')
  process.kill(victim.pid, 'SIGKILL')
  await one.says(`edge-2, process ${victim.pid}, has ended (SIGKILL)`)
  await one.says(`Start it again with: ${victim.command}`)
  await eventually(() => one.fleet().nodes[1]?.pid === null)
  await promisify(execFile)('sh', ['-c', victim.command], { cwd: root })
  await one.says('edge-2 runs again')
  const again = one.fleet()
  expect(pids(again)).toHaveLength(3)

  expect(await one.stop()).toBe(0)
  expect(pids(again).filter(isAlive)).toEqual([])
  expect(existsSync(join(dir, 'fleet.json'))).toBe(false)
  expect(one.said.indexOf('edge-2 stopped')).toBeLessThan(one.said.indexOf('cloudcore stopped'))
  expect(one.said).not.toContain('killed after')

  const next = new Started(dir, flags)
  await next.says('Kedge is up')
  const Uid = z.object({ metadata: z.object({ uid: z.string() }) })
  const kept = await ask(readKubeconfig(fleet.kubeconfig), 'GET', device)
  expect(Uid.parse(kept.body)).toEqual(Uid.parse(created.body))

  const orphans = pids(next.fleet())
  next.child.kill('SIGKILL')
  await next.exited
  expect(orphans.every(isAlive)).toBe(true)

  // As a folder of before there were certificates.
  for (const file of ['identity.pem', 'identity.pem.1']) rmSync(join(dir, 'edge-1', file), { force: true })
  const last = new Started(dir, [...flags, '--nodes', '1'])
  await last.says('edge-2 still runs as process')
  await last.says('Kedge is up')
  expect(orphans.filter(isAlive)).toEqual([])
  expect(last.fleet().nodes).toHaveLength(1)
  expect(existsSync(join(dir, 'edge-1', 'identity.pem'))).toBe(true)
  expect(await last.stop()).toBe(0)
}, 180_000)
