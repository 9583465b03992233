import { parseArgs } from 'node:util'
import { nearest } from './near.ts'
import { type Entry, type Env, type Fault, flagName, type Table, variableName } from './settings.ts'

/** What one source gave, and what in it nobody understands. */
export interface Source {
  entries: Entry[]
  faults: Fault[]
}

/** What a program can be asked instead of running. */
export interface Flags extends Source {
  help: boolean
  version: boolean
  printConfig: boolean
  /** The settings file. */
  config?: string
}

const questions = { help: 'help', version: 'version', 'print-config': 'printConfig' } as const

/** Reads a command line: `--mqtt-port 1883`, `--mqtt-port=1883`, `--standalone`, `--no-standalone`, `-h`, `-v`. */
export function fromFlags(table: Table, argv: readonly string[]): Flags {
  const flags: Flags = { entries: [], faults: [], help: false, version: false, printConfig: false }
  const switches = new Set(named(table).flatMap(([name, setting]) => (setting.type.name === '' ? [name] : [])))
  const names = new Set([...named(table).map(([name]) => name), 'config', ...Object.keys(questions)])
  for (const { name, value, inline } of argumentsOf(names, switches, argv)) {
    const negated = name.startsWith('no-') && switches.has(name.slice(3)) && value === undefined
    if (negated) flags.entries.push({ name: name.slice(3), text: 'false', source: `flag --${name}` })
    else if (!name) flags.faults.push({ name: value ?? '', found: 'no flag', advice: 'each begins with --' })
    else if (!names.has(name)) flags.faults.push(unknown(`--${name}`, 'flag', suggestion(name, names, '--')))
    else if (Object.hasOwn(questions, name)) flags[questions[name as keyof typeof questions]] = true
    else if (switches.has(name)) flags.entries.push({ name, text: value ?? 'true', source: `flag --${name}` })
    else if (value === undefined || (!inline && value.startsWith('--')))
      flags.faults.push({ name, found: 'no value', source: `flag --${name}`, advice: `give ${valueName(table, name)}` })
    else if (name === 'config') flags.config = value
    else flags.entries.push({ name, text: value, source: `flag --${name}` })
  }
  return flags
}

interface Argument {
  /** Empty for a word that no flag takes. */
  name: string
  value: string | undefined
  /** Written as `--name=value`. */
  inline: boolean
}

function argumentsOf(names: Set<string>, switches: Set<string>, argv: readonly string[]): Argument[] {
  const isSwitch = (name: string) => switches.has(name) || Object.hasOwn(questions, name)
  const options = Object.fromEntries(
    [...names].map((name) => [name, { type: isSwitch(name) ? ('boolean' as const) : ('string' as const) }]),
  )
  const short = { help: { ...options.help, short: 'h' }, version: { ...options.version, short: 'v' } }
  const { tokens } = parseArgs({
    args: [...argv],
    options: { ...options, ...short } as Record<string, { type: 'boolean' | 'string'; short?: string }>,
    strict: false,
    tokens: true,
  })
  const found: Argument[] = []
  for (const token of tokens) {
    if (token.kind === 'option')
      found.push({ name: token.name, value: token.value, inline: token.inlineValue ?? false })
    // The word after an unknown flag is most likely its value: one fault for both.
    else if (token.kind === 'positional' && (found.length === 0 || isKnown(found.at(-1), names)))
      found.push({ name: '', value: token.value, inline: false })
  }
  return found
}

function isKnown(argument: Argument | undefined, names: Set<string>): boolean {
  return argument === undefined || argument.name === '' || names.has(argument.name) || argument.inline
}

function valueName(table: Table, name: string): string {
  return name === 'config' ? 'a YAML file' : (named(table).find(([each]) => each === name)?.[1].type.expects ?? 'one')
}

/** Reads the `KEDGE_*` variables; an empty one counts as not set. `KEDGE_TEST_*` belong to the tests. */
export function fromVariables(table: Table, env: Env): Source & { config?: string } {
  const source: Source & { config?: string } = { entries: [], faults: [] }
  const names = new Map(Object.keys(table).map((key) => [variableName(key), flagName(key)]))
  for (const [variable, text] of Object.entries(env)) {
    if (!variable.startsWith('KEDGE_') || variable.startsWith('KEDGE_TEST_') || !text) continue
    const name = names.get(variable)
    if (isServiceLink(variable, text)) continue
    if (variable === 'KEDGE_CONFIG') source.config = text
    else if (name !== undefined) source.entries.push({ name, text, source: `variable ${variable}` })
    else source.faults.push(unknown(variable, 'variable', suggestion(variable, [...names.keys(), 'KEDGE_CONFIG'])))
  }
  return source
}

/**
 * Kubernetes gives every container variables for each Service of its namespace: a Service named `kedge-mqtt` makes
 * `KEDGE_MQTT_PORT=tcp://10.96.0.7:1883`. Those are no settings.
 */
function isServiceLink(variable: string, text: string): boolean {
  const named = /_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_\w+)?$/
  return named.test(variable) || (variable.endsWith('_PORT') && /^(tcp|udp|sctp):\/\//.test(text))
}

/**
 * Reads what a settings file holds, already parsed, every scalar as its text: keys as the flags are named, flat
 * (`mqtt-port: 1883`) or nested (`mqtt: {port: 1883}`). `file` is its name, for the sources.
 */
export function fromFile(table: Table, content: unknown, file: string): Source {
  const source: Source = { entries: [], faults: [] }
  if (content === undefined || content === null) return source
  const names = new Set(named(table).map(([name]) => name))
  for (const { name, value } of leaves(content, [])) {
    if (name === '')
      source.faults.push({ name: file, found: 'no keys', advice: 'give keys and values, such as log-level: info' })
    else if (!names.has(name)) source.faults.push({ ...unknown(name, 'key', suggestion(name, names)), source: file })
    else if (typeof value !== 'string')
      source.faults.push({ name, found: 'found a list or nothing', source: file, advice: 'give one value' })
    else if (source.entries.some((entry) => entry.name === name))
      source.faults.push({ name, found: 'given twice', source: file, advice: 'give it once, nested or flat' })
    else source.entries.push({ name, text: value, source: file })
  }
  return source
}

function* leaves(value: unknown, path: string[]): Generator<{ name: string; value: unknown }> {
  const inside = typeof value === 'object' && value !== null && !Array.isArray(value) && Object.keys(value).length > 0
  if (!inside) yield { name: path.join('-'), value }
  else for (const [key, inner] of Object.entries(value)) yield* leaves(inner, [...path, key])
}

function named(table: Table): [string, Table[string]][] {
  return Object.entries(table).map(([key, setting]) => [flagName(key), setting])
}

function unknown(name: string, what: string, advice: string): Fault {
  return { name, found: `no such ${what}`, advice }
}

function suggestion(name: string, candidates: Iterable<string>, prefix = ''): string {
  const near = nearest(name, candidates)
  return near === undefined ? '--help lists all' : `did you mean ${prefix}${near}?`
}
