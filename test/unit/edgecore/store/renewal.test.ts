import { join } from 'node:path'
import { type Renewed, renewing } from '@kedge/edgecore/store/renewal'
import { getMeta, Store, setMeta } from '@kedge/edgecore/store/store'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import type { Database } from '@kedge/shared/sqlite'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { tempDir } from '../../../support/temp-dir.ts'

interface Part extends Service {
  readonly store: Store
  stopped: boolean
}

/** What runs over a store, each time it was started. */
async function running(path: string): Promise<{ parts: Part[]; renewed: Renewed<Part>; failNext(): void }> {
  const parts: Part[] = []
  let failing = false
  const renewed = await renewing<Part>({
    open: (damaged) => Store.open({ path, clock: systemClock, log: silentLog, damaged, retryEvery: 20 }),
    start: async (store) => {
      if (failing) {
        failing = false
        throw new Error('the port is in use')
      }
      const part: Part = {
        store,
        stopped: false,
        stop: async () => {
          part.stopped = true
        },
      }
      parts.push(part)
      return part
    },
    log: silentLog,
    retryEvery: 20,
  })
  onTestFinished(() => renewed.stop())
  const failNext = () => {
    failing = true
  }
  return { parts, renewed, failNext }
}

function damagedError(): Error {
  return Object.assign(new Error('database disk image is malformed'), { code: 'SQLITE_CORRUPT' })
}

function thrownBy(run: () => unknown): unknown {
  try {
    return run()
  } catch (error) {
    return error
  }
}

test('a fault of the file that nobody caught: all stops, and starts over what could be saved', async () => {
  const { parts, renewed } = await running(join(tempDir(), 'edge.db'))
  const [first] = parts
  await first?.store.commit(() => setMeta(first.store.db, 'kept', '1'))
  expect(renewed.survive(new Error('a bug'))).toBe(false)
  expect(renewed.survive(new Error('read', { cause: damagedError() }))).toBe(true)
  const second = await eventually(() => parts[1])
  expect([first?.stopped, getMeta(second.store.db, 'kept'), renewed.current === second]).toEqual([true, '1', true])
  await expect(first?.store.commit(() => 1)).rejects.toThrow('closed')
  // Whoever still has the old one ends nothing.
  const late = () => first && getMeta(first.store.db, 'kept')
  expect(late).toThrow('not open')
  expect(renewed.survive(thrownBy(late))).toBe(true)
  expect(parts).toHaveLength(2)
})

test('a file that is damaged while it is open is noticed by whoever reads from it', async () => {
  const { parts } = await running(join(tempDir(), 'edge.db'))
  const [first] = parts
  const broken = first?.store.db.prepare('SELECT * FROM meta')
  // What SQLite does with a damaged page, done by a function of its own.
  first?.store.db.function('break', () => {
    throw damagedError()
  })
  expect(broken?.all()).toBeDefined()
  expect(() => first?.store.db.prepare('SELECT break()').all()).toThrow('malformed')
  await eventually(() => parts[1])
  expect(first?.stopped).toBe(true)
})

test('a start that fails after that is tried again', async () => {
  const { parts, renewed, failNext } = await running(join(tempDir(), 'edge.db'))
  failNext()
  renewed.survive(damagedError())
  await eventually(() => parts.length === 2)
  expect(parts[1]?.store.fault).toBeUndefined()
})

test('a disk that takes no write for a while stops nothing, and nothing is said to be kept meanwhile', async () => {
  const { parts } = await running(join(tempDir(), 'edge.db'))
  const { store } = parts[0] ?? {}
  const db = store?.db as Database
  const heard: (string | undefined)[] = []
  store?.onFault(() => heard.push(store.fault?.reason))
  db.pragma('query_only = ON')
  await expect(store?.commit(() => setMeta(db, 'a', '1'))).rejects.toThrow('read-only')
  expect(store?.fault?.reason).toBe('ReadOnly')
  db.pragma('query_only = OFF')
  await eventually(() => store?.fault === undefined)
  await store?.commit(() => setMeta(db, 'a', '2'))
  expect([getMeta(db, 'a'), heard, parts.length]).toEqual(['2', ['ReadOnly', undefined], 1])
})

test('a full database is a full disk', async () => {
  const { parts } = await running(join(tempDir(), 'edge.db'))
  const { store } = parts[0] ?? {}
  const db = store?.db as Database
  db.pragma(`max_page_count = ${db.pragma('page_count', { simple: true })}`)
  const large = () => setMeta(db, 'large', 'x'.repeat(100_000))
  await expect(store?.commit(large)).rejects.toThrow('the disk is full')
  expect(getMeta(db, 'large')).toBeUndefined()
  db.pragma('max_page_count = 1000000')
  await eventually(() => store?.fault === undefined)
  await store?.commit(large)
  expect(getMeta(db, 'large')).toHaveLength(100_000)
})
