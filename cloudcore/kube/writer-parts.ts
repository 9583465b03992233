import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { type Answer, accepted, refused } from './answer.ts'
import type { Kube } from './api.ts'
import type { Counters } from './counters.ts'
import type { Freshest } from './freshest.ts'
import type { KeyedWorkerOptions, Pass } from './keyed-worker.ts'
import type { Limiter } from './limiter.ts'
import type { Written } from './status-patch.ts'

/** What everything that writes to Kubernetes needs. */
export interface WriterParts {
  kube: Kube
  freshest: Freshest
  /** Shared by all writers: so many requests at once are enough. */
  limiter: Limiter
  counters: Counters
  clock: Clock
  log: Log
  random: () => number
}

/** How a writer's worker behaves in trouble: pauses up to 30 s, told when an outage begins and when it has grown long. */
export function workerOptions({ limiter, clock, log, random, counters }: WriterParts) {
  return {
    limiter,
    clock,
    random,
    backoff: { base: 200, cap: 30_000 },
    onFailure: (key: string, error: unknown, { attempt, wait }: { attempt: number; wait: number }) => {
      counters.add('retries')
      const level = attempt === 1 || attempt === 8 ? 'warn' : 'debug'
      log[level]({ key, error: explain(error), attempt, waitMs: Math.round(wait) }, 'status write delayed')
    },
    onUnheard: (key: string, answer: Answer) => {
      if (answer.is === 'refused') log.warn({ key, reason: answer.reason }, 'status write refused')
    },
  } satisfies Partial<KeyedWorkerOptions<Answer>>
}

/** The answer to a report that a write came to. */
export function answerOf(written: Written, about: { log: Log; counters: Counters; key: string }): Pass<Answer> {
  const { log, counters, key } = about
  switch (written.is) {
    case 'written':
      return { wrote: true, result: accepted }
    case 'same':
      counters.add('same')
      return { wrote: false, result: accepted }
    case 'gone':
      counters.add('obsolete')
      log.info({ key }, 'report on an object that is gone')
      return { wrote: false, result: accepted, gone: true }
    case 'refused':
      counters.add('refused')
      return { wrote: false, result: refused(written.reason) }
  }
}
