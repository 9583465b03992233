import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { once } from 'node:events'
import { createInterface } from 'node:readline'
import { onTestFinished } from 'vitest'
import { build, bundlePath, type ProgramName } from '../../scripts/build.ts'
import { eventually } from './eventually.ts'

/** A line of a program's log. */
export type LogLine = { level: string; msg: string } & Record<string, unknown>

export interface Exit {
  code: number | null
  signal: NodeJS.Signals | null
}

/** A program that runs as its users run it: the bundle, in a process of its own. */
export class RunningProgram {
  readonly name: string
  /** Its log so far. */
  readonly lines: LogLine[] = []
  /** What it said that was no log: faults of its settings, a crash. */
  readonly said: string[] = []
  /** Resolves once it has ended and all that it said has been read. */
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess

  constructor(name: ProgramName, flags: readonly string[], env: Readonly<Record<string, string>>) {
    this.name = name
    this.#child = spawn(process.execPath, [bundlePath(name), ...flags], {
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...withoutKedge(process.env), ...(name === 'edgecore' && noEngine), ...env },
    })
    for (const stream of [this.#child.stdout, this.#child.stderr]) {
      if (stream) createInterface({ input: stream }).on('line', (line) => this.#take(line))
    }
    this.exited = once(this.#child, 'close').then(([code, signal]) => ({ code, signal }))
  }

  get pid(): number {
    if (this.#child.pid === undefined) throw new Error(`${this.name} did not start`)
    return this.#child.pid
  }

  get running(): boolean {
    return this.#child.exitCode === null && this.#child.signalCode === null
  }

  /** The first line of the log with this message, now or later. */
  async line(msg: string, within?: number): Promise<LogLine> {
    return eventually(
      () => {
        const found = this.lines.find((line) => line.msg === msg)
        if (found === undefined && !this.running) throw new Error(`${this.name} has ended:\n${this.tail()}`)
        return found
      },
      { within },
    ).catch((cause) => {
      throw new Error(`${this.name} did not say "${msg}":\n${this.tail()}`, { cause })
    })
  }

  /** Sends a signal; `kill('SIGKILL')` is a power cut. Resolves once the process has ended. */
  async kill(signal: NodeJS.Signals): Promise<Exit> {
    if (this.running) this.#child.kill(signal)
    return this.exited
  }

  /** Asks it to end, and makes it after ten seconds. */
  async stop(): Promise<Exit> {
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), 10_000)
    return this.kill('SIGTERM').finally(() => clearTimeout(timer))
  }

  /** The end of what it said. */
  tail(): string {
    return [...this.lines.slice(-20).map((line) => JSON.stringify(line)), ...this.said.slice(-20)].join('\n')
  }

  #take(line: string): void {
    try {
      this.lines.push(JSON.parse(line) as LogLine)
    } catch {
      this.said.push(line)
    }
  }
}

/**
 * Builds the program where its sources are newer, starts it, and stops it when the test is over. In a `beforeAll` give
 * what `afterThese()` gives as `whenOver`.
 */
export async function startProgram(
  name: ProgramName,
  flags: readonly string[],
  {
    env = {},
    whenOver = onTestFinished,
  }: { env?: Record<string, string>; whenOver?: (stop: () => Promise<void>) => void } = {},
): Promise<RunningProgram> {
  await build([name])
  const program = new RunningProgram(name, flags, env)
  const atExit = () => void program.kill('SIGKILL')
  process.once('exit', atExit)
  program.exited.finally(() => process.off('exit', atExit)).catch(() => {})
  whenOver(async () => void (await program.stop()))
  return program
}

export interface Ended {
  /** -1 when it was killed, for instance because it did not end within 20 seconds. */
  code: number
  out: string
  told: string
}

/** Builds the program where its sources are newer, and runs it to its end. */
export async function runProgram(name: ProgramName, argv: readonly string[]): Promise<Ended> {
  await build([name])
  const options = { timeout: 20_000, killSignal: 'SIGKILL', env: withoutKedge(process.env) } as const
  return new Promise((resolve) => {
    const child = execFile(process.execPath, [bundlePath(name), ...argv], options, (_, out, told) => {
      resolve({ code: child.exitCode ?? -1, out, told })
    })
  })
}

/** Whatever container engine the machine of a test has is not touched, unless the test says so. */
const noEngine = { KEDGE_RUNTIME: 'simulated' }

function withoutKedge(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('KEDGE_')))
}
