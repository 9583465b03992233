import { copyFileSync, existsSync, readFileSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { getMeta, Store, setMeta } from '@kedge/edgecore/store/store'
import { withWal } from '@kedge/edgecore/store/wal-image'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import { Database } from '@kedge/shared/sqlite'
import fc from 'fast-check'
import { expect, test } from 'vitest'
import { tempDir } from '../support/temp-dir.ts'

interface Written {
  /** The database and its log when the power went. */
  path: string
  /** Bytes of the log that were on disk when the commit with this number was acknowledged. */
  ends: number[]
}

/**
 * A store with `commits` acknowledged commits, each of one row, and no clean stop. Those before `checkpointed` are in the
 * database itself, the others in its log alone.
 */
async function written(commits: number, checkpointed = 0): Promise<Written> {
  const path = join(tempDir(), 'edge.db')
  const store = Store.open({ path, clock: systemClock, log: silentLog })
  store.db.pragma('wal_autocheckpoint = 0')
  const ends: number[] = []
  for (let commit = 0; commit < commits; commit++) {
    if (commit === checkpointed && commit > 0) store.db.pragma('wal_checkpoint(TRUNCATE)')
    await store.commit(() => setMeta(store.db, `row-${commit}`, 'x'.repeat(1 + ((commit * 977) % 6000))))
    ends.push(statSync(`${path}-wal`).size)
  }
  const copy = join(tempDir(), 'edge.db')
  for (const suffix of ['', '-wal']) copyFileSync(path + suffix, copy + suffix)
  store.close()
  return { path: copy, ends }
}

function rowsOf(db: Database): string[] {
  return db.prepare<[], string>("SELECT name FROM meta WHERE name LIKE 'row-%'").pluck().all().sort()
}

/** What a power cut leaves: the log up to `at`, then what the disk had there before. */
function cut(wal: Buffer, at: number, tail: Uint8Array): Buffer {
  return Buffer.concat([wal.subarray(0, at), tail])
}

test('whatever a power cut does to the end of the log, all that was acknowledged before it is there', async () => {
  const { path, ends } = await written(40)
  const [db, wal] = [readFileSync(path), readFileSync(`${path}-wal`)]
  const first = ends[0] ?? 0
  await fc.assert(
    fc.asyncProperty(
      fc.integer({ min: first, max: wal.length }),
      fc.uint8Array({ maxLength: 9000 }),
      async (at, tail) => {
        const torn = join(tempDir(), 'edge.db')
        writeFileSync(torn, db)
        writeFileSync(`${torn}-wal`, cut(wal, at, tail))
        const inMemory = new Database(withWal(db, cut(wal, at, tail)))
        const store = Store.open({ path: torn, clock: systemClock, log: silentLog })
        const acknowledged = ends.flatMap((end, commit) => (end <= at ? [`row-${commit}`] : [])).sort()
        expect(rowsOf(store.db)).toEqual(acknowledged)
        expect(rowsOf(inMemory)).toEqual(acknowledged)
        expect(store.fault).toBeUndefined()
        expect(getMeta(store.db, 'damage')).toBeUndefined()
        store.close()
        inMemory.close()
      },
    ),
    { numRuns: Number(process.env.KEDGE_TEST_RUNS ?? 25) },
  )
})

test('whatever is wrong in the files, the store opens, and what it then holds is whole', async () => {
  const { path } = await written(80, 60)
  const files = { db: readFileSync(path), wal: readFileSync(`${path}-wal`) }
  const wound = fc.record({
    file: fc.constantFrom('db' as const, 'wal' as const),
    // Everywhere alike; half of all doubles lie below 10^-150.
    at: fc.integer({ min: 0, max: 9999 }).map((place) => place / 10_000),
    bytes: fc.uint8Array({ minLength: 1, maxLength: 5000 }),
    truncate: fc.boolean(),
  })
  await fc.assert(
    fc.asyncProperty(fc.array(wound, { minLength: 1, maxLength: 4 }), async (wounds) => {
      const damaged = join(tempDir(), 'edge.db')
      const bytes = { db: Buffer.from(files.db), wal: Buffer.from(files.wal) }
      for (const { file, at, bytes: garbage, truncate } of wounds) {
        const place = Math.floor(at * bytes[file].length)
        if (truncate) bytes[file] = bytes[file].subarray(0, place)
        else bytes[file].set(garbage.subarray(0, bytes[file].length - place), place)
      }
      writeFileSync(damaged, bytes.db)
      writeFileSync(`${damaged}-wal`, bytes.wal)
      const store = Store.open({ path: damaged, clock: systemClock, log: silentLog })
      expect(store.db.pragma('integrity_check', { simple: true })).toBe('ok')
      await store.commit(() => setMeta(store.db, 'again', '1'))
      store.close()
      const again = Store.open({ path: damaged, clock: systemClock, log: silentLog })
      expect(getMeta(again.db, 'again')).toBe('1')
      expect(existsSync(`${damaged}.new`)).toBe(false)
      again.close()
    }),
    { numRuns: Number(process.env.KEDGE_TEST_RUNS ?? 25) },
  )
})
