import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { getMeta, type Store, setMeta } from '../store/store.ts'
import { LinkBudget, SavedBudget } from './link-budget.ts'
import type { NodeConditions } from './node-conditions.ts'

export interface BudgetCareOptions {
  /** Bytes a day. */
  limit: number
  store: Pick<Store, 'commit' | 'db'>
  conditions: NodeConditions
  /** Bytes that the link has carried since the start, both directions. */
  carried: () => number
  clock: Clock
  log: Log
}

export interface BudgetCare {
  readonly budget: LinkBudget
  /** Counts what went over the link since the last call. Call it every second or so. */
  tick(): void
  /** Keeps the count; call it before the store closes. */
  save(): Promise<void>
}

const metaName = 'link-budget'
const saveEvery = 60_000

/** Keeps the budget of the link over restarts and tells of it: `LinkBudgetSpent`. */
export function careForBudget({ limit, store, conditions, carried, clock, log }: BudgetCareOptions): BudgetCare {
  const budget = new LinkBudget(limit, clock, savedBudget(store))
  let counted = 0
  let { level } = budget
  let saved = budget.spent
  let savedAt = clock.monotonic()

  conditions.add(() => budget.condition())

  function save(): Promise<void> {
    if (saved === budget.spent) return Promise.resolve()
    saved = budget.spent
    savedAt = clock.monotonic()
    return store
      .commit(() => setMeta(store.db, metaName, JSON.stringify(budget.saved)))
      .catch((error: unknown) => log.warn({ reason: explain(error) }, 'link budget not kept'))
  }

  return {
    budget,
    tick() {
      const now = carried()
      budget.spend(now - counted)
      counted = now
      if (budget.level !== level) {
        level = budget.level
        log.info({ level, limit, spent: budget.spent }, 'link budget')
        conditions.changed()
      }
      // What a crash forgets is at most a hundredth of the budget, or what a minute carried.
      const due = clock.monotonic() - savedAt >= saveEvery || Math.abs(budget.spent - saved) > limit / 100
      if (due) void save()
    },
    save,
  }
}

/** What was kept of the budget; undefined when there never was one. */
export function savedBudget({ db }: Pick<Store, 'db'>): SavedBudget | undefined {
  const text = getMeta(db, metaName)
  if (text === undefined) return undefined
  const parsed = SavedBudget.safeParse(JSON.parse(text))
  return parsed.success ? parsed.data : undefined
}
