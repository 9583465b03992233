import type { Database } from '@kedge/shared/sqlite'

const ways = ['run', 'get', 'all', 'iterate'] as const

/**
 * The same database, which tells `onError` of every error of a statement prepared from now on, and throws it on. So what
 * is wrong with the file is noticed by whoever meets it first, however the caller takes it.
 */
export function watched<D extends Database>(db: D, onError: (error: unknown) => void): D {
  const prepare = db.prepare.bind(db)
  db.prepare = ((sql: string) => {
    const statement = prepare(sql)
    for (const way of ways) {
      const original = statement[way].bind(statement) as (...args: unknown[]) => unknown
      Object.defineProperty(statement, way, { value: guarded(original, onError) })
    }
    return statement
  }) as typeof db.prepare
  return db
}

function guarded(original: (...args: unknown[]) => unknown, onError: (error: unknown) => void) {
  return (...args: unknown[]) => {
    try {
      return original(...args)
    } catch (error) {
      onError(error)
      throw error
    }
  }
}
