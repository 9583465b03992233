import { writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { backup, restore } from '@kedge/cloudcore/apiserver/backup'
import { databaseName, openDatabase } from '@kedge/cloudcore/apiserver/database'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import { silentLog } from '@kedge/shared/log'
import { describe, expect, it } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const key = (name: string) => ({ resource: 'configmaps', namespace: 'default', name })
const open = (dir: string) => new LogStore(openDatabase(join(dir, databaseName)), silentLog)
const put = (store: LogStore, name: string) =>
  store.commit((tx) => tx.put(key(name), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }))
const names = (store: LogStore) => store.list({ resource: 'configmaps' }).map(({ name }) => name)

describe('backup and restore', () => {
  it('copies a running server, and brings the copy back beyond every resourceVersion that was seen', async () => {
    const dir = tempDir()
    const to = join(tempDir(), 'backup.db')
    const store = open(dir)
    await put(store, 'a')
    const [facts] = await Promise.all([backup({ dir, to }), put(store, 'b')])
    expect(facts.objects).toBeGreaterThanOrEqual(1)
    await put(store, 'c')
    const last = store.revision
    store.close()

    const { aside } = await restore({ dir, from: to, now: 0 })
    expect(aside).toContain('before-restore-1970-01-01')
    const again = open(dir)
    expect(names(again)).not.toContain('c')
    expect(again.get(key('a'))?.rv).toBe(1)
    expect(again.oldest).toBeGreaterThan(last)
    expect((await put(again, 'd')).rv).toBe(again.oldest + 1)
    again.close()
  })

  it('overwrites no file, and takes nothing that is no backup', async () => {
    const dir = tempDir()
    const store = open(dir)
    const to = join(tempDir(), 'backup.db')
    await backup({ dir, to })
    await expect(backup({ dir, to })).rejects.toThrow(/exists/)
    await expect(backup({ dir: tempDir(), to: `${to}2` })).rejects.toThrow(/no API server's database/)
    store.close()
    const junk = join(tempDir(), 'junk')
    writeFileSync(junk, 'this is not a database, but it is long enough to be taken for one'.repeat(100))
    await expect(restore({ dir, from: junk, now: 0 })).rejects.toThrow(/not a backup/)
    expect(names(open(dir))).toEqual([])
  })
})
