import { existsSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { openDatabase } from '@kedge/cloudcore/apiserver/database'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import type { Change } from '@kedge/shared/kubeapi/storage'
import { silentLog } from '@kedge/shared/log'
import { Database } from '@kedge/shared/sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const key = (name: string, namespace = 'default') => ({ resource: 'configmaps', namespace, name })

function thing(name: string, data = '1', namespace = 'default') {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace }, data: { data } }
}

function open(path: string): LogStore {
  const store = new LogStore(openDatabase(path), silentLog)
  onTestFinished(() => store.close())
  return store
}

const fresh = () => open(join(tempDir(), 'api.db'))
const put = (store: LogStore, name: string, data?: string) => store.commit((tx) => tx.put(key(name), thing(name, data)))
const names = (entries: { name: string }[]) => entries.map(({ name }) => name)

describe('LogStore', () => {
  it('gives each write the next resourceVersion', async () => {
    const store = fresh()
    const [a, b] = await Promise.all([put(store, 'a'), put(store, 'b')])
    expect([a.rv, b.rv, store.revision]).toEqual([1, 2, 2])
    expect(store.get(key('b'))?.object.metadata.resourceVersion).toBe('2')
  })

  it('keeps everything over a restart, and never gives a resourceVersion twice', async () => {
    const path = join(tempDir(), 'api.db')
    const first = open(path)
    await put(first, 'a')
    await first.commit((tx) => tx.remove(key('a')))
    first.compact(first.revision, 1000)
    first.close()
    const second = open(path)
    expect(second.revision).toBe(2)
    expect(second.list({ resource: 'configmaps' })).toEqual([])
    expect((await put(second, 'a')).rv).toBe(3)
  })

  it('takes back a write that throws, and only that one', async () => {
    const store = fresh()
    const changes: Change[] = []
    store.subscribe((some) => changes.push(...some))
    const results = await Promise.allSettled([
      put(store, 'a'),
      store.commit((tx) => {
        tx.put(key('b'), thing('b'))
        throw new Error('no')
      }),
      put(store, 'c'),
    ])
    expect(results.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(names(store.list({ resource: 'configmaps' }))).toEqual(['a', 'c'])
    expect(changes.map(({ entry }) => [entry.name, entry.rv])).toEqual([
      ['a', 1],
      ['c', 2],
    ])
  })

  it('tells subscribers before the writer', async () => {
    const store = fresh()
    let told = false
    store.subscribe(() => {
      told = true
    })
    await put(store, 'a').then(() => expect(told).toBe(true))
  })

  it('lists the state of an older resourceVersion, in pages', async () => {
    const store = fresh()
    for (const name of ['a', 'b', 'c', 'd']) await put(store, name)
    const at = store.revision
    await store.commit((tx) => tx.remove(key('b')))
    await put(store, 'c', '2')
    await put(store, 'bb')
    await put(store, 'b', 'again')
    const first = store.list({ resource: 'configmaps', at, limit: 2 })
    const second = store.list({ resource: 'configmaps', at, limit: 9, after: { namespace: 'default', name: 'b' } })
    expect(names(first)).toEqual(['a', 'b'])
    expect(names(second)).toEqual(['c', 'd'])
    expect(second[0]?.object.data).toEqual({ data: '1' })
    expect(names(store.list({ resource: 'configmaps', namespace: 'default' }))).toEqual(['a', 'b', 'bb', 'c', 'd'])
    expect(store.list({ resource: 'configmaps', namespace: 'other', at })).toEqual([])
    expect(store.count({ resource: 'configmaps', after: { namespace: 'default', name: 'b' } })).toBe(3)
  })

  it('tells changes with what was before, and forgets what was replaced', async () => {
    const store = fresh()
    await put(store, 'a', '1')
    await put(store, 'a', '2')
    await store.commit((tx) => tx.remove(key('a')))
    await put(store, 'b')
    const types = store.changes({ resource: 'configmaps', after: 0, maxBytes: 1e6 }).map(({ type }) => type)
    expect(types).toEqual(['ADDED', 'MODIFIED', 'DELETED', 'ADDED'])
    const [second] = store.changes({ resource: 'configmaps', after: 1, maxBytes: 1 })
    expect(second?.previous?.object.data).toEqual({ data: '1' })
    expect(store.changes({ resource: 'configmaps', namespace: 'x', after: 0, maxBytes: 1e6 })).toEqual([])

    expect(store.compact(3, 2)).toEqual({ removed: 1, done: false })
    expect(store.compact(3, 2)).toEqual({ removed: 2, done: true })
    expect(store.oldest).toBe(3)
    expect(store.changes({ resource: 'configmaps', after: 3, maxBytes: 1e6 }).map(({ entry }) => entry.name)).toEqual([
      'b',
    ])
    expect(names(store.list({ resource: 'configmaps' }))).toEqual(['b'])
  })

  it('says that a database is damaged, and leaves it as it is', async () => {
    const path = join(tempDir(), 'api.db')
    const store = open(path)
    for (let i = 0; i < 50; i++) await put(store, `n${i}`, 'x'.repeat(1000))
    store.close()
    const db = new Database(path)
    db.prepare("UPDATE meta SET value = 0 WHERE name = 'clean'").run()
    db.close()
    const bytes = readFileSync(path)
    bytes.fill(0x5a, bytes.length - 20_000)
    writeFileSync(path, bytes)
    expect(() => openDatabase(path)).toThrow(/is damaged .*cloudcore restore --force/)
    expect(existsSync(path)).toBe(true)
    writeFileSync(path, 'not a database'.repeat(1000))
    expect(() => openDatabase(path)).toThrow(/is damaged/)
  })

  it('refuses a database of a newer form', () => {
    const path = join(tempDir(), 'api.db')
    const db = openDatabase(path)
    db.pragma('user_version = 99')
    db.close()
    expect(() => openDatabase(path)).toThrow(/newer cloudcore/)
  })
})
