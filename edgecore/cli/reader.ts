import { existsSync } from 'node:fs'
import { systemClock } from '@kedge/shared/clock'
import { codeOf, UserError } from '@kedge/shared/errors'
import { Database } from '@kedge/shared/sqlite'
import { savedBudget } from '../reports/budget-care.ts'
import type { SavedBudget } from '../reports/link-budget.ts'
import { databasePath } from '../settings.ts'
import { migrations } from '../store/migrations.ts'
import { Objects } from '../store/objects.ts'
import { Outbox } from '../store/outbox.ts'
import { TwinTable } from '../store/twins.ts'

/** A node's database, opened to be read; edgecore may run meanwhile. All reads see one moment. */
export interface Reader {
  objects: Objects
  twins: TwinTable
  outbox: Outbox
  budget: SavedBudget | undefined
  /** The status of each pod as last reported, by `<namespace>/<name>`. */
  podStatuses(): Map<string, Record<string, unknown>>
  close(): void
}

/** Opens the database of the data folder `data`. Throws a UserError where there is none that this edgecore can read. */
export function openReader(data: string): Reader {
  const path = databasePath(data)
  if (!existsSync(path)) {
    throw new UserError(
      `${path} does not exist: edgecore has never run with this data folder; give another with --data`,
    )
  }
  const db = open(path)
  const statuses = db.prepare<[], { pod: string; status: string }>('SELECT pod, status FROM pods')
  db.exec('BEGIN')
  return {
    objects: new Objects(db),
    twins: new TwinTable(db),
    outbox: new Outbox(db, systemClock),
    budget: savedBudget({ db }),
    podStatuses: () => new Map(statuses.all().map(({ pod, status }) => [pod, JSON.parse(status)])),
    close: () => db.close(),
  }
}

function open(path: string): Database {
  try {
    const db = new Database(path, { readonly: true, fileMustExist: true, timeout: 5000 })
    checkVersion(db, path)
    return db
  } catch (error) {
    const code = codeOf(error) ?? ''
    // A reader of a WAL database writes its shared-memory index.
    if (code.startsWith('SQLITE_CANTOPEN') || code.startsWith('SQLITE_READONLY')) {
      throw new UserError(`${path} cannot be opened: run this as the user that edgecore runs as`, { cause: error })
    }
    if (code === 'SQLITE_NOTADB' || code.startsWith('SQLITE_CORRUPT')) {
      throw new UserError(
        `${path} is damaged: start edgecore, which sets it aside and fills a new one from the cloud`,
        {
          cause: error,
        },
      )
    }
    throw error
  }
}

function checkVersion(db: Database, path: string): void {
  const version = db.pragma('user_version', { simple: true })
  if (version === migrations.length) return
  db.close()
  throw new UserError(
    `${path} is of version ${version}, this edgecore reads ${migrations.length}: use the edgecore that runs on this node`,
  )
}
