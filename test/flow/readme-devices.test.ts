import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { isDeepStrictEqual } from 'node:util'
import { explain } from '@kedge/shared/errors'
import { must } from '@kedge/shared/must'
import { expect, onTestFinished, test } from 'vitest'
import { root } from '../../scripts/build.ts'
import { eventually } from '../support/eventually.ts'
import { findKubectl } from '../support/kubectl.ts'
import { hasMosquittoClients } from '../support/mosquitto-clients.ts'
import { startProgram } from '../support/programs.ts'
import { tempDir } from '../support/temp-dir.ts'

/**
 * The section "Register a device" of README.md, followed to the letter: each block of commands is run by a shell in the
 * folder of the repository, and what it says is what the README shows. Only the folder `.kedge` and the ports are the
 * test's own.
 */

interface Block {
  commands: string
  /** What it says; undefined where the README does not show it. */
  output: string | undefined
}

interface Way {
  title: string
  blocks: Block[]
}

function section(): Way[] {
  const readme = readFileSync(join(root, 'README.md'), 'utf8')
  const text = must(readme.split('\n## Register a device\n')[1]?.split('\n## ')[0], 'the section')
  return text
    .split('\n### ')
    .slice(1)
    .map((part) => ({
      title: must(part.split('\n')[0], 'a title'),
      blocks: [...part.matchAll(/```sh\n(.*?)```(?:\n\n```\n(.*?)```)?/gs)].map(([, commands = '', output]) => ({
        commands,
        output,
      })),
    }))
}

/** Whether a command said what the README shows: those lines, in any order, the columns as wide as they need be. */
function isAsShown(said: string, output: string): boolean {
  const lines = (text: string) =>
    text
      .trim()
      .split('\n')
      .map((line) => line.trim().replaceAll(/ +/g, ' '))
  return isDeepStrictEqual(lines(said).sort(), lines(output).sort())
}

/** The fleet of `npm start`, with one node, as far as the README speaks of it. */
async function startFleet() {
  const dir = tempDir()
  mkdirSync(join(dir, 'logs'))
  const write = (name: string, lines: Record<string, unknown>) => {
    const text = Object.entries(lines).map(([key, value]) => `${key}: ${JSON.stringify(value)}\n`)
    writeFileSync(join(dir, name), text.join(''))
    return join(dir, name)
  }
  const kubeconfig = join(dir, 'kubeconfig')
  const cloudFile = write('cloudcore.yaml', {
    ...{
      standalone: true,
      data: join(dir, 'cloudcore'),
      'api-port': 0,
      'link-port': 0,
      'link-plain': true,
      'metrics-address': 'off',
    },
    'write-kubeconfig': kubeconfig,
  })
  const cloudcore = await startProgram('cloudcore', ['--config', cloudFile])
  const { linkPort } = await cloudcore.line('cloudcore started')
  const ports = await freePorts(5)
  const [mqtt, webhooks] = ports
  const edgeFile = write('edge-1.yaml', {
    ...{ 'node-name': 'edge-1', cloud: `mqtt://127.0.0.1:${linkPort}`, data: join(dir, 'edge-1'), 'mqtt-port': mqtt },
    ...{ 'cloud-plain': true, runtime: 'simulated' },
    ...{ 'webhook-address': `127.0.0.1:${webhooks}`, 'dmi-socket': join(dir, 'edge-1', 'dmi.sock') },
  })
  const edge = await startProgram('edgecore', ['--config', edgeFile])
  await edge.line('edgecore started')
  writeFileSync(join(dir, 'fleet.json'), JSON.stringify({ nodes: [{ pid: edge.pid }] }))
  return { dir, kubeconfig, ports }
}

/**
 * Free ports, in the order of those that the README names. They lie below those that the system gives to connections: the
 * programs that listen on them start later.
 */
async function freePorts(count: number): Promise<number[]> {
  const ports: number[] = []
  while (ports.length < count) {
    const port = 20_000 + Math.floor(Math.random() * 12_000)
    if (!ports.includes(port) && (await isFree(port))) ports.push(port)
  }
  return ports
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

class Shell {
  readonly #fleet: Awaited<ReturnType<typeof startFleet>>
  #runs = 0

  constructor(fleet: Awaited<ReturnType<typeof startFleet>>) {
    this.#fleet = fleet
  }

  /** Runs commands to their end; what they left in the background ends with the test. */
  async run(commands: string): Promise<string> {
    const { dir, kubeconfig } = this.#fleet
    const path = join(dir, `run-${++this.#runs}`)
    const file = openSync(path, 'w')
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', this.#own(commands)], {
      ...{ cwd: root, detached: true, stdio: ['ignore', file, file] },
      env: { ...process.env, KUBECONFIG: kubeconfig },
    })
    onTestFinished(() => endGroup(child))
    const [code] = await once(child, 'exit')
    const said = readFileSync(path, 'utf8')
    if (code !== 0) throw new Error(`exit code ${code}: ${said}`)
    // What it has left in the background listens before the next commands speak to it.
    const [, port] = / (\d+) &\n/.exec(this.#own(commands)) ?? []
    if (port !== undefined) await eventually(async () => !(await isFree(Number(port))), { within: 60_000 })
    return said.trim()
  }

  #own(commands: string): string {
    const { dir, ports } = this.#fleet
    const named = ['1883', '8389', '5020', '8081', '7001']
    const moved = named.reduce((text, port, index) => text.replaceAll(port, `${ports[index]}`), commands)
    return moved.replaceAll('"./.kedge/', `"${dir}/`).replaceAll('.kedge/', `${dir}/`)
  }
}

/** Ends what a shell has left in the background. */
function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing is left.
  }
}

const hasAll = hasMosquittoClients() && findKubectl() !== undefined
test.skipIf(!hasAll)(
  `README: register a device${hasAll ? '' : ' (skipped: no kubectl or no mosquitto clients)'}`,
  async () => {
    const shell = new Shell(await startFleet())
    // As `npm start` does.
    await shell.run('kubectl apply -f deploy/examples/thermostat.yaml')
    const ways = section()
    expect(ways.length).toBeGreaterThan(6)
    for (const { title, blocks } of ways) {
      for (const { commands, output } of blocks) {
        const about = `${title}\n${commands}`
        if (output === undefined) {
          const failed = await shell.run(commands).catch((error: unknown) => explain(error))
          expect(failed, about).not.toMatch(/^exit code/)
          continue
        }
        // What it shows comes about a moment after the commands before it.
        const patience = { within: 60_000, every: 100 }
        let said = ''
        await eventually(async () => {
          said = await shell.run(commands).catch((error: unknown) => explain(error))
          return isAsShown(said, output)
        }, patience).catch(() => expect(said, about).toBe(output))
      }
    }
  },
  180_000,
)
