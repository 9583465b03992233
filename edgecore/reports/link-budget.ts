import type { Clock } from '@kedge/shared/clock'
import type { Lane } from '@kedge/shared/reports'
import * as z from 'zod'
import type { NodeCondition } from './node-conditions.ts'

/** What of a budget outlives a restart. */
export const SavedBudget = z.object({
  /** Days since the epoch, UTC. */
  day: z.number(),
  spent: z.number(),
  limit: z.number(),
})
export type SavedBudget = z.infer<typeof SavedBudget>

export type BudgetLevel = 'free' | 'short' | 'spent'

const dayMs = 86_400_000
/** A new day begins at most so often by a clock that runs ahead, and at least after a day by the time that passes. */
const shortestDay = dayMs / 2
/** Events and telemetry leave so much of the budget to the states. */
const bulkShare = 0.8
/** Milliseconds from one round of states to the next once the budget is spent: what changes meanwhile folds. */
const thinned = 300_000

/**
 * The bytes a day that the link may carry, both directions.
 *
 * Invariants:
 * - Control and alarms go at once, whatever was spent.
 * - A clock that jumps gives at most one more budget: days are told by the wall clock, but none is shorter than 12 hours
 *   of running time after the first, and none goes backwards.
 */
export class LinkBudget {
  readonly #clock: Clock
  readonly limit: number
  #day: number
  #spent: number
  #rolledAt: number | undefined
  readonly #startedAt: number

  constructor(limit: number, clock: Clock, saved?: SavedBudget) {
    this.limit = limit
    this.#clock = clock
    this.#day = saved?.day ?? today(clock)
    this.#spent = saved?.spent ?? 0
    this.#startedAt = clock.monotonic()
  }

  get spent(): number {
    return this.#spent
  }

  get level(): BudgetLevel {
    if (this.#spent >= this.limit) return 'spent'
    return this.#spent >= bulkShare * this.limit ? 'short' : 'free'
  }

  get saved(): SavedBudget {
    return { day: this.#day, spent: this.#spent, limit: this.limit }
  }

  /** So many bytes went over the link. Call it every second or so, with 0 too: it begins new days. */
  spend(bytes: number): void {
    const now = this.#clock.monotonic()
    const ahead = today(this.#clock) > this.#day
    const running = now - (this.#rolledAt ?? this.#startedAt)
    if ((ahead && (this.#rolledAt === undefined || running >= shortestDay)) || running >= dayMs) {
      this.#day = today(this.#clock)
      this.#rolledAt = now
      this.#spent = 0
    }
    this.#spent += bytes
  }

  /** Milliseconds from one round of a lane to the next: 0 for at once, Infinity for not before the next day. */
  pause(lane: Lane): number {
    if (lane === 'control' || lane === 'alarms') return 0
    if (lane === 'state') return this.level === 'spent' ? thinned : 0
    return this.level === 'free' ? 0 : Number.POSITIVE_INFINITY
  }

  /** The condition `LinkBudgetSpent`. */
  condition(): NodeCondition {
    const type = 'LinkBudgetSpent'
    const of = `of ${this.limit} bytes a day for the link`
    switch (this.level) {
      case 'free':
        return { type, status: 'False', reason: 'WithinBudget', message: `the budget ${of} lasts` }
      case 'short':
        return {
          type,
          status: 'False',
          reason: 'BudgetShort',
          message: `most ${of} is spent: events and telemetry wait`,
        }
      case 'spent':
        return {
          ...{ type, status: 'True', reason: 'BudgetSpent' },
          message: `the budget ${of} is spent: states go every ${thinned / 60_000} minutes, events and telemetry wait`,
        }
    }
  }
}

function today(clock: Clock): number {
  return Math.floor(clock.now() / dayMs)
}
