import { parseKey } from '@kedge/shared/objects'
import type { Database } from '@kedge/shared/sqlite'
import { faultReason, StorageError } from './faults.ts'
import { recount } from './outbox-keeper.ts'
import type { SealedDatabase } from './seal.ts'
import { type ObjectRow, plainRow, wholeRow } from './secret-rows.ts'

/** What came over from a damaged database. */
export interface Salvage {
  /** Rows taken over, by table. */
  rows: Record<string, number>
  /** Tables of which some may be missing. */
  incomplete: string[]
}

type Row = Record<string, unknown>

/** Facts that are not true of a database with holes: what it holds is compared with the cloud, under a new name. */
const notCarried: ReadonlySet<string> = new Set(['epoch', 'revision', 'complete', 'box', 'clean', 'secretsLost'])

/** Whether a row of a table is whole. SQLite has no checksums of its own: what can be told is told from the content. */
const whole: Readonly<Record<string, (row: Row, to: SealedDatabase) => boolean>> = {
  meta: ({ name }) => !notCarried.has(String(name)),
  objects: ({ key, content, hash }, { seal }) => {
    const row = { key: String(key), content: String(content), hash: String(hash) } as ObjectRow
    // What was written plain is sealed when the new database is opened.
    return parseKey(row.key) !== undefined && (wholeRow(seal, row) ?? plainRow(row)) !== undefined
  },
  outbox: ({ report }) => isJson(report),
  outbox_parts: ({ content }) => isJson(content),
  pods: ({ status }) => isJson(status),
  simulated_containers: ({ state }) => isJson(state),
}

/**
 * Copies into `to` every row of `from` that can still be read, is whole, and is not there yet. Each table is read from
 * both ends, so that one damaged page in it costs little more than that page. Call it inside a transaction.
 */
export function salvage(from: Database, to: SealedDatabase): Salvage {
  const result: Salvage = { rows: {}, incomplete: [] }
  for (const table of tablesOf(to)) {
    const { taken, complete } = copy(from, to, table)
    result.rows[table] = taken
    if (!complete) result.incomplete.push(table)
  }
  recount(to)
  return result
}

function copy(from: Database, to: SealedDatabase, table: string): { taken: number; complete: boolean } {
  const columns = commonColumns(from, to, table)
  if (columns.length === 0) return { taken: 0, complete: false }
  const list = columns.map((name) => `"${name}"`).join(', ')
  const holes = columns.map(() => '?').join(', ')
  const statement = to.prepare(`INSERT OR IGNORE INTO "${table}" (${list}) VALUES (${holes})`)
  const isWhole = whole[table] ?? (() => true)
  let taken = 0
  let broken = 0
  const put = (row: Row) => {
    if (!isWhole(row, to)) broken += table === 'meta' ? 0 : 1
    else taken += inserted(() => statement.run(...columns.map((name) => row[name])).changes)
  }
  const select = `SELECT ${list} FROM "${table}"`
  const key = keyOf(to, table)
  if (untilDamage(from, `${select}${orderBy(key, 'ASC')}`, put)) return { taken, complete: broken === 0 }
  if (key.length > 0) untilDamage(from, `${select}${orderBy(key, 'DESC')}`, put)
  return { taken, complete: false }
}

function tablesOf(db: Database): string[] {
  const sql = "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\'"
  return db.prepare<[], string>(sql).pluck().all()
}

interface Column {
  name: string
  /** Its place in the primary key from 1 on, or 0. */
  pk: number
}

function columnsOf(db: Database, table: string): Column[] {
  return db.prepare<[string], Column>('SELECT name, pk FROM pragma_table_info(?)').all(table)
}

/** Empty when the table cannot be found in the damaged database. */
function commonColumns(from: Database, to: Database, table: string): string[] {
  try {
    const there = new Set(columnsOf(from, table).map(({ name }) => name))
    return columnsOf(to, table).flatMap(({ name }) => (there.has(name) ? [name] : []))
  } catch {
    return []
  }
}

function keyOf(db: Database, table: string): string[] {
  const keys = columnsOf(db, table).filter(({ pk }) => pk > 0)
  return keys.toSorted((a, b) => a.pk - b.pk).map(({ name }) => name)
}

function orderBy(key: readonly string[], way: 'ASC' | 'DESC'): string {
  return key.length > 0 ? ` ORDER BY ${key.map((name) => `"${name}" ${way}`).join(', ')}` : ''
}

/** True when all rows could be read. */
function untilDamage(db: Database, sql: string, take: (row: Row) => void): boolean {
  try {
    for (const row of db.prepare<[], Row>(sql).iterate()) take(row)
    return true
  } catch (error) {
    if (error instanceof StorageError) throw error
    return false
  }
}

/** 0 when the table's rules refuse the row; a disk that takes no more ends it all. */
function inserted(run: () => number): number {
  try {
    return run()
  } catch (error) {
    const reason = faultReason(error)
    if (reason !== undefined) throw new StorageError({ reason, message: 'take over a row' }, { cause: error })
    return 0
  }
}

function isJson(text: unknown): boolean {
  try {
    JSON.parse(String(text))
    return true
  } catch {
    return false
  }
}
