import { execFileSync } from 'node:child_process'
import { UserError } from '@kedge/shared/errors'
import { root } from '../build.ts'

export interface RunOptions {
  /** The repository unless given. */
  cwd?: string
  env?: Readonly<Record<string, string>>
}

/** Runs a program to its end. Returns what it wrote to standard output; throws a UserError with the end of what it said. */
export function run(command: string, args: readonly string[], { cwd = root, env = {} }: RunOptions = {}): string {
  try {
    const options = { cwd, env: { ...process.env, ...env }, maxBuffer: 64 * 2 ** 20 }
    return execFileSync(command, args, { ...options, stdio: ['ignore', 'pipe', 'pipe'] })
      .toString()
      .trim()
  } catch (cause) {
    const said = (cause as { stderr?: Buffer }).stderr?.toString().trim().split('\n').slice(-20).join('\n')
    const shown = [command, ...args.slice(0, 2)].join(' ')
    throw new UserError(`${shown} failed: ${said || (cause as Error).message}`, { cause })
  }
}
