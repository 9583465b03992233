import {
  type Change,
  type ChangesRequest,
  Entry,
  type ListRequest,
  type ObjectKey,
} from '@kedge/shared/kubeapi/storage'
import { must } from '@kedge/shared/must'
import type { Database, Statement } from '@kedge/shared/sqlite'

interface Row extends ObjectKey {
  rv: number
  value: string
}

interface LogRow extends Row {
  deleted: number
  prev: number | null
  previous: string | null
}

/** Enough for "all": SQLite's LIMIT takes -1 for none. */
const unlimited = -1

/** Everything that is asked of the log, in SQL. */
export class Statements {
  readonly #db: Database
  readonly #get: Statement<[string, string, string], Row>
  readonly #append: Statement<[number, string, string, string, number, number | null, string]>
  readonly #point: Statement<[string, string, string, number]>
  readonly #unpoint: Statement<[string, string, string]>
  readonly #list: Statement<[object], Row>
  readonly #listIn: Statement<[object], Row>
  readonly #listAt: Statement<[object], Row>
  readonly #listInAt: Statement<[object], Row>
  readonly #changes: Statement<[object], LogRow>

  constructor(db: Database) {
    this.#db = db
    this.#get = db.prepare(`
      SELECT log.rv, log.resource, log.namespace, log.name, log.value FROM current JOIN log ON log.rv = current.rv
      WHERE current.resource = ? AND current.namespace = ? AND current.name = ?`)
    this.#append = db.prepare(
      'INSERT INTO log (rv, resource, namespace, name, deleted, prev, value) VALUES (?, ?, ?, ?, ?, ?, ?)',
    )
    this.#point = db.prepare(`
      INSERT INTO current (resource, namespace, name, rv) VALUES (?, ?, ?, ?)
      ON CONFLICT DO UPDATE SET rv = excluded.rv`)
    this.#unpoint = db.prepare('DELETE FROM current WHERE resource = ? AND namespace = ? AND name = ?')
    this.#list = db.prepare(listing('(current.namespace, current.name) > (@afterNamespace, @afterName)'))
    this.#listIn = db.prepare(listing('current.namespace = @namespace AND current.name > @afterName'))
    this.#listAt = db.prepare(listingAt('(namespace, name) > (@afterNamespace, @afterName)'))
    this.#listInAt = db.prepare(listingAt('namespace = @namespace AND name > @afterName'))
    this.#changes = db.prepare(`
      SELECT log.rv, log.resource, log.namespace, log.name, log.value, log.deleted, log.prev, before.value AS previous
      FROM log LEFT JOIN log AS before ON before.rv = log.prev
      WHERE log.rv > @after AND log.resource = @resource AND (@namespace IS NULL OR log.namespace = @namespace)
      ORDER BY log.rv`)
  }

  revision(): number {
    return this.#meta('revision')
  }

  /** Changes after this one can still be told. */
  oldest(): number {
    return this.#meta('oldest')
  }

  #meta(name: 'revision' | 'oldest'): number {
    const row = this.#db.prepare<[string], { value: number }>('SELECT value FROM meta WHERE name = ?').get(name)
    return must(row, `the row ${name} of the table meta`).value
  }

  setMeta(name: 'revision' | 'oldest', value: number): void {
    this.#db.prepare('UPDATE meta SET value = ? WHERE name = ?').run(value, name)
  }

  get({ resource, namespace, name }: ObjectKey): Entry | undefined {
    const row = this.#get.get(resource, namespace, name)
    return row && entryOf(row)
  }

  append(entry: Entry, { deleted, prev }: { deleted: boolean; prev: number | null }): void {
    const { rv, resource, namespace, name, text } = entry
    this.#append.run(rv, resource, namespace, name, Number(deleted), prev, text)
    if (deleted) this.#unpoint.run(resource, namespace, name)
    else this.#point.run(resource, namespace, name, rv)
  }

  /** The newest states, in order of namespace and name. */
  list(request: ListRequest): Entry[] {
    const statement = request.namespace === undefined ? this.#list : this.#listIn
    return upTo(request.maxBytes, statement.iterate(bindings(request))).map(entryOf)
  }

  /** The states as of `at`. */
  listAt(request: ListRequest & { at: number }): Entry[] {
    const statement = request.namespace === undefined ? this.#listAt : this.#listInAt
    return upTo(request.maxBytes, statement.iterate({ ...bindings(request), at: request.at })).map(entryOf)
  }

  count(request: ListRequest): number {
    const where =
      request.namespace === undefined
        ? '(namespace, name) > (@afterNamespace, @afterName)'
        : 'namespace = @namespace AND name > @afterName'
    const row = this.#db
      .prepare<[object], { n: number }>(`SELECT count(*) AS n FROM current WHERE resource = @resource AND ${where}`)
      .get(bindings(request))
    return row?.n ?? 0
  }

  changes({ resource, namespace, after, maxBytes }: ChangesRequest): Change[] {
    return upTo(maxBytes, this.#changes.iterate({ resource, namespace: namespace ?? null, after })).map(changeOf)
  }

  /** Removes the states that rows of (from, to] replaced, and the rows of deletions among those. */
  compact(from: number, to: number): number {
    const replaced = this.#db
      .prepare('DELETE FROM log WHERE rv IN (SELECT prev FROM log WHERE rv > ? AND rv <= ? AND prev IS NOT NULL)')
      .run(from, to)
    const deletions = this.#db.prepare('DELETE FROM log WHERE rv > ? AND rv <= ? AND deleted = 1').run(from, to)
    return replaced.changes + deletions.changes
  }
}

/** Rows until their values reach `maxBytes` (as far as a text's length tells). */
function upTo<R extends Row>(maxBytes: number | undefined, rows: IterableIterator<R>): R[] {
  if (maxBytes === undefined) return [...rows]
  const taken: R[] = []
  let size = 0
  for (const row of rows) {
    taken.push(row)
    size += row.value.length
    if (size >= maxBytes) break
  }
  return taken
}

function listing(where: string): string {
  return `
    SELECT log.rv, log.resource, log.namespace, log.name, log.value FROM current JOIN log ON log.rv = current.rv
    WHERE current.resource = @resource AND ${where}
    ORDER BY current.namespace, current.name LIMIT @limit`
}

/**
 * What was the newest state at @at: those that still are, and those that the changes since have replaced. A row of the
 * log after @at whose `prev` is not after @at replaced exactly such a state.
 */
function listingAt(where: string): string {
  return `
    SELECT rv, resource, namespace, name, value FROM log WHERE rv IN (
      SELECT rv FROM current WHERE resource = @resource AND rv <= @at AND ${where}
      UNION ALL
      SELECT prev FROM log WHERE rv > @at AND resource = @resource AND prev <= @at AND ${where}
    )
    ORDER BY namespace, name LIMIT @limit`
}

function bindings({ resource, namespace, after, limit }: ListRequest): object {
  return {
    resource,
    // Unused names are allowed to be bound.
    namespace: namespace ?? null,
    afterNamespace: after?.namespace ?? '',
    afterName: after?.name ?? '',
    limit: limit ?? unlimited,
  }
}

function entryOf({ rv, value, ...key }: Row): Entry {
  return new Entry(key, rv, value)
}

function changeOf({ deleted, prev, previous, ...row }: LogRow): Change {
  const entry = entryOf(row)
  if (prev === null || previous === null) return { type: 'ADDED', entry }
  return { type: deleted === 1 ? 'DELETED' : 'MODIFIED', entry, previous: new Entry(entry, prev, previous) }
}
