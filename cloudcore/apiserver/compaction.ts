import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { LogStore } from './log-store.ts'

export interface CompactionOptions {
  store: LogStore
  clock: Clock
  log: Log
  /** A replaced state is kept for at least this long, in milliseconds: watches that come back find what they missed. */
  keepMs: number
  /** How often to look, in milliseconds. */
  everyMs: number
}

/** Rows of the log that one short transaction goes over. */
const stride = 500

export interface Background extends Service {
  /** Looks now, not only when its time has come; resolves when that is done. */
  look(): Promise<void>
}

/** Forgets old states in the background, in steps that hold nobody up. */
export function startCompaction({ store, clock, log, keepMs, everyMs }: CompactionOptions): Background {
  // What `revision` was when: the horizon is the newest of these that is old enough.
  let marks: { at: number; revision: number }[] = [{ at: clock.monotonic(), revision: store.revision }]
  let running: Promise<void> = Promise.resolve()
  let stopped = false

  const look = (): Promise<void> => {
    const now = clock.monotonic()
    const old = marks.filter(({ at }) => now - at >= keepMs)
    const horizon = old.at(-1)?.revision ?? 0
    marks = [...marks.slice(Math.max(0, old.length - 1)), { at: now, revision: store.revision }]
    running = running
      .then(() => compactTo(horizon))
      .catch((error: unknown) => {
        log.error({ reason: explain(error) }, 'compaction failed')
      })
    return running
  }

  const compactTo = async (horizon: number) => {
    let removed = 0
    while (!stopped) {
      const step = store.compact(horizon, stride)
      removed += step.removed
      if (step.done) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (removed > 0) log.debug({ removed, horizon, revision: store.revision }, 'compacted')
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
