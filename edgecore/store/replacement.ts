import { existsSync, readFileSync, statSync } from 'node:fs'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { Database } from '@kedge/shared/sqlite'
import * as z from 'zod'
import { closeQuietly, type Seals } from './database.ts'
import { getMeta, setMeta } from './meta.ts'
import { migrate } from './migrations.ts'
import { type Salvage, salvage } from './salvage.ts'
import { type SealedDatabase, withSeal } from './seal.ts'
import { asideName, finishReplacing, replaceDatabase, successorOf } from './set-aside.ts'
import { withWal } from './wal-image.ts'

/** What became of a damaged database. */
const Damage = z.object({
  /** Milliseconds since the epoch, when it was found. */
  at: z.number(),
  /** What was found. */
  reason: z.string(),
  /** The file under which the damaged database lies. */
  aside: z.string(),
  /** Rows that could be taken over, by table. */
  rows: z.record(z.string(), z.number()),
  /** Tables of which rows may be missing. */
  incomplete: z.array(z.string()),
})
export type Damage = z.infer<typeof Damage>

const metaName = 'damage'

/** A damaged database larger than this, in bytes, is read where it lies; a smaller one as a copy in memory. */
const readInMemory = 64 * 1024 * 1024

/** Ends a replacement that a crash cut short. */
export function finishReplacement(path: string, now: number): void {
  finishReplacing(path, asideName(path, now))
}

interface Replacing {
  /** What was found of the damage. */
  error: unknown
  /** Milliseconds since the epoch. */
  now: number
  seals: Seals
  log: Log
}

/**
 * Makes a new database from what can be read of the damaged one and puts it in its place; the damaged one is set aside
 * beside it. Throws where the disk does not take it, and then nothing has changed.
 */
export function replaceDamaged(path: string, { error, now, seals, log }: Replacing): Damage {
  const aside = asideName(path, now)
  finishReplacing(path, aside)
  const db = new Database(successorOf(path))
  let damage: Damage
  try {
    db.pragma('page_size = 1024')
    db.pragma('synchronous = FULL')
    damage = fill(withSeal(db, seals.seal), path, { at: now, reason: explain(error), aside })
  } finally {
    db.close()
  }
  replaceDatabase(path, aside)
  log.error({ ...damage }, 'damaged database replaced')
  return damage
}

/** Brings an empty database to the newest version and fills it from the damaged one. */
export function fill(db: SealedDatabase, path: string, found: Pick<Damage, 'at' | 'reason' | 'aside'>): Damage {
  migrate(db)
  return db.transaction(() => {
    const damage = { ...found, ...salvageAll(path, db) }
    setMeta(db, metaName, JSON.stringify(damage))
    return damage
  })()
}

/**
 * What is to be told of the database's predecessor, or undefined. Call `tellDamage` in the transaction that tells it.
 */
export function untoldDamage(db: Database): Damage | undefined {
  const text = getMeta(db, metaName)
  return text === undefined || text === '' ? undefined : Damage.parse(JSON.parse(text))
}

export function damageTold(db: Database): void {
  setMeta(db, metaName, '')
}

/** With its log first, then without: a log that is damaged, or of another time, must not hide what lies below it. */
function salvageAll(path: string, to: SealedDatabase): Salvage {
  const sources = statSync(path).size > readInMemory ? [() => onDisk(path)] : [() => image(path), () => image(path, '')]
  const total: Salvage = { rows: {}, incomplete: [] }
  for (const open of sources) {
    const from = tryOpen(open)
    if (from === undefined) continue
    const { rows, incomplete } = salvage(from, to)
    closeQuietly(from)
    for (const [table, count] of Object.entries(rows)) total.rows[table] = (total.rows[table] ?? 0) + count
    total.incomplete = [...new Set([...total.incomplete, ...incomplete])]
  }
  return total
}

function tryOpen(open: () => Database): Database | undefined {
  try {
    return open()
  } catch {
    return undefined
  }
}

function onDisk(path: string): Database {
  return new Database(path, { readonly: true })
}

/** The database as it is on disk, in memory: opened without writing a byte. */
export function image(path: string, walPath = `${path}-wal`): Database {
  const wal = walPath !== '' && existsSync(walPath) ? readFileSync(walPath) : Buffer.alloc(0)
  return new Database(withWal(readFileSync(path), wal))
}
