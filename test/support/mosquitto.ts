import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync, writeFileSync } from 'node:fs'
import { connect, createServer } from 'node:net'
import { delimiter, join } from 'node:path'
import { eventually } from './eventually.ts'
import { tempDir, type WhenOver } from './temp-dir.ts'

/** The mosquitto broker of this machine, or undefined. In CI it must be there. */
export function findMosquitto(): string | undefined {
  const folders = [...(process.env.PATH ?? '').split(delimiter), '/usr/sbin', '/usr/local/sbin']
  const found = folders.map((folder) => join(folder, 'mosquitto')).find((path) => existsSync(path))
  if (found === undefined && process.env.CI) throw new Error('mosquitto is not in PATH: CI must have one')
  return found
}

/** A real mosquitto on a port of its own, with what it keeps in a folder that goes with the test. */
export class Mosquitto {
  readonly port: number
  readonly #program: string
  readonly #config: string
  #process: ChildProcess | undefined

  private constructor(program: string, port: number, config: string) {
    this.#program = program
    this.port = port
    this.#config = config
  }

  /** `lines` are added to its configuration; without `allow_anonymous` among them everybody may connect. */
  static async start(program: string, lines: readonly string[] = [], whenOver?: WhenOver): Promise<Mosquitto> {
    // A port that was free a moment ago may be taken by now: then another one.
    for (let tries = 0; ; tries++) {
      const port = await freePort()
      const broker = new Mosquitto(program, port, writeConfig(port, lines, whenOver))
      if (await broker.up()) return broker
      if (tries === 5) throw new Error('mosquitto does not start')
    }
  }

  /** Starts it; false when it ended at once. */
  async up(): Promise<boolean> {
    const child = spawn(this.#program, ['-c', this.#config], { stdio: 'ignore' })
    this.#process = child
    let ended = false
    child.once('exit', () => {
      ended = true
    })
    await eventually(async () => ended || (await answers(this.port)))
    return !ended
  }

  /** Has it read its configuration, access list and certificates anew. */
  reload(): void {
    this.#process?.kill('SIGHUP')
  }

  /** Ends it; `SIGKILL` leaves it no time to write what it keeps. */
  async down(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    const child = this.#process
    this.#process = undefined
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return
    const ended = new Promise((resolve) => child.once('exit', resolve))
    child.kill(signal)
    await ended
  }
}

function writeConfig(port: number, lines: readonly string[], whenOver?: WhenOver): string {
  const dir = tempDir(whenOver)
  const path = join(dir, 'mosquitto.conf')
  const anonymous = lines.some((line) => line.startsWith('allow_anonymous')) ? [] : ['allow_anonymous true']
  const kept = ['persistence true', `persistence_location ${dir}/`, 'autosave_interval 1']
  // As root it would become another user, who may not write there.
  const user = process.getuid?.() === 0 ? ['user root'] : []
  writeFileSync(path, [`listener ${port} 127.0.0.1`, ...anonymous, ...kept, ...user, ...lines, ''].join('\n'))
  return path
}

async function freePort(): Promise<number> {
  const server = createServer()
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const { port } = server.address() as { port: number }
  await new Promise((resolve) => server.close(resolve))
  return port
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}
