import type { Clock } from '@kedge/shared/clock'
import type { Log } from '@kedge/shared/log'
import { type Background, startBackground } from './background.ts'
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

/** Forgets old states in the background, in steps that hold nobody up. */
export function startCompaction({ store, clock, log, keepMs, everyMs }: CompactionOptions): Background {
  // What `revision` was when: the horizon is the newest of these that is old enough.
  let marks: { at: number; revision: number }[] = [{ at: clock.monotonic(), revision: store.revision }]

  const nextHorizon = (): number => {
    const now = clock.monotonic()
    const old = marks.filter(({ at }) => now - at >= keepMs)
    marks = [...marks.slice(Math.max(0, old.length - 1)), { at: now, revision: store.revision }]
    return old.at(-1)?.revision ?? 0
  }

  const round = async (stopped: () => boolean) => {
    const horizon = nextHorizon()
    let removed = 0
    while (!stopped()) {
      const step = store.compact(horizon, stride)
      removed += step.removed
      if (step.done) break
      await new Promise((resolve) => setImmediate(resolve))
    }
    if (removed > 0) log.debug({ removed, horizon, revision: store.revision }, 'compacted')
  }
  return startBackground({ name: 'compaction', round, log, everyMs })
}
