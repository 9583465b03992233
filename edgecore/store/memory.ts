import { existsSync } from 'node:fs'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { Database } from '@kedge/shared/sqlite'
import { check, closeQuietly, dropUnfit, type Seals } from './database.ts'
import { faultReason } from './faults.ts'
import { migrate } from './migrations.ts'
import { fill, image } from './replacement.ts'
import { type SealedDatabase, withSeal } from './seal.ts'
import { sealSecrets } from './sealing.ts'

interface InMemory {
  now: number
  seals: Seals
  log: Log
}

/**
 * What the database on disk holds, to be read from memory: for a disk that can be read and not written. Nothing can be
 * written to it either, since nothing would last.
 */
export function openInMemory(path: string, { now, seals, log }: InMemory): SealedDatabase {
  const db = withSeal(existsSync(path) ? copyOf(path, { now, seals, log }) : empty(), seals.seal)
  sealSecrets(db, { path: undefined, previous: seals.previous, log })
  dropUnfit(db, log)
  db.pragma('query_only = ON')
  return db
}

function empty(): Database {
  const db = new Database(':memory:')
  migrate(db)
  return db
}

function copyOf(path: string, { now, seals, log }: InMemory): Database {
  let copy: Database | undefined
  try {
    copy = image(path)
    check(copy, 0)
    migrate(copy)
    return copy
  } catch (error) {
    if (copy) closeQuietly(copy)
    if (faultReason(error) !== 'Corrupt') throw error
    const db = new Database(':memory:')
    const damage = fill(withSeal(db, seals.seal), path, { at: now, reason: explain(error), aside: path })
    log.error({ ...damage }, 'damaged database read in part')
    return db
  }
}
