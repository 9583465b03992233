import { eventIds } from '@kedge/shared/event-id'
import { EventReport } from '@kedge/shared/reports'
import { expect, test } from 'vitest'

const uuid = () => '3f2a9c10-0000-4000-8000-000000000000'

test('ids are in the order in which they were made, also within a millisecond and when the clock goes back', () => {
  const next = eventIds(uuid)
  const ids = [1000, 1000, 1001, 900, 900, 1002].map(next)
  expect([...ids].sort()).toEqual(ids)
  expect(new Set(ids).size).toBe(ids.length)
})

test('an id is one that a report may carry', () => {
  const id = eventIds(uuid)(Date.UTC(2026, 10, 22))
  expect(EventReport.shape.id.safeParse(id).success).toBe(true)
})
