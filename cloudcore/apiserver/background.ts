import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'

export interface Background extends Service {
  /** Looks now, not only when its time has come; resolves when that is done. */
  look(): Promise<void>
}

export interface BackgroundOptions {
  /** What it is called when it fails. */
  name: string
  /** One round; ends early once `stopped` says so. */
  round: (stopped: () => boolean) => Promise<void>
  log: Log
  /** How often to look, in milliseconds. */
  everyMs: number
}

/** Does something again and again, one round after the other. A round that fails is told, and the next one comes. */
export function startBackground({ name, round, log, everyMs }: BackgroundOptions): Background {
  let running: Promise<void> = Promise.resolve()
  let stopped = false
  const look = (): Promise<void> => {
    running = running
      .then(() => round(() => stopped))
      .catch((error: unknown) => {
        if (!stopped) log.error({ reason: explain(error) }, `${name} failed`)
      })
    return running
  }
  const timer = setInterval(() => void look(), everyMs)
  timer.unref()
  return {
    look,
    async stop() {
      stopped = true
      clearInterval(timer)
      await running
    },
  }
}
