import { closeSync, existsSync, openSync, readSync, rmSync } from 'node:fs'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Database } from '@kedge/shared/sqlite'
import { dropMeta, getMeta, setMeta } from './meta.ts'
import type { Seal } from './seal.ts'
import { closeRow, type ObjectRow, plainRow, wholeRow } from './secret-rows.ts'
import { setAsideOf } from './set-aside.ts'

export interface Sealing {
  /** The database's file; undefined for one in memory. */
  path: string | undefined
  /** The key before, as far as it is known. */
  previous: Seal | undefined
  log: Log
}

const keyName = 'secretsKey'
const lostName = 'secretsLost'

/**
 * Brings the rows of Secrets under the present key: those of an edgecore that wrote them plain, and those of the key
 * before. What no key opens is forgotten and fetched from the cloud again; until then no pod is taken down. Nothing
 * readable of what was there before stays in the file or in databases that were set aside.
 *
 * Invariant: the database carries the name of its key only once nothing is left that another key, or none, would open.
 */
export function sealSecrets(db: Database & { readonly seal: Seal }, { path, previous, log }: Sealing): void {
  if (getMeta(db, 'complete') === '1') dropMeta(db, lostName)
  const before = getMeta(db, keyName)
  if (before === db.seal.id) return
  const { sealed, lost } = db.transaction(() => sealRows(db, previous))()
  if (lost > 0) log.error({ secrets: lost }, 'secrets key is another, secrets are fetched again')
  if (sealed > 0) log.info({ secrets: sealed }, 'secrets sealed')
  if (path !== undefined && !leaveNoTrace(db, log)) return
  if (path !== undefined && before === undefined) removePlain(path, sealed > 0, log)
  setMeta(db, keyName, db.seal.id)
}

/** How many Secrets were lost with their key and are not here again. */
export function lostSecrets(db: Database): number {
  if (getMeta(db, 'complete') === '1') return 0
  return Number(getMeta(db, lostName) ?? '0')
}

function sealRows(db: Database & { readonly seal: Seal }, previous: Seal | undefined) {
  const rows = db.prepare<[], ObjectRow>(
    "SELECT key, content, hash FROM objects WHERE key > 'secrets/' AND key < 'secrets0'",
  )
  const update = db.prepare('UPDATE objects SET content = ?, hash = ? WHERE key = ?')
  const drop = db.prepare('DELETE FROM objects WHERE key = ?')
  const done = { sealed: 0, lost: 0 }
  for (const row of rows.all()) {
    if (wholeRow(db.seal, row) !== undefined) continue
    const open = plainRow(row) ?? (previous && wholeRow(previous, row))
    const { content, hash } = open ? closeRow(db.seal, open) : row
    if (open) update.run(content, hash, row.key)
    else drop.run(row.key)
    done[open ? 'sealed' : 'lost'] += 1
  }
  db.exec('DELETE FROM pieces')
  if (done.lost > 0) {
    setMeta(db, lostName, String(done.lost))
    dropMeta(db, 'complete')
  }
  return done
}

/** Writes the file anew, without what was deleted from it; false when the disk has no room for that now. */
function leaveNoTrace(db: Database, log: Log): boolean {
  try {
    db.pragma('wal_checkpoint(TRUNCATE)')
    db.exec('VACUUM')
    const [result] = db.pragma('wal_checkpoint(TRUNCATE)') as { busy: number }[]
    if (result?.busy === 0) return true
    log.warn({}, 'traces of secrets may be left: another program reads the database; tried again at the next start')
  } catch (error) {
    log.warn({ reason: explain(error) }, 'traces of secrets may be left: tried again at the next start')
  }
  return false
}

/** Set aside when Secrets were still written plain; all that could be read of them has been taken over. */
function removePlain(path: string, surely: boolean, log: Log): void {
  for (const file of setAsideOf(path)) {
    const files = ['', '-wal', '-shm'].map((suffix) => file + suffix).filter((each) => existsSync(each))
    if (!surely && !files.some(holdsPlain)) continue
    for (const each of files) rmSync(each)
    log.warn({ file }, 'set-aside database removed: it held secrets in plain')
  }
}

/** In the canonical JSON of every Secret, and in nothing sealed. */
const mark = Buffer.from('"kind":"Secret"')
const chunk = 1024 * 1024

function holdsPlain(file: string): boolean {
  const buffer = Buffer.alloc(chunk)
  const open = openSync(file, 'r')
  try {
    for (let at = 0; ; at += chunk - mark.length) {
      const read = readSync(open, buffer, 0, chunk, at)
      if (buffer.subarray(0, read).includes(mark)) return true
      if (read < chunk) return false
    }
  } finally {
    closeSync(open)
  }
}
