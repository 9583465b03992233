import { CommitPace } from '@kedge/edgecore/store/commit-pace'
import { expect, test } from 'vitest'

/** Commits as fast as the pace allows, one write per millisecond, for `forMs`; how many there were. */
function commits(pace: CommitPace, from: number, forMs: number): number {
  let count = 0
  for (let now = from; now < from + forMs; now++) {
    if (pace.wait(now) > 0) continue
    pace.committed(now)
    count++
  }
  return count
}

test('a fixed interval lies between any two commits, and the first after it goes at once', () => {
  const pace = new CommitPace(100)
  expect(pace.wait(0)).toBeLessThanOrEqual(0)
  expect(commits(pace, 0, 1000)).toBe(10)
  expect(pace.wait(999)).toBe(1)
  expect(pace.wait(5000)).toBeLessThanOrEqual(0)
})

test('none between commits that go at once', () => {
  expect(commits(new CommitPace(0), 0, 1000)).toBe(1000)
})

test('auto: a burst goes at once, a load without end five times a second, and calm makes room for the next burst', () => {
  const pace = new CommitPace('auto')
  const busy = commits(pace, 0, 110_000)
  expect(busy).toBeGreaterThan(100_000)
  expect(busy).toBeLessThan(101_000)
  expect(commits(pace, 110_000, 60_000)).toBeLessThanOrEqual(300)
  expect(commits(pace, 170_000 + 3_600_000, 20_000)).toBeGreaterThan(18_000)
})
