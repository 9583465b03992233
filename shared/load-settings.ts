import { readFileSync } from 'node:fs'
import { UserError } from './errors.ts'
import { type Flags, fromFile, fromFlags, fromVariables, type Source } from './setting-sources.ts'
import { type Env, type Fault, type Program, settle, type Table, type Values } from './settings.ts'
import { faultsText, helpText, printedConfig } from './settings-text.ts'
import { version } from './version.ts'

export interface Around {
  /** The arguments after the program's name. */
  argv: readonly string[]
  env: Env
  /** The text of a file; throws as `readFileSync` does. */
  read(path: string): string
}

/** The program runs with these values, or only says something and ends. */
export type Start<T extends Table> = { is: 'run'; values: Values<T> } | { is: 'say'; text: string }

/**
 * The settings of a program from its flags, the `KEDGE_*` variables and the file that `--config` names, in this order
 * of precedence. Throws a UserError that tells all faults of all of them at once.
 */
export async function startOf<T extends Table>(program: Program<T>, { argv, env, read }: Around): Promise<Start<T>> {
  const flags = fromFlags(program.table, argv)
  const question = answer(program, flags)
  if (question !== undefined) return { is: 'say', text: question }
  const variables: Source & { config?: string } = program.flagsOnly ? nothing : fromVariables(program.table, env)
  const config = flags.config ?? variables.config
  const file: Source = config === undefined ? nothing : await readConfig(program.table, config, read)
  const sources = [flags, variables, file]
  const { values, entries, faults } = settle(
    program,
    sources.map((source) => source.entries),
    env,
  )
  const all: Fault[] = [...sources.flatMap((source) => source.faults), ...faults]
  if (all.length > 0) throw new UserError(faultsText(program.name, all))
  return flags.printConfig ? { is: 'say', text: printedConfig(program, entries) } : { is: 'run', values }
}

const nothing: Source = { entries: [], faults: [] }

function answer<T extends Table>(program: Program<T>, flags: Flags): string | undefined {
  if (flags.help) return helpText(program, version)
  return flags.version ? `${version}\n` : undefined
}

async function readConfig(table: Table, path: string, read: Around['read']): Promise<Source> {
  // Loaded only where there is a file: memory counts at the edge.
  const { parse } = await import('./yaml.ts')
  try {
    // Every scalar stays the text that it is: a node named 007 is no number, and a type of ours reads the text.
    return fromFile(table, parse(read(path), { schema: 'failsafe' }), path)
  } catch (error) {
    const found = (error as Error).message.split('\n')[0]?.replace(/:$/, '') ?? 'an error'
    return { entries: [], faults: [{ name: 'config', found, source: path, advice: 'give a YAML file' }] }
  }
}

/**
 * The settings of this process, or undefined when it was asked only to say something (`--help`, `--version`,
 * `--print-config`) and has said it. Throws a UserError that tells all faults at once.
 */
export async function loadSettings<T extends Table>(
  program: Program<T>,
  argv: readonly string[] = process.argv.slice(2),
): Promise<Values<T> | undefined> {
  const start = await startOf(program, { argv, env: process.env, read: (path) => readFileSync(path, 'utf8') })
  if (start.is === 'run') return start.values
  // A reader may have enough before all is written: `--help | head`.
  process.stdout.on('error', () => {})
  process.stdout.write(start.text)
  return undefined
}
