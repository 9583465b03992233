import { afterAll } from 'vitest'
import type { WhenOver } from './temp-dir.ts'

/**
 * For what a `beforeAll` starts: ends it, the last first, when all tests of the group are over. Called in the group's
 * body: an `afterAll` from within a hook is never heard.
 */
export function afterThese(): WhenOver {
  const overs: Parameters<WhenOver>[0][] = []
  afterAll(async () => {
    for (const over of overs.reverse()) await over()
  })
  return (over) => void overs.push(over)
}
