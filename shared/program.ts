import { UserError } from './errors.ts'
import type { Log } from './log.ts'
import type { Service } from './service.ts'
import { supervised } from './supervision.ts'

/**
 * Runs the body of a program. A `UserError`, what the person at the terminal can mend, is told in one line with exit
 * code 2; anything else with its stack and exit code 1.
 */
export async function runProgram(name: string, body: () => Promise<void>): Promise<void> {
  try {
    await body()
  } catch (error) {
    const mendable = error instanceof UserError
    process.stderr.write(`${name}: ${mendable ? error.message : ((error as Error)?.stack ?? error)}\n`)
    process.exitCode = mendable ? 2 : 1
  }
}

/**
 * Tells who supervises this process that it is ready, and resolves after SIGINT or SIGTERM once `service` has stopped. A
 * second signal ends the process at once: someone is in a
 * hurry, and everything acknowledged is on disk anyway.
 */
export async function untilSignal(service: Service, log: Log): Promise<void> {
  const supervision = supervised({ env: process.env, run: runQuietly, log })
  const signal = await new Promise<string>((resolve) => {
    for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => resolve(name))
  })
  log.info({ signal }, 'stopping')
  for (const name of ['SIGINT', 'SIGTERM'] as const) process.once(name, () => process.exit(130))
  await supervision.stop()
  await service.stop()
  log.info({}, 'stopped')
}

async function runQuietly(program: string, args: readonly string[]): Promise<void> {
  const { execFile } = await import('node:child_process')
  await new Promise<void>((resolve, reject) => {
    execFile(program, args, { timeout: 10_000 }, (error) => (error === null ? resolve() : reject(error)))
  })
}

/**
 * A fault that nobody caught is told as a log line before the process ends; whoever supervises starts it again. Unless
 * `survive` knows the error and says that the program goes on.
 */
export function dieLoudly(log: Log, survive: (error: unknown) => boolean = () => false): void {
  process.on('uncaughtException', (error) => {
    if (survive(error)) return
    log.fatal({ stack: error.stack ?? String(error) }, 'uncaught fault')
    process.exit(1)
  })
}
