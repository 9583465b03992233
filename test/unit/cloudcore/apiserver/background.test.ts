import { join } from 'node:path'
import { startCompaction } from '@kedge/cloudcore/apiserver/compaction'
import { openDatabase } from '@kedge/cloudcore/apiserver/database'
import { lastSeen, startEventRetention } from '@kedge/cloudcore/apiserver/event-retention'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import { silentLog } from '@kedge/shared/log'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

function fresh(): LogStore {
  const store = new LogStore(openDatabase(join(tempDir(), 'api.db')), silentLog)
  onTestFinished(() => store.close())
  return store
}

/** Time that stands still until it is moved. */
function handClock() {
  let ms = 0
  return {
    now: () => ms,
    monotonic: () => ms,
    advance: (by: number) => {
      ms += by
    },
  }
}

describe('compaction', () => {
  it('forgets what was replaced longer ago than it must keep', async () => {
    const store = fresh()
    const clock = handClock()
    const compaction = startCompaction({ store, clock, log: silentLog, keepMs: 1000, everyMs: 1e9 })
    onTestFinished(() => compaction.stop())
    const key = { resource: 'configmaps', namespace: 'd', name: 'a' }
    for (let i = 0; i < 20; i++) {
      await store.commit((tx) => tx.put(key, { metadata: { name: 'a' }, data: { i } }))
      clock.advance(100)
      await compaction.look()
    }
    expect(store.oldest).toBe(10)
    clock.advance(2000)
    await compaction.look()
    expect(store.oldest).toBe(20)
    expect(store.changes({ resource: 'configmaps', after: 0, maxBytes: 1e6 })).toHaveLength(1)
    expect(store.get(key)?.rv).toBe(20)
  })
})

describe('events', () => {
  it('go an hour after they were last seen', async () => {
    const store = fresh()
    const clock = handClock()
    const put = (name: string, lastTimestamp: string) =>
      store.commit((tx) =>
        tx.put({ resource: 'events', namespace: 'd', name }, { metadata: { name, namespace: 'd' }, lastTimestamp }),
      )
    await put('old', '1970-01-01T00:00:00Z')
    await put('new', '1970-01-01T00:59:00Z')
    const retention = startEventRetention({ store, clock, log: silentLog, keepMs: 3_600_000, everyMs: 1e9 })
    onTestFinished(() => retention.stop())
    clock.advance(3_600_001)
    await retention.look()
    expect(store.list({ resource: 'events' })).toHaveLength(1)
    expect(store.list({ resource: 'events' })[0]?.name).toBe('new')
  })

  it.each([
    [{ lastTimestamp: '1970-01-01T00:00:02Z' }, 2000],
    [{ series: { lastObservedTime: '1970-01-01T00:00:03.500000Z' } }, 3500],
    [{ eventTime: '1970-01-01T00:00:04.000000Z', lastTimestamp: null }, 4000],
    [{ lastTimestamp: 'nonsense' }, 1000],
  ])('are as old as they say: %j', (times, expected) => {
    const metadata = { name: 'e', creationTimestamp: '1970-01-01T00:00:01Z' }
    expect(lastSeen({ metadata, ...times })).toBe(expected)
  })
})
