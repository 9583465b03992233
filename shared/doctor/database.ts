import { existsSync, statSync } from 'node:fs'
import * as z from 'zod'
import { codeOf, explain } from '../errors.ts'
import { fail, ok, skip, type Verdict, warn } from './check.ts'
import { mib } from './judge-machine.ts'
import { output } from './read-machine.ts'

const Facts = z.object({
  path: z.string(),
  bytes: z.number(),
  /** `user_version`. */
  version: z.number().optional(),
  /** What SQLite says of its integrity: `ok`. */
  check: z.string().optional(),
  /** Why it cannot be opened, and the code of that. */
  fault: z.string().optional(),
  code: z.string().optional(),
})
export type DatabaseFacts = z.infer<typeof Facts>

/**
 * Asks for the facts of a database in another process: SQLite cannot be stopped while it looks, a process can. `self`
 * runs this program. Undefined when there is no such file.
 */
export async function readDatabase(
  path: string,
  self: readonly string[],
  signal: AbortSignal,
): Promise<DatabaseFacts | undefined> {
  if (!existsSync(path)) return undefined
  const [program = '', ...args] = self
  return Facts.parse(JSON.parse(await output(program, [...args, 'doctor', checkDatabaseWord, path], signal)))
}

/** The word that has a doctor's command look at a database and nothing else. */
export const checkDatabaseWord = '--check-database'

/** Looks at a database, changing nothing in it, while others may use it. Never throws. */
export async function databaseFacts(path: string): Promise<DatabaseFacts> {
  try {
    const { size: bytes } = statSync(path)
    const { Database } = await import('../sqlite.ts')
    const db = new Database(path, { readonly: true, fileMustExist: true, timeout: 5000 })
    try {
      const version = Number(db.pragma('user_version', { simple: true }))
      return { path, bytes, version, check: String(db.pragma('quick_check(1)', { simple: true })) }
    } finally {
      db.close()
    }
  } catch (error) {
    return { path, bytes: 0, fault: explain(error), code: codeOf(error) }
  }
}

export interface DatabaseAdvice {
  /** The versions that this program reads. */
  isReadable: (version: number) => boolean
  /** What to do about one that is damaged. */
  damaged: string
}

/** Pure. */
export function judgeDatabase(facts: DatabaseFacts | undefined, { isReadable, damaged }: DatabaseAdvice): Verdict {
  if (facts === undefined) return ok('there is none yet, it is made at the first start')
  const { path, bytes, version = 0, check, fault, code = '' } = facts
  if (/^SQLITE_(CANTOPEN|READONLY)|^EACCES|^EPERM/.test(code)) {
    return skip(`${path} cannot be opened by this user`, 'run this as root, or as the user that the program runs as')
  }
  if (/^SQLITE_(NOTADB|CORRUPT)/.test(code)) return fail(`${path} is damaged: ${fault}`, damaged)
  if (fault !== undefined) return fail(`${path} cannot be read: ${fault}`, 'see whether the disk is whole: dmesg')
  if (check !== 'ok') return fail(`${path} is damaged: ${check}`, damaged)
  const what = `${path} is whole, ${mib(bytes)}, version ${version}`
  if (isReadable(version)) return ok(what)
  return warn(`${what}, which this program does not read`, 'use the program that wrote it, or a newer one')
}
