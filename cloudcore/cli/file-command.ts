import { resolve } from 'node:path'
import { commandLine } from '@kedge/shared/command-line'
import { UserError } from '@kedge/shared/errors'
import type { Env } from '@kedge/shared/settings'
import { defaultData } from '../settings.ts'

/** What a command reads of the world around it. */
export interface Around {
  env: Env
  /** Milliseconds since the epoch. */
  now: number
}

/** A command between a file and the data folder of cloudcore. */
export interface FileCommand {
  /** Absolute. */
  file: string
  /** Absolute. */
  data: string
  force: boolean
}

/**
 * Reads `--<flag> FILE [--data DIR] [--force]`; undefined when help is asked for. Throws a UserError for a command line
 * that is not right.
 */
export function fileCommand(
  argv: readonly string[],
  env: Env,
  { name, flag }: { name: string; flag: string },
): FileCommand | undefined {
  const { values, positionals } = parsed(argv, name, flag)
  if (values.help === true) return undefined
  const hint = `cloudcore ${name} --help lists all flags`
  if (positionals[0] !== undefined) {
    throw new UserError(`found "${positionals[0]}"; give the file as --${flag} FILE; ${hint}`)
  }
  const file = values[flag]
  if (typeof file !== 'string' || file === '') throw new UserError(`no file; give --${flag} FILE; ${hint}`)
  const data = typeof values.data === 'string' ? values.data : env.KEDGE_DATA || defaultData
  if (data === '') throw new UserError(`--data: found ""; give the data folder of cloudcore; ${hint}`)
  return { file: resolve(file), data: resolve(data), force: values.force === true }
}

function parsed(argv: readonly string[], name: string, flag: string) {
  const options = {
    [flag]: { type: 'string' as const },
    data: { type: 'string' as const },
    force: { type: 'boolean' as const },
    help: { type: 'boolean' as const, short: 'h' },
  }
  return commandLine(`cloudcore ${name}`, argv, options)
}
