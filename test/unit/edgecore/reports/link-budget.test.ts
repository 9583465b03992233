import { LinkBudget } from '@kedge/edgecore/reports/link-budget'
import { lanes } from '@kedge/shared/reports'
import { beforeEach, describe, expect, test } from 'vitest'
import { HandClock } from '../../../support/hand-clock.ts'

const hour = 3_600_000
let clock: HandClock
let budget: LinkBudget

beforeEach(() => {
  clock = new HandClock()
  budget = new LinkBudget(1000, clock)
})

const pauses = () => Object.fromEntries(lanes.map((lane) => [lane, budget.pause(lane)]))

describe('a budget', () => {
  test.each([
    [799, { control: 0, alarms: 0, state: 0, events: 0, telemetry: 0 }, 'WithinBudget'],
    [800, { control: 0, alarms: 0, state: 0, events: Infinity, telemetry: Infinity }, 'BudgetShort'],
    [5000, { control: 0, alarms: 0, state: 300_000, events: Infinity, telemetry: Infinity }, 'BudgetSpent'],
  ])('of which %d of 1000 bytes are spent', (spent, expected, reason) => {
    budget.spend(spent)
    expect(pauses()).toEqual(expected)
    expect(budget.condition().reason).toBe(reason)
  })

  test('begins anew with the day', () => {
    budget.spend(1000)
    clock.tick(23.9 * hour)
    budget.spend(0)
    expect(budget.level).toBe('spent')
    clock.tick(0.2 * hour)
    budget.spend(0)
    expect(budget.spent).toBe(0)
  })

  test('outlives a restart on the same day', () => {
    budget.spend(900)
    expect(new LinkBudget(1000, clock, budget.saved).spent).toBe(900)
  })

  test('is given once more, and not again and again, to a clock that jumps', () => {
    for (const days of [1, 5, 400]) {
      clock.jump(days * 24 * hour)
      budget.spend(1000)
    }
    expect(budget.spent).toBe(3000)
    clock.jump(-500 * 24 * hour)
    budget.spend(1)
    expect(budget.spent).toBe(3001)
    clock.tick(24 * hour)
    budget.spend(1)
    expect(budget.spent).toBe(1)
  })
})
