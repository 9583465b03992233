import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { openReader } from '@kedge/edgecore/cli/reader'
import { secretsCondition } from '@kedge/edgecore/reports/secrets-condition'
import { Objects } from '@kedge/edgecore/store/objects'
import { PieceTable } from '@kedge/edgecore/store/pieces'
import { getMeta, Store, setMeta } from '@kedge/edgecore/store/store'
import { Holding } from '@kedge/edgecore/sync/holding'
import { usable } from '@kedge/edgecore/sync/usable'
import { type Hash, hashOf } from '@kedge/shared/changes'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { contentText, keyOf } from '@kedge/shared/objects'
import { Database } from '@kedge/shared/sqlite'
import { expect, test } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

/** As it stands in the object: what a search of the disk must not find. */
const value = Buffer.from('correct horse battery staple').toString('base64')
const key = keyOf('secrets', 'default', 'db')
const other = keyOf('secrets', 'default', 'other')
const map = keyOf('configmaps', 'default', 'settings')

const textOf = (of: typeof key, data: string) =>
  contentText('secrets', { metadata: { name: of.split('/')[2] ?? '', namespace: 'default' }, data: { password: data } })
const text = textOf(key, value)

const open = (path: string, more: { secretsKeyFile?: string } = {}) =>
  Store.open({ path, clock: systemClock, log: silentLog, ...more })

async function filled(path: string): Promise<Store> {
  const store = open(path)
  const objects = new Objects(store.db)
  await store.commit(() => {
    objects.put(key, text, hashOf(key, text), null)
    objects.put(map, '{"metadata":{}}', hashOf(map, '{"metadata":{}}'), null)
    setMeta(store.db, 'complete', '1')
  })
  return store
}

/** Every file of the data folder that holds `what`. */
function filesWith(path: string, what: string): string[] {
  return readdirSync(dirname(path)).filter((name) => readFileSync(join(dirname(path), name)).includes(what))
}

/** The rows as an edgecore wrote them before any was encrypted, with one that was deleted and its page left as it was. */
function makePlain(path: string, ways: { checkpoint: boolean }): void {
  const db = new Database(path)
  db.pragma('journal_mode = WAL')
  if (!ways.checkpoint) db.pragma('wal_autocheckpoint = 0')
  db.exec("DELETE FROM meta WHERE name LIKE 'secrets%'")
  const put = db.prepare('INSERT OR REPLACE INTO objects (key, content, hash) VALUES (?, ?, ?)')
  put.run(key, text, hashOf(key, text))
  const large = textOf(other, `${value}${'x'.repeat(5000)}`)
  put.run(other, large, hashOf(other, large))
  db.prepare('DELETE FROM objects WHERE key = ?').run(other)
  db.prepare("INSERT INTO pieces (pack, at, data) VALUES ('p', 0, ?)").run(Buffer.from(value))
  if (ways.checkpoint) return void db.close()
  // As a kill leaves it: the log unread.
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, `${path}.copy${suffix}`)
  db.close()
  for (const suffix of ['', '-wal']) copyFileSync(`${path}.copy${suffix}`, path + suffix)
  for (const suffix of ['', '-wal']) rmSync(`${path}.copy${suffix}`)
}

test('what is written of a Secret, or of a piece that may be of one, cannot be read on disk', async () => {
  const path = join(tempDir(), 'edge.db')
  const store = await filled(path)
  await store.commit(() => new PieceTable(store.db).put('pack', 0, Buffer.from(value)))
  for (const what of [value, hashOf(key, text), 'correct horse']) expect(filesWith(path, what)).toEqual([])
  expect(filesWith(path, hashOf(map, '{"metadata":{}}'))).not.toEqual([])
  const pieces = new PieceTable(store.db)
  expect([pieces.held(), pieces.bytes('pack').toString()]).toEqual([new Map([['pack', value.length]]), value])
  store.close()
  expect(statSync(join(dirname(path), 'secrets.key')).mode & 0o777).toBe(0o600)
  const again = open(path)
  expect(new Objects(again.db).get(key)?.content.data).toEqual({ password: value })
  again.close()
})

test('the digest of what is held is that of the plain objects', async () => {
  const path = join(tempDir(), 'edge.db')
  const store = await filled(path)
  const holding = new Holding(store, new Objects(store.db), usable)
  expect(holding.inventory.get(key)).toBe(hashOf(key, text))
  store.close()
})

test.each([{ checkpoint: true }, { checkpoint: false }])(
  'rows that were written plain are sealed at the next start, and no file keeps a trace (%j)',
  async (ways) => {
    const path = join(tempDir(), 'edge.db')
    ;(await filled(path)).close()
    makePlain(path, ways)
    const aside = `${path}.corrupt-2026-01-01T00-00-00-000Z`
    for (const end of ['', '-wal']) if (existsSync(path + end)) copyFileSync(path + end, aside + end)
    expect(filesWith(path, value).length).toBeGreaterThan(1)
    const store = open(path)
    expect(filesWith(path, value)).toEqual([])
    expect(existsSync(aside)).toBe(false)
    expect(new Objects(store.db).get(key)?.content.data).toEqual({ password: value })
    expect(getMeta(store.db, 'complete')).toBe('1')
    store.close()
    const again = open(path)
    expect(new Objects(again.db).inventory().size).toBe(2)
    again.close()
  },
)

test('a row in the place of another one, or put together from two, is no row', async () => {
  const path = join(tempDir(), 'edge.db')
  const store = await filled(path)
  const text2 = textOf(other, 'b3RoZXI=')
  await store.commit(() => new Objects(store.db).put(other, text2, hashOf(other, text2), null))
  store.close()
  const db = new Database(path)
  db.exec(`UPDATE objects SET content = (SELECT content FROM objects WHERE key = '${other}'),
    hash = (SELECT hash FROM objects WHERE key = '${other}') WHERE key = '${key}'`)
  db.close()
  const again = open(path)
  expect([...new Objects(again.db).inventory().keys()]).toEqual([map, other])
  expect(getMeta(again.db, 'complete')).toBeUndefined()
  again.close()
})

const lost: [string, (file: string) => void][] = [
  ['is gone', (file) => rmSync(file)],
  ['is another', (file) => writeFileSync(file, Buffer.alloc(32, 9))],
  ['is damaged', (file) => writeFileSync(file, 'nonsense')],
]
test.each(lost)(
  'when the key %s, Secrets count as not held, which is said until they are here again',
  async (_, lose) => {
    const path = join(tempDir(), 'edge.db')
    ;(await filled(path)).close()
    lose(join(dirname(path), 'secrets.key'))
    for (let start = 0; start < 2; start++) {
      const store = open(path)
      const holding = new Holding(store, new Objects(store.db), usable)
      expect([[...holding.inventory.keys()], holding.complete]).toEqual([[map], false])
      expect(secretsCondition(store)).toMatchObject({ status: 'False', reason: 'KeyLost' })
      store.close()
    }
    const store = open(path)
    await store.commit(() => {
      new Objects(store.db).put(key, text, hashOf(key, text), null)
      setMeta(store.db, 'complete', '1')
    })
    expect(secretsCondition(store)).toMatchObject({ status: 'True', reason: 'Encrypted' })
    store.close()
    const again = open(path)
    expect([new Objects(again.db).inventory().size, secretsCondition(again).status]).toEqual([2, 'True'])
    again.close()
  },
)

test('a key that is handed in takes over from the one beside the database, which then goes', async () => {
  const path = join(tempDir(), 'edge.db')
  ;(await filled(path)).close()
  const file = join(tempDir(), 'key')
  writeFileSync(file, Buffer.alloc(32, 5).toString('hex'))
  const store = open(path, { secretsKeyFile: file })
  expect(new Objects(store.db).get(key)?.content.data).toEqual({ password: value })
  expect([existsSync(join(dirname(path), 'secrets.key')), getMeta(store.db, 'complete')]).toEqual([false, '1'])
  expect(secretsCondition(store).message).toContain('handed in')
  const read = openReader(dirname(path), file)
  expect(read.objects.list('secrets')).toHaveLength(1)
  read.close()
  const blind = openReader(dirname(path))
  expect(blind.objects.list('configmaps')).toHaveLength(1)
  expect(() => blind.objects.list('secrets')).toThrow(
    /their key .*secrets.key cannot be read by you: give its file with --secrets-key-file/,
  )
  blind.close()
  store.close()
})

test.each([
  ['missing', undefined, /cannot be read \(ENOENT\); give 32 random bytes/],
  ['short', 'abc', /found 3 bytes; give 32 random bytes/],
])('a key that is handed in and %s is refused at the start', (_, content, words) => {
  const file = join(tempDir(), 'key')
  if (content !== undefined) writeFileSync(file, content)
  expect(() => open(join(tempDir(), 'edge.db'), { secretsKeyFile: file })).toThrow(words)
})

test('a damaged database gives its Secrets over to the next one, sealed', async () => {
  const path = join(tempDir(), 'edge.db')
  ;(await filled(path)).close()
  const store = Store.open({ path, clock: systemClock, log: silentLog, damaged: new Error('found at work') })
  expect([...new Objects(store.db).inventory()]).toContainEqual([key, hashOf(key, text)])
  expect(filesWith(path, value)).toEqual([])
  expect(readdirSync(dirname(path)).filter((name) => name.includes('.corrupt-'))).toHaveLength(1)
  store.close()
})

test('a damaged database of plain rows is taken over and leaves none of them behind', async () => {
  const path = join(tempDir(), 'edge.db')
  ;(await filled(path)).close()
  makePlain(path, { checkpoint: true })
  const store = Store.open({ path, clock: systemClock, log: silentLog, damaged: new Error('found at work') })
  expect([...new Objects(store.db).inventory()]).toContainEqual([key, hashOf(key, text)])
  expect(filesWith(path, value)).toEqual([])
  store.close()
})

test('a row that goes bad while edgecore runs is a fault of the file, and tells nothing of the value', async () => {
  const path = join(tempDir(), 'edge.db')
  const store = await filled(path)
  const db = new Database(path)
  const row = db.prepare<[], { content: string }>(`SELECT content FROM objects WHERE key = '${key}'`).get()
  const bytes = Buffer.from(row?.content ?? '', 'base64')
  bytes[20] = (bytes[20] ?? 0) ^ 1
  db.prepare('UPDATE objects SET content = ? WHERE key = ?').run(bytes.toString('base64') as Hash, key)
  db.close()
  expect(() => new Objects(store.db).get(key)).toThrow(`${key}: the encrypted value cannot be opened`)
  expect(store.fault?.reason).toBe('Corrupt')
  store.close()
})
