import { createRequire } from 'node:module'
import type BetterSqlite3 from 'better-sqlite3'
import { codeOf, UserError } from './errors.ts'

type Library = typeof BetterSqlite3

/**
 * The SQLite library, in the version that this Node.js can bear. better-sqlite3 12 is the last for Node 20, and from
 * Node 24.19 on it aborts the process when a statement is collected as garbage; 13 stands on Node-API 10, which Node 20
 * does not have (it would crash there as well). So both are installed, and the one that fits is loaded. For processors
 * without a ready-made addon npm compiles 12, and 13 only somebody who wants it.
 */
function load(): Library {
  if (Number(process.versions.napi) < 10) return library('better-sqlite3')
  if (process.arch === 'x64' || process.arch === 'arm64') return library('better-sqlite3-13')
  try {
    const Compiled = library('better-sqlite3-13')
    new Compiled(':memory:').close()
    return Compiled
  } catch (cause) {
    if (bearsTwelve(process.versions.node)) return library('better-sqlite3')
    throw new Error(missing, { cause })
  }
}

const missing = `better-sqlite3 13, which Node.js ${process.versions.node} needs, has no addon for ${process.arch} here: compile it with "npm run build-release" in node_modules/better-sqlite3-13, or use Node.js 20 or 22`

function library(name: string): Library {
  try {
    return createRequire(import.meta.url)(name) as Library
  } catch (cause) {
    if (codeOf(cause) !== 'MODULE_NOT_FOUND') throw cause
    // npm leaves out what the Node.js that it runs in cannot bear.
    throw new UserError(`${name} is not there: run "npm ci" with this Node.js ${process.versions.node}`, { cause })
  }
}

/** Whether this Node.js is older than those with which better-sqlite3 12 aborts. */
function bearsTwelve(version: string): boolean {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return major < 24 || (major === 24 && minor < 19)
}

/** Opens a database: `new Database(path)`. */
export const Database: Library = load()

export type Database = BetterSqlite3.Database

export type Statement<Parameters extends unknown[] = unknown[], Row = unknown> = BetterSqlite3.Statement<
  Parameters,
  Row
>
