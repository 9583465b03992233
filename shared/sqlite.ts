import type BetterSqlite3 from 'better-sqlite3'

/**
 * The SQLite library, in the version that this Node.js can bear. better-sqlite3 12 is the last for Node 20, and from
 * Node 24.19 on it aborts the process when a statement is collected as garbage; 13 stands on Node-API 10, which Node 20
 * does not have (it would crash there as well). So both are installed, and the one that fits is loaded.
 */
async function load(): Promise<typeof BetterSqlite3> {
  const name = Number(process.versions.napi) >= 10 ? 'better-sqlite3-13' : 'better-sqlite3'
  const module = (await import(name)) as { default: typeof BetterSqlite3 }
  return module.default
}

/** Opens a database: `new Database(path)`. */
export const Database: typeof BetterSqlite3 = await load()

export type Database = BetterSqlite3.Database

export type Statement<Parameters extends unknown[] = unknown[], Row = unknown> = BetterSqlite3.Statement<
  Parameters,
  Row
>
