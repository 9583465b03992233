import { type ParseArgsConfig, parseArgs } from 'node:util'
import { UserError } from './errors.ts'

type Options = NonNullable<ParseArgsConfig['options']>
type Config<T extends Options> = { args: string[]; options: T; allowPositionals: true }

/** Reads what follows a command, `edgecore get`. Throws a `UserError` that names the help of the command. */
export function commandLine<const T extends Options>(
  command: string,
  argv: readonly string[],
  options: T,
): ReturnType<typeof parseArgs<Config<T>>> {
  try {
    return parseArgs<Config<T>>({ args: [...argv], options, allowPositionals: true })
  } catch (error) {
    throw new UserError(`${(error as Error).message}; ${command} --help lists all flags`)
  }
}
