import { careForBudget, savedBudget } from '@kedge/edgecore/reports/budget-care'
import { NodeConditions } from '@kedge/edgecore/reports/node-conditions'
import { Store, setMeta } from '@kedge/edgecore/store/store'
import { silentLog } from '@kedge/shared/log'
import { beforeEach, expect, onTestFinished, test } from 'vitest'
import { HandClock } from '../../../support/hand-clock.ts'
import { tempDir } from '../../../support/temp-dir.ts'

let clock: HandClock
let store: Store
let conditions: NodeConditions
let carried: number
let changes: number

beforeEach(() => {
  clock = new HandClock()
  store = Store.open({ path: `${tempDir()}/edge.db`, clock, log: silentLog })
  onTestFinished(() => store.close())
  conditions = new NodeConditions()
  changes = 0
  conditions.onChange(() => changes++)
  carried = 0
})

const care = () => careForBudget({ limit: 1000, store, conditions, carried: () => carried, clock, log: silentLog })
const reason = () => conditions.now()[0]?.reason

test('counts what the link carried since the last look, and says so when that leaves less', () => {
  const { budget, tick } = care()
  const seen = [100, 100, 850, 2000].map((bytes) => {
    carried = bytes
    tick()
    return [budget.spent, reason(), changes]
  })
  expect(seen).toEqual([
    [100, 'WithinBudget', 0],
    [100, 'WithinBudget', 0],
    [850, 'BudgetShort', 1],
    [2000, 'BudgetSpent', 2],
  ])
})

test('a crash forgets no more than a hundredth of the budget, or what a minute carried', async () => {
  const { tick } = care()
  carried = 10
  tick()
  expect(savedBudget(store)).toBeUndefined()
  clock.tick(60_000)
  tick()
  await store.commit(() => {})
  expect(savedBudget(store)?.spent).toBe(10)
  carried = 21
  tick()
  await store.commit(() => {})
  expect(savedBudget(store)?.spent).toBe(21)
})

test('what was spent counts after a restart, whose link has carried nothing yet', async () => {
  const first = care()
  carried = 905
  first.tick()
  carried = 906
  first.tick()
  await first.save()
  carried = 0
  const second = care()
  second.tick()
  expect([second.budget.spent, second.budget.level]).toEqual([906, 'short'])
})

test('what stands in the database and is no budget begins a new one', async () => {
  await store.commit(() => setMeta(store.db, 'link-budget', '{"day":"today"}'))
  expect(care().budget.spent).toBe(0)
})
