import { readFileSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { explain, UserError } from '../errors.ts'
import { startOf } from '../load-settings.ts'
import { runningPid } from '../pid-file.ts'
import { type Env, type Program, settle, type Table, type Values } from '../settings.ts'
import { type Check, check, fail, ok } from './check.ts'

export interface Lookup<T extends Table> {
  program: Program<T>
  /** What follows the command: flags of the program. */
  argv: readonly string[]
  env: Env
  /** Where the program keeps its state when nobody says. */
  defaultData: string
}

/** The settings that the program runs with, or would. */
export interface Found<T extends Table> {
  values: Values<T>
  data: string
  /** Of the process that runs with that data folder. */
  pid: number | undefined
  /** What `--print-config` would say; undefined when the settings are wrong. */
  printed: string | undefined
  /** Where they are from, in words. */
  from: string
  /** All that is wrong with them: then the values are defaults. */
  faults: string | undefined
  env: Env
}

/** What every doctor checks first. */
export function settingsCheck(program: string, { faults, from }: Pick<Found<Table>, 'faults' | 'from'>): Check {
  return check({
    name: 'settings',
    read: () => faults,
    judge: (wrong) =>
      wrong === undefined
        ? ok(`good, from ${from}`)
        : fail(wrong, `${program} --print-config shows where each is from`),
  })
}

/**
 * The settings of the program: those of the one that runs with the data folder, where this user may see them; else those
 * of its unit; and over both, what is given here. Throws a UserError only when what is given here is wrong.
 */
export async function givenSettings<T extends Table>(lookup: Lookup<T>): Promise<Found<T>> {
  const { program, argv, env, defaultData } = lookup
  const { check: _, ...unchecked } = program
  const own = await startOf(unchecked, { argv, env: {}, read: (path) => readFileSync(path, 'utf8') })
  if (own.is === 'say') throw new UserError('of --help, --version and --print-config, none is for this command alone')
  const unit = unitEnv(program.name)
  const data = dataOf(argv, [env, unit]) ?? defaultData
  const pid = runningPid(join(data, `${program.name}.pid`))
  const running = pid === undefined ? undefined : startedWith(pid, program.name)
  const merged = running?.env ?? { ...unit, ...env }
  const from = running
    ? `process ${pid}`
    : Object.keys(unit).length > 0
      ? unitEnvFile(program.name)
      : 'flags and variables'
  const read = (path: string) => readFileSync(resolve(running?.cwd ?? '.', path), 'utf8')
  const around = { env: { ...merged, KEDGE_DATA: data }, read }
  const args = [...(running?.argv ?? []), ...argv]
  try {
    const start = await startOf(program, { ...around, argv: args })
    const said = await startOf(program, { ...around, argv: [...args, '--print-config'] })
    if (start.is === 'say') throw new UserError(`${program.name} was started to say something and end`)
    const printed = said.is === 'say' ? said.text : undefined
    return { values: start.values, data, pid, from, printed, faults: undefined, env: merged }
  } catch (error) {
    const { values } = settle(unchecked, [[{ name: 'data', text: data, source: 'doctor' }]], {})
    return { values, data, pid, from, printed: undefined, faults: explain(error), env: merged }
  }
}

function unitEnvFile(name: string): string {
  return `/etc/kedge/${name}.env`
}

/** Variables of the EnvironmentFile= of the unit; none where there is no such file for this user. */
function unitEnv(name: string): Record<string, string> {
  try {
    return envIn(readFileSync(unitEnvFile(name), 'utf8'))
  } catch {
    return {}
  }
}

/** `NAME=value` lines as systemd reads them, quotes around a value taken off. */
export function envIn(text: string): Record<string, string> {
  const lines = text.split('\n').map((line) => /^\s*([A-Za-z_]\w*)=(.*)$/.exec(line))
  return Object.fromEntries(lines.flatMap((line) => (line ? [[line[1] ?? '', unquoted((line[2] ?? '').trim())]] : [])))
}

function unquoted(text: string): string {
  return /^(["']).*\1$/s.test(text) ? text.slice(1, -1) : text
}

function dataOf(argv: readonly string[], envs: readonly Env[]): string | undefined {
  const at = argv.findLastIndex((word) => word === '--data' || word.startsWith('--data='))
  const word = argv[at]
  const given = word?.startsWith('--data=') ? word.slice('--data='.length) : at < 0 ? undefined : argv[at + 1]
  const found = given ?? envs.map((env) => env.KEDGE_DATA).find((text) => text)
  return found === undefined ? undefined : resolve(found)
}

/** How a process was started, as proc(5) tells those who may know; undefined for others. */
function startedWith(pid: number, name: string): { argv: string[]; env: Env; cwd: string } | undefined {
  try {
    const words = (file: string) => readFileSync(`/proc/${pid}/${file}`, 'utf8').split('\0').slice(0, -1)
    const line = words('cmdline')
    const script = line.findIndex((word) =>
      new RegExp(`(^|/)${name}(\\.js)?$|(^|/)${name}/(main|boot)\\.ts$`).test(word),
    )
    if (script < 0) return undefined
    const env = Object.fromEntries(
      words('environ').map((one) => [one.slice(0, one.indexOf('=')), one.slice(one.indexOf('=') + 1)]),
    )
    return { argv: line.slice(script + 1), env, cwd: `/proc/${pid}/cwd` }
  } catch {
    return undefined
  }
}
