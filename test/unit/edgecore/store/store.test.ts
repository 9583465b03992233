import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Outbox } from '@kedge/edgecore/store/outbox'
import { getMeta, Store, setMeta } from '@kedge/edgecore/store/store'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { DeviceReport } from '@kedge/shared/reports'
import { Database } from '@kedge/shared/sqlite'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'

let dir: string
let path: string
const opened: Store[] = []

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'kedge-store-'))
  path = join(dir, 'data', 'edge.db')
})

afterEach(() => {
  for (const store of opened.splice(0)) store.close()
  rmSync(dir, { recursive: true })
})

function open(): Store {
  const store = Store.open({ path, clock: systemClock, log: silentLog })
  opened.push(store)
  return store
}

describe('commit', () => {
  test('puts what arrives together into one transaction', async () => {
    const store = open()
    store.db.pragma('wal_checkpoint(TRUNCATE)')
    await Promise.all(['a', 'b', 'c'].map((name) => store.commit(() => setMeta(store.db, name, '1'))))
    // One transaction writes the page that the three share once: a header of 32 bytes and one frame.
    expect(statSync(`${path}-wal`).size).toBe(32 + 24 + 1024)
    expect(getMeta(store.db, 'c')).toBe('1')
  })

  test('lets what may wait share the next transaction, whoever asks for that one', async () => {
    const store = Store.open({ path, clock: systemClock, log: silentLog, commitInterval: 60_000 })
    opened.push(store)
    await store.commit(() => setMeta(store.db, 'first', '1'), 'spaced')
    const before = store.commits
    const order: string[] = []
    const note = (name: string) => () => void order.push(name)
    const spaced = store.commit(() => setMeta(store.db, 'spaced', '1'), 'spaced').then(note('spaced'))
    const lazy = store.commit(() => setMeta(store.db, 'lazy', '1'), 'lazy').then(note('lazy'))
    await new Promise((resolve) => setImmediate(resolve))
    expect([getMeta(store.db, 'spaced'), store.commits - before]).toEqual([undefined, 0])
    await Promise.all([spaced, lazy, store.commit(() => setMeta(store.db, 'now', '1')).then(note('now'))])
    expect([order, store.commits - before]).toEqual([['spaced', 'lazy', 'now'], 1])
  })

  test('settles in the order of the calls', async () => {
    const store = open()
    const order: number[] = []
    await Promise.all([1, 2, 3].map((each) => store.commit(() => each).then((value) => order.push(value))))
    expect(order).toEqual([1, 2, 3])
  })

  test('keeps the neighbours of a write that throws, and nothing of that write', async () => {
    const store = open()
    const good = store.commit(() => setMeta(store.db, 'good', '1'))
    const bad = store.commit(() => {
      setMeta(store.db, 'bad', '1')
      throw new Error('no')
    })
    const last = store.commit(() => setMeta(store.db, 'last', '1'))
    await expect(bad).rejects.toThrow('no')
    await Promise.all([good, last])
    expect(getMeta(store.db, 'good')).toBe('1')
    expect(getMeta(store.db, 'bad')).toBeUndefined()
    expect(getMeta(store.db, 'last')).toBe('1')
  })

  test('is visible to another process before it resolves', async () => {
    const store = open()
    await store.commit(() => setMeta(store.db, 'seen', '1'))
    const other = new Database(path, { readonly: true })
    expect(getMeta(other, 'seen')).toBe('1')
    other.close()
  })

  test('after close is refused', async () => {
    const store = open()
    store.close()
    await expect(store.commit(() => 1)).rejects.toThrow('closed')
  })
})

describe('a database that fails its check after an unclean stop', () => {
  test('is set aside, never deleted, and a new one takes its place', async () => {
    const store = open()
    await store.commit(() => {
      for (let row = 0; row < 2000; row++) setMeta(store.db, `row-${row}`, 'x'.repeat(200))
    })
    store.db.pragma('wal_checkpoint(TRUNCATE)')
    store.db.close()
    opened.pop()
    const bytes = readFileSync(path)
    for (let at = 1024; at < bytes.length; at += 1024) bytes.fill(0x5a, at, at + 512)
    writeFileSync(path, bytes)

    const fresh = open()
    expect(getMeta(fresh.db, 'row-1')).toBeUndefined()
    const aside = readdirSync(join(dir, 'data')).filter((name) => name.includes('corrupt'))
    expect(aside.length).toBeGreaterThan(0)
    expect(readFileSync(join(dir, 'data', aside[0] ?? '')).length).toBe(bytes.length)
  })

  test('also when it is no database at all', () => {
    open().close()
    writeFileSync(path, 'not a database, but long enough to be read as one'.repeat(100))
    expect(getMeta(open().db, 'clean')).toBe('0')
    expect(readdirSync(join(dir, 'data')).some((name) => name.includes('corrupt'))).toBe(true)
  })
})

test('a database of a newer version is refused and left alone', () => {
  const store = open()
  store.db.pragma('user_version = 999')
  store.close()
  expect(open).toThrow(/open the database/)
  expect(existsSync(path)).toBe(true)
  expect(readdirSync(join(dir, 'data')).some((name) => name.includes('corrupt'))).toBe(false)
})

describe('the outbox', () => {
  const report = (value: string): DeviceReport => ({
    is: 'device',
    namespace: 'default',
    name: 'lamp',
    uid: 'u1',
    twins: { on: { type: 'string', reported: { value, at: 1 } } },
  })

  test('folds reports on one subject, keeping their place in line', async () => {
    const store = open()
    const outbox = new Outbox(store.db, systemClock)
    await store.commit(() => outbox.add(report('1')))
    await store.commit(() => outbox.add({ ...report('x'), name: 'other' }))
    await store.commit(() => outbox.add(report('2')))
    const rows = outbox.pending(10)
    expect(rows.map(({ subject, version }) => [subject, version])).toEqual([
      ['devices/default/lamp', 2],
      ['devices/default/other', 1],
    ])
    expect(rows[0]?.report).toEqual(report('2'))
  })

  test('keeps a row when only an older version of it was answered', async () => {
    const store = open()
    const outbox = new Outbox(store.db, systemClock)
    await store.commit(() => outbox.add(report('1')))
    const [row] = outbox.pending(1)
    await store.commit(() => outbox.add(report('2')))
    await store.commit(() => outbox.accepted(row?.seq ?? 0, 1))
    expect(outbox.all()).toHaveLength(1)
    await store.commit(() => outbox.accepted(row?.seq ?? 0, 2))
    expect(outbox.all()).toHaveLength(0)
  })

  test('never uses a number again, so that a late answer hits nothing else', async () => {
    const store = open()
    const outbox = new Outbox(store.db, systemClock)
    await store.commit(() => outbox.add(report('1')))
    const first = outbox.pending(1)[0]?.seq ?? 0
    await store.commit(() => outbox.accepted(first, 1))
    await store.commit(() => outbox.add(report('2')))
    expect(outbox.pending(1)[0]?.seq).toBeGreaterThan(first)
  })

  test('sets a refused report aside with the reason, until there is news on its subject', async () => {
    const store = open()
    const outbox = new Outbox(store.db, systemClock)
    await store.commit(() => outbox.add(report('1')))
    const { seq } = outbox.pending(1)[0] ?? { seq: 0 }
    await store.commit(() => outbox.refused(seq, 1, 'no such device'))
    expect(outbox.pending(10)).toEqual([])
    expect(outbox.all()[0]?.refused).toBe('no such device')
    await store.commit(() => outbox.add(report('2')))
    expect(outbox.pending(10)).toHaveLength(1)
  })
})
