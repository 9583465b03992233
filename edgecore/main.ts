import { readFileSync } from 'node:fs'
import { join as joinPath } from 'node:path'
import { systemClock } from '@kedge/shared/clock'
import { explain, UserError } from '@kedge/shared/errors'
import { loadSettings } from '@kedge/shared/load-settings'
import { openLog } from '@kedge/shared/log'
import { holdPidFile, type PidFile } from '@kedge/shared/pid-file'
import { dieLoudly, runProgram, untilSignal } from '@kedge/shared/program'
import { version } from '@kedge/shared/version'
import type { RunningEdgecore } from './edgecore.ts'
import { watchEffort } from './effort.ts'
import { settledNode } from './identity/settle.ts'
import { edgecoreProgram } from './settings.ts'
import { handedInKey } from './store/secrets-key.ts'

void runProgram('edgecore', async () => {
  const [command, ...rest] = process.argv.slice(2)
  // Each way of running loads what it needs and no more: memory counts here.
  if (command === 'get') return get(rest)
  if (command === 'twin') return twin(rest)
  if (command === 'method') return method(rest)
  if (command === 'discover') return discover(rest)
  if (command === 'join') return join(rest)
  if (command === 'logs') return logs(rest)
  if (command === 'exec') return exec(rest)
  if (command === 'restart') return restart(rest)
  if (command === 'drill') return drill(rest)
  if (command === 'doctor') return doctor(rest)
  if (command === 'support') return support(rest)
  const given = await loadSettings(edgecoreProgram)
  if (given === undefined) return
  const settings = settledNode(given)
  const secretsKeyFile = handedInKey(settings.secretsKeyFile, process.env)
  const log = openLog({ level: settings.logLevel, program: 'edgecore', version }).child({ node: settings.nodeName })
  let edgecore: RunningEdgecore | undefined
  dieLoudly(log, (error) => edgecore?.survive(error) ?? false)
  let pidFile: PidFile | undefined
  const claim = () => {
    pidFile ??= holdPidFile(joinPath(settings.data, 'edgecore.pid'), `the data folder ${settings.data}`)
  }
  watchEffort()
  try {
    const { startEdgecore } = await import('./edgecore.ts')
    edgecore = await startEdgecore({
      settings: { ...settings, secretsKeyFile },
      clock: systemClock,
      random: Math.random,
      log,
      claim,
    })
    await untilSignal(edgecore, log)
  } finally {
    pidFile?.release()
  }
})

async function get(argv: string[]): Promise<void> {
  const { get } = await import('./cli/get.ts')
  const { out, note } = await get(argv, { env: process.env, now: Date.now() })
  // `edgecore get … | head` closes the pipe before all is written, which is no fault.
  process.stdout.on('error', () => {})
  process.stderr.write(note)
  process.stdout.write(out)
}

async function twin(argv: string[]): Promise<void> {
  const { twin } = await import('./cli/twin.ts')
  const write = (text: string) => void process.stdout.write(text)
  await twin(argv, { env: process.env, write, signal: untilNobodyReads() })
}

async function method(argv: string[]): Promise<void> {
  const { method } = await import('./cli/method.ts')
  const out = await method(argv, process.env)
  process.stdout.on('error', () => {})
  process.stdout.write(out)
}

async function join(argv: string[]): Promise<void> {
  const { join } = await import('./cli/join.ts')
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  const note = (line: string) => void process.stderr.write(`edgecore: ${line}\n`)
  const stdin = () => readFileSync(0, 'utf8')
  try {
    process.stdout.write(await join(argv, { env: process.env, note, stdin, signal: stopping.signal }))
  } catch (error) {
    if (error instanceof UserError) throw error
    // The cloud is away: nothing on this board to look into.
    note(explain(error))
    process.exitCode = 1
  }
}

async function discover(argv: string[]): Promise<void> {
  const { discover } = await import('./cli/discover.ts')
  const { out, note } = await discover(argv, process.env)
  process.stdout.on('error', () => {})
  process.stderr.write(note)
  process.stdout.write(out)
}

async function logs(argv: string[]): Promise<void> {
  const { logs } = await import('./cli/logs.ts')
  const write = (text: string) => void process.stdout.write(text)
  await logs(argv, { env: process.env, write, signal: untilNobodyReads(), now: Date.now() })
}

async function exec(argv: string[]): Promise<void> {
  const { exec } = await import('./cli/exec.ts')
  process.exitCode = await exec(argv, { env: process.env, terminal: process })
}

async function restart(argv: string[]): Promise<void> {
  const { restart } = await import('./cli/restart.ts')
  process.stdout.write(await restart(argv, process.env))
}

async function drill(argv: string[]): Promise<void> {
  const { drill } = await import('./cli/drill.ts')
  const write = (text: string) => void process.stdout.write(text)
  process.exitCode = await drill(argv, { env: process.env, write, signal: untilNobodyReads() })
}

async function doctor(argv: string[]): Promise<void> {
  const { doctor } = await import('./cli/doctor.ts')
  const { out, code } = await doctor(argv, { env: process.env, now: Date.now(), self: ourselves() })
  process.stdout.on('error', () => {})
  process.stdout.write(out)
  process.exitCode = code
}

async function support(argv: string[]): Promise<void> {
  const { support } = await import('./cli/support.ts')
  process.stdout.write(await support(argv, { env: process.env, now: Date.now(), self: ourselves() }))
}

/** What runs this program. */
function ourselves(): string[] {
  return [process.execPath, ...process.execArgv, process.argv[1] ?? '']
}

/** Aborts when the person at the terminal ends the command, or whoever reads its output does. */
function untilNobodyReads(): AbortSignal {
  const stopping = new AbortController()
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort())
  process.stdout.on('error', () => stopping.abort())
  return stopping.signal
}
