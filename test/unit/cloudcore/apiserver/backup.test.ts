import { existsSync, mkdirSync, readdirSync, readFileSync, renameSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { startApiServer } from '@kedge/cloudcore/apiserver/apiserver'
import { backup } from '@kedge/cloudcore/apiserver/backup'
import { check } from '@kedge/cloudcore/apiserver/backup-file'
import { databaseName, openDatabase } from '@kedge/cloudcore/apiserver/database'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import { finishRestore, restore } from '@kedge/cloudcore/apiserver/restore'
import { BuiltInCa } from '@kedge/cloudcore/identity/built-in'
import { SecretCaStore } from '@kedge/cloudcore/identity/ca-store'
import { caKeyName, sealingKey } from '@kedge/cloudcore/identity/sealed-key'
import { openKube } from '@kedge/cloudcore/kube/client'
import { systemClock } from '@kedge/shared/clock'
import { UserError } from '@kedge/shared/errors'
import { silentLog } from '@kedge/shared/log'
import { Database } from '@kedge/shared/sqlite'
import { describe, expect, it, onTestFinished } from 'vitest'
import { makeCsr } from '../../../support/csr.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const now = Date.UTC(2026, 0, 2, 12)
const key = (name: string) => ({ resource: 'configmaps', namespace: 'default', name })
const put = (store: LogStore, name: string) =>
  store.commit((tx) => tx.put(key(name), { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name } }))
const names = (store: LogStore) => store.list({ resource: 'configmaps' }).map(({ name }) => name)

function open(dir: string): LogStore {
  const store = new LogStore(openDatabase(join(dir, databaseName)), silentLog)
  onTestFinished(() => store.close())
  return store
}

/** The folder of an API server, as one makes it. */
function cluster(token = 'secret'): string {
  const dir = join(tempDir(), 'apiserver')
  mkdirSync(join(dir, 'pki'), { recursive: true })
  writeFileSync(join(dir, 'pki/ca.pem'), 'authority')
  writeFileSync(join(dir, 'pki/admin.token'), token)
  return dir
}

/** What the authority of the link is, in the API server of a folder: made there when there is none. */
async function linkAuthority(dir: string, caKeyFile?: string): Promise<string> {
  const server = await startApiServer({
    dir,
    host: '127.0.0.1',
    port: 0,
    kubeconfig: join(dir, 'kubeconfig'),
    ...(caKeyFile === undefined ? {} : { caKeyFile }),
    clock: systemClock,
    log: silentLog,
  })
  const kube = openKube({ kubeconfig: server.kubeconfig })
  try {
    const key = sealingKey(caKeyFile ?? join(dir, 'pki', caKeyName))
    const ca = await BuiltInCa.open({ store: new SecretCaStore(kube, key), clock: systemClock })
    const leaf = await ca.sign({ csr: makeCsr('edge-1'), node: 'edge-1', days: 1 })
    expect(leaf.chain).toContain('CERTIFICATE')
    return ca.pin()
  } finally {
    kube.close()
    await server.stop()
  }
}

/** The folder of an API server that has run. */
async function realCluster(caKeyFile?: string): Promise<string> {
  const dir = join(tempDir(), 'apiserver')
  await linkAuthority(dir, caKeyFile)
  return dir
}

/** A backup with `names` in it. */
async function made(...names: string[]): Promise<string> {
  const dir = cluster()
  const store = open(dir)
  for (const name of names) await put(store, name)
  const to = join(tempDir(), 'backup')
  backup({ dir, to, now })
  return to
}

describe('backup and restore', () => {
  it('copies a running server, and brings the copy back beyond every resourceVersion that was seen', async () => {
    const dir = cluster()
    const to = join(tempDir(), 'backup')
    const store = open(dir)
    await put(store, 'a')
    await put(store, 'a')
    expect(backup({ dir, to, now })).toEqual({ revision: 2, objects: 1, keyElsewhere: false })
    expect(statSync(to).mode & 0o777).toBe(0o600)
    await put(store, 'c')
    const last = store.revision

    const empty = join(tempDir(), 'new/apiserver')
    const restored = restore({ dir: empty, from: to, now })
    expect(restored).toMatchObject({ revision: 2, objects: 1, made: '2026-01-02T12:00:00.000Z' })
    expect(restored.aside).toBeUndefined()
    expect(readFileSync(join(empty, 'pki/ca.pem'), 'utf8')).toBe('authority')
    expect(readFileSync(join(empty, 'pki/admin.token'), 'utf8')).toBe('secret')
    for (const name of [databaseName, 'pki/ca.pem', 'pki/admin.token']) {
      expect(statSync(join(empty, name)).mode & 0o077, name).toBe(0)
    }
    const again = open(empty)
    expect(names(again)).toEqual(['a'])
    expect(again.get(key('a'))?.rv).toBe(2)
    expect(again.oldest).toBeGreaterThan(last)
    expect((await put(again, 'd')).rv).toBe(again.oldest + 1)
  })

  it('has the key that authorities are sealed with, where that lies in the folder', async () => {
    const dir = await realCluster()
    const ca = await linkAuthority(dir)
    const to = join(tempDir(), 'backup')
    expect(backup({ dir, to, now }).keyElsewhere).toBe(false)
    const again = join(tempDir(), 'again/apiserver')
    restore({ dir: again, from: to, now })
    expect(statSync(join(again, 'pki/ca.key')).mode & 0o777).toBe(0o600)
    expect(await linkAuthority(again)).toBe(ca)
  })

  it('says so where that key lies elsewhere, and needs it again', async () => {
    const elsewhere = join(tempDir(), 'ca.key')
    const dir = await realCluster(elsewhere)
    const ca = await linkAuthority(dir, elsewhere)
    const to = join(tempDir(), 'backup')
    expect(backup({ dir, to, now }).keyElsewhere).toBe(true)
    const key = readFileSync(elsewhere, 'utf8').trim()
    expect(readFileSync(to).includes(key)).toBe(false)
    const again = join(tempDir(), 'again/apiserver')
    restore({ dir: again, from: to, now })
    await expect(linkAuthority(again)).rejects.toThrow(/cannot be unsealed .*--ca-key-file/)
    expect(await linkAuthority(again, elsewhere)).toBe(ca)
  })

  it('replaces a backup only when told to, and leaves nothing beside it', async () => {
    const to = await made('a')
    const dir = cluster()
    await put(open(dir), 'b')
    expect(() => backup({ dir, to, now })).toThrow(/exists: give another name, or --force/)
    expect(check(to).objects).toBe(1)
    await put(open(dir), 'c')
    backup({ dir, to, now, force: true })
    expect(check(to).objects).toBe(2)
    expect(readdirSync(join(to, '..'))).toEqual(['backup'])
  })

  it('says what there is no backup of, and where there can be none', () => {
    const to = join(tempDir(), 'backup')
    expect(() => backup({ dir: tempDir(), to, now })).toThrow(/no embedded Kubernetes API in/)
    const dir = cluster()
    expect(() => backup({ dir, to, now })).toThrow(/no embedded Kubernetes API in/)
    open(dir)
    expect(() => backup({ dir, to: join(to, 'x'), now })).toThrow(/folder .* does not exist/)
    expect(() => backup({ dir, to: dir, now, force: true })).toThrow(/is a folder/)
    expect(existsSync(to)).toBe(false)
  })

  it('sets aside what is there only when told to', async () => {
    const from = await made('a')
    const dir = cluster('other')
    await put(open(dir), 'b')
    expect(() => restore({ dir, from, now })).toThrow(/holds a cluster/)
    const { aside = '' } = restore({ dir, from, now, force: true })
    expect(aside).toBe(`${dir}.before-restore-2026-01-02T12-00-00-000Z`)
    expect(names(open(dir))).toEqual(['a'])
    expect(names(open(aside))).toEqual(['b'])
    expect(readFileSync(join(aside, 'pki/admin.token'), 'utf8')).toBe('other')
    expect(readdirSync(join(dir, '..')).sort()).toEqual([
      'apiserver',
      'apiserver.before-restore-2026-01-02T12-00-00-000Z',
    ])
  })

  it('is finished by the next start where it was cut off after the old folder was set aside', async () => {
    const from = await made('a')
    const dir = join(tempDir(), 'apiserver')
    restore({ dir, from, now })
    renameSync(dir, `${dir}.restored`)
    finishRestore(dir)
    expect(names(open(dir))).toEqual(['a'])

    mkdirSync(`${dir}.restored`)
    finishRestore(dir)
    expect(names(open(dir))).toEqual(['a'])
    expect(existsSync(`${dir}.restored`)).toBe(false)
  })
})

describe('what is no whole backup is refused, and nothing is touched', () => {
  const cases: Record<string, { spoil: (path: string) => void; why: RegExp }> = {
    'another file': {
      spoil: (path) => writeFileSync(path, 'this is not a database, but long enough to be taken for one'.repeat(100)),
      why: /is not a backup made by cloudcore/,
    },
    'an empty file': { spoil: (path) => writeFileSync(path, ''), why: /is not a backup made by cloudcore/ },
    'another database': {
      spoil: (path) => writeFileSync(path, readFileSync(path).fill(0, 68, 72)),
      why: /is not a backup made by cloudcore/,
    },
    'half of a backup': {
      spoil: (path) => writeFileSync(path, readFileSync(path).subarray(0, 4096 * 2)),
      why: /is damaged: /,
    },
    'a value that has changed': {
      spoil: (path) => {
        const bytes = readFileSync(path)
        bytes.write('X', bytes.indexOf('ConfigMap'))
        writeFileSync(path, bytes)
      },
      why: /is damaged: its content is not what was written/,
    },
    'another authority': {
      spoil: (path) => sql(path, "UPDATE backup SET value = 'mine' WHERE name = 'authority'"),
      why: /is damaged: its content is not what was written/,
    },
    'a missing table': { spoil: (path) => sql(path, 'DROP TABLE current'), why: /is damaged: no such table: current/ },
    'a newer form': {
      spoil: (path) => sql(path, 'PRAGMA user_version = 99'),
      why: /made by a newer cloudcore \(form 99/,
    },
  }

  it.each(Object.entries(cases))('%s', async (_, { spoil, why }) => {
    const from = await made('a', 'b')
    spoil(from)
    const dir = join(tempDir(), 'apiserver')
    const attempt = () => restore({ dir, from, now, force: true })
    expect(attempt).toThrow(why)
    expect(attempt).toThrow(UserError)
    expect(readdirSync(join(dir, '..'))).toEqual([])
  })

  it('a file that is not there', () => {
    const attempt = () => restore({ dir: tempDir(), from: '/nowhere/backup', now })
    expect(attempt).toThrow(/cannot be read: there is no such file/)
  })
})

function sql(path: string, text: string): void {
  const db = new Database(path)
  db.exec(text)
  db.close()
}
