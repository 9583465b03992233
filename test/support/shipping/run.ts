import { execFile } from 'node:child_process'

export interface RunOptions {
  cwd?: string
  env?: Readonly<Record<string, string>>
  /** Milliseconds; five minutes unless given. */
  within?: number
}

/** Runs a program to its end. Resolves with what it wrote to standard output; throws with the end of all that it said. */
export function run(
  program: string,
  args: readonly string[],
  { cwd, env = {}, within = 300_000 }: RunOptions = {},
): Promise<string> {
  const options = { cwd, env: { ...process.env, ...env }, timeout: within, maxBuffer: 64 * 2 ** 20 }
  return new Promise((resolve, reject) => {
    execFile(program, args, options, (error, out, said) => {
      if (error === null) return resolve(out)
      const tail = `${out}\n${said}`.trim().split('\n').slice(-30).join('\n')
      reject(new Error(`${program} ${args.join(' ')}: exit code ${error.code ?? error.signal}\n${tail}`))
    })
  })
}
