import { type ChildProcess, spawn } from 'node:child_process'
import {
  closeSync,
  existsSync,
  mkdirSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs'
import { dirname } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import { isAlive, runningPid } from '@kedge/shared/pid-file'
import { variableName } from '@kedge/shared/settings'
import { stringify } from 'yaml'
import { bundlePath } from '../build.ts'
import type { Member } from './layout.ts'

const maxLogBytes = 10 * 1024 * 1024

/**
 * The process of one member, whoever started it: this program, or a person with the same command.
 *
 * Invariants:
 * - At most one process of a member is started from here at a time.
 * - `pid` is that of a process that is alive, or undefined.
 */
export class MemberProcess {
  readonly member: Member
  #child: ChildProcess | undefined

  constructor(member: Member) {
    this.member = member
  }

  /** The process that runs: the one started here, or the one that the pid file names. */
  get pid(): number | undefined {
    const own = this.#child
    if (own?.pid !== undefined && own.exitCode === null && own.signalCode === null) return own.pid
    return runningPid(this.member.pidFile)
  }

  /** The pid of the process started here last, whether it runs or not. */
  get startedPid(): number | undefined {
    return this.#child?.pid
  }

  /** How a process ended, as it follows "has ended"; empty for one that was not started here. */
  endingOf(pid: number | undefined): string {
    const { exitCode = null, signalCode = null } = this.#child?.pid === pid ? (this.#child ?? {}) : {}
    if (signalCode !== null) return ` (${signalCode})`
    return exitCode === null ? '' : ` (exit code ${exitCode})`
  }

  /** Starts the program with its settings file; what it says goes to its log file. */
  start(): void {
    const { program, settings, settingsFile, data, log } = this.member
    mkdirSync(data, { recursive: true })
    mkdirSync(dirname(log), { recursive: true })
    writeFileSync(settingsFile, `# Written by npm start. --print-config prints all settings.\n${stringify(settings)}`)
    if (existsSync(log) && statSync(log).size > maxLogBytes) renameSync(log, `${log}.1`)
    const to = openSync(log, 'a')
    try {
      // A group of its own: Ctrl-C in the terminal reaches this program alone, which then stops all in order.
      this.#child = spawn(process.execPath, [bundlePath(program), '--config', settingsFile], {
        stdio: ['ignore', to, to],
        detached: true,
        env: childEnv(process.env),
      })
      this.#child.on('error', (error) => writeFileSync(log, `${error.message}\n`, { flag: 'a' }))
    } finally {
      closeSync(to)
    }
  }

  /** Asks the process to end, and after `grace` milliseconds makes it. Resolves with whether it had to be made to. */
  async stop(grace: number): Promise<boolean> {
    const pid = this.pid
    if (pid === undefined) return false
    signal(pid, 'SIGTERM')
    if (await ended(pid, grace)) return false
    signal(pid, 'SIGKILL')
    await ended(pid, grace)
    rmSync(this.member.pidFile, { force: true })
    return true
  }

  /** The last lines of its log. */
  lastLines(count: number): string[] {
    try {
      return readFileSync(this.member.log, 'utf8').trimEnd().split('\n').slice(-count)
    } catch {
      return []
    }
  }
}

/** Each member has its own settings file: variables of this shell would put all of them at the same place. */
function childEnv(env: NodeJS.ProcessEnv): NodeJS.ProcessEnv {
  const kept = variableName('logLevel')
  return Object.fromEntries(Object.entries(env).filter(([name]) => !name.startsWith('KEDGE_') || name === kept))
}

function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch {
    // It has ended meanwhile.
  }
}

async function ended(pid: number, within: number): Promise<boolean> {
  const deadline = performance.now() + within
  while (isAlive(pid)) {
    if (performance.now() > deadline) return false
    await pause(25)
  }
  return true
}
