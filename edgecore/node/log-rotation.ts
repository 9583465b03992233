import { createReadStream, createWriteStream, readdirSync, statSync } from 'node:fs'
import { rename, rm } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import type { Clock } from '@kedge/shared/clock'
import { codeOf, explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { Runtime } from '../pods/runtime.ts'
import { type Scheduler, systemScheduler } from '../pods/scheduler.ts'
import { isRunning } from '../pods/situation.ts'
import { rotatedFiles, rotatedName } from './log-files.ts'

/** How large a container's log may grow, and how many files of it are kept, the one in use among them: kubelet's defaults. */
export interface LogLimits {
  bytes: number
  files: number
}

export const logLimits: LogLimits = { bytes: 10 * 1024 * 1024, files: 5 }

export interface LogRotationOptions {
  /** The folder of all logs: `<folder>/<pod>/<container>/<attempt>.log`. */
  folder: string
  runtime: Pick<Runtime, 'list' | 'logFile' | 'reopenLog'>
  clock: Clock
  log: Log
  scheduler?: Scheduler
  limits?: LogLimits
}

export interface LogRotation extends Service {
  /** Looks at once, and not only when the next period is over. */
  look(): Promise<void>
}

/** As often as kubelet. */
const everyMs = 10_000

/**
 * Keeps the logs of containers within their limits.
 *
 * Invariants:
 * - The engine is asked only when a file is too large: a look at quiet logs costs a few calls of the file system.
 * - A log is moved, then opened anew by the engine; when it does not, the log is moved back and nothing is lost.
 */
export function startLogRotation(options: LogRotationOptions): LogRotation {
  const { log, scheduler = systemScheduler, limits = logLimits } = options
  let cancel = () => {}
  let stopped = false
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    const large = logsBelow(options.folder).filter((file) => sizeOf(file) > limits.bytes)
    if (large.length === 0) return
    const writers = await writersOf(options.runtime)
    for (const file of large) {
      const id = writers.get(file)
      if (id !== undefined) await rotate(file, id, options).catch((error: unknown) => told(file, error))
    }
  }

  function told(file: string, error: unknown): void {
    log.warn({ file, reason: explain(error) }, 'log not rotated')
  }

  function lookOnce(): Promise<void> {
    cancel()
    looking ??= look()
      .catch((error: unknown) => log.debug({ reason: explain(error) }, 'logs not looked at'))
      .finally(() => {
        looking = undefined
        if (!stopped) cancel = scheduler.after(everyMs, () => void lookOnce())
      })
    return looking
  }

  cancel = scheduler.after(everyMs, () => void lookOnce())
  return {
    look: lookOnce,
    async stop() {
      stopped = true
      cancel()
      await looking
    },
  }
}

/**
 * The logs that are in use: `<attempt>.log`. Asked of the system without waiting in between: with a hundred pods that
 * takes a tenth of the processor time, and this is done all the time.
 */
function logsBelow(folder: string): string[] {
  return names(folder).flatMap((pod) =>
    names(join(folder, pod)).flatMap((container) => {
      const at = join(folder, pod, container)
      return names(at).flatMap((name) => (/^\d+\.log$/.test(name) ? [join(at, name)] : []))
    }),
  )
}

function sizeOf(file: string): number {
  return statSync(file, { throwIfNoEntry: false })?.size ?? 0
}

function names(folder: string): string[] {
  try {
    return readdirSync(folder)
  } catch (error) {
    if (codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR') return []
    throw error
  }
}

/** Which running container writes to which file. */
async function writersOf(runtime: LogRotationOptions['runtime']): Promise<Map<string, string>> {
  const writers = new Map<string, string>()
  for (const { pod, containers } of await runtime.list()) {
    for (const container of containers.filter(isRunning)) {
      const file = runtime.logFile(pod, container)
      if (file !== undefined) writers.set(file, container.id)
    }
  }
  return writers
}

async function rotate(file: string, id: string, options: LogRotationOptions): Promise<void> {
  const { runtime, clock, log, limits = logLimits } = options
  await tidy(file, limits)
  const moved = rotatedName(file, clock.now())
  await rename(file, moved)
  try {
    await runtime.reopenLog(id)
  } catch (cause) {
    await rename(moved, file)
    throw new Error('the engine did not open it anew', { cause })
  }
  log.debug({ file }, 'log rotated')
}

/** Packs what was moved before and removes the oldest, so that with one more there are as many as there may be. */
async function tidy(file: string, limits: LogLimits): Promise<void> {
  const all = await rotatedFiles(file)
  // One is in use, and one is about to be moved.
  const most = Math.max(0, limits.files - 2)
  for (const old of all.slice(0, Math.max(0, all.length - most))) await rm(old, { force: true })
  const kept = all.slice(Math.max(0, all.length - most))
  for (const old of kept.filter((name) => !name.endsWith('.gz'))) await pack(old)
  // What a kill left behind.
  const stray = names(dirname(file)).filter((name) => name.endsWith('.gz.tmp'))
  for (const name of stray) await rm(join(dirname(file), name), { force: true })
}

async function pack(file: string): Promise<void> {
  const temporary = `${file}.gz.tmp`
  await pipeline(createReadStream(file), createGzip(), createWriteStream(temporary))
  await rename(temporary, `${file}.gz`)
  await rm(file, { force: true })
}
