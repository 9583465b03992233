import { type ChildProcess, spawn } from 'node:child_process'
import { once } from 'node:events'
import { openSync, readFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { join } from 'node:path'
import { onTestFinished } from 'vitest'
import { root } from '../../../scripts/build.ts'
import { eventually } from '../eventually.ts'
import type { ReadmeFleet } from './fleet.ts'

/** A terminal in the folder of the repository. Only the folder `.kedge` and the ports are the test's own. */
export class Shell {
  readonly #fleet: ReadmeFleet
  /** Files with what commands that go on say. */
  readonly #listening: string[] = []
  #runs = 0

  constructor(fleet: ReadmeFleet) {
    this.#fleet = fleet
  }

  /** What the commands that go on have said. */
  get heard(): string {
    return this.#listening.map((path) => readFileSync(path, 'utf8')).join('\n')
  }

  /** Starts what goes on until somebody ends it; it ends with the test. */
  listen(commands: string): void {
    this.#listening.push(this.#start(commands).path)
  }

  /** Runs commands to their end; what they left in the background ends with the test. */
  async run(commands: string): Promise<string> {
    const { child, path } = this.#start(commands)
    const [code] = await once(child, 'exit')
    const said = readFileSync(path, 'utf8')
    if (code !== 0) throw new Error(`exit code ${code}: ${said}`)
    // What it has left in the background listens before the next commands speak to it.
    const [, port] = / (\d+) &\n/.exec(this.#own(commands)) ?? []
    if (port !== undefined) await eventually(async () => !(await isFree(Number(port))), { within: 60_000 })
    return said.trim()
  }

  #start(commands: string): { child: ChildProcess; path: string } {
    const { dir, bin } = this.#fleet
    const path = join(dir, `run-${++this.#runs}`)
    const file = openSync(path, 'w')
    const child = spawn('bash', ['-e', '-o', 'pipefail', '-c', this.#own(commands)], {
      ...{ cwd: root, detached: true, stdio: ['ignore', file, file] },
      env: { ...process.env, KUBECONFIG: join(dir, 'kubeconfig'), PATH: `${bin}:${process.env.PATH}` },
    })
    onTestFinished(() => endGroup(child))
    return { child, path }
  }

  #own(commands: string): string {
    const { dir, ports, metrics } = this.#fleet
    const moved = [...ports].reduce((text, [named, port]) => text.replaceAll(named, `${port}`), commands)
    return moved
      .replaceAll('"./.kedge/', `"${dir}/`)
      .replaceAll('$PWD/.kedge/', `${dir}/`)
      .replaceAll('.kedge/', `${dir}/`)
      .replaceAll(/cloudcore\.js get sync.*/g, `$& --metrics-address ${metrics}`)
      .replaceAll(/ (--to|--from) /g, ` $1 ${dir}/`)
  }
}

function isFree(port: number): Promise<boolean> {
  const server = createServer()
  return new Promise((resolve) => {
    server.once('error', () => resolve(false))
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)))
  })
}

/** Ends what a shell has left in the background. */
function endGroup({ pid }: ChildProcess): void {
  try {
    if (pid !== undefined) process.kill(-pid, 'SIGKILL')
  } catch {
    // Nothing is left.
  }
}
