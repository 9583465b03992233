import { accessSync, constants, existsSync } from 'node:fs'
import { systemClock } from '@kedge/shared/clock'
import { codeOf, UserError } from '@kedge/shared/errors'
import { Database } from '@kedge/shared/sqlite'
import { keptStaticPods } from '../node/static-kept.ts'
import { savedBudget } from '../reports/budget-care.ts'
import type { SavedBudget } from '../reports/link-budget.ts'
import { databasePath } from '../settings.ts'
import { migrations } from '../store/migrations.ts'
import { type HeldObject, Objects } from '../store/objects.ts'
import { Outbox } from '../store/outbox.ts'
import { Seal, type SealedDatabase, withSeal } from '../store/seal.ts'
import { handedInKey, ownKeyFile, readHandedIn } from '../store/secrets-key.ts'
import { TwinTable } from '../store/twins.ts'

/** A node's database, opened to be read; edgecore may run meanwhile. All reads see one moment. */
export interface Reader {
  objects: Objects
  twins: TwinTable
  outbox: Outbox
  budget: SavedBudget | undefined
  /** Pods of the node's own folder. */
  staticPods(): HeldObject[]
  /** The status of each pod as last reported, by `<namespace>/<name>`. */
  podStatuses(): Map<string, Record<string, unknown>>
  close(): void
}

/**
 * Opens the database of the data folder `data`. Throws a UserError where there is none that this edgecore can read. The
 * key of Secrets is read when the first one is: `keyFile` when it was handed in, else the one in the data folder.
 */
export function openReader(data: string, keyFile?: string): Reader {
  const path = databasePath(data)
  if (!existsSync(path)) {
    throw new UserError(
      `${path} does not exist: edgecore has never run with this data folder; give another with --data`,
    )
  }
  const db = withSeal(open(path), lazySeal(keyFile ?? ownKeyFile(path)))
  const statuses = db.prepare<[], { pod: string; status: string }>('SELECT pod, status FROM pods')
  db.exec('BEGIN')
  return {
    objects: new Objects(db),
    twins: new TwinTable(db),
    outbox: new Outbox(db, systemClock),
    budget: savedBudget({ db }),
    staticPods: () => keptStaticPods(db),
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

/** Where systemd puts what deploy/systemd hands in, for root to read. */
const credentialFile = '/run/credentials/edgecore.service/kedge-secrets-key'

function isReadable(file: string): boolean {
  try {
    accessSync(file, constants.R_OK)
    return true
  } catch {
    return false
  }
}

/** Throws a UserError where the key cannot be read, or is another. */
function lazySeal(file: string): SealedDatabase['seal'] {
  let known: Seal | undefined
  const seal = () => {
    if (known === undefined && !isReadable(file)) {
      const advice = `give its file with --secrets-key-file; systemd has it in ${credentialFile}`
      throw new UserError(`Secrets are encrypted, and their key ${file} cannot be read by you: ${advice}`)
    }
    known ??= new Seal(readHandedIn(file))
    return known
  }
  return {
    close: (name, value) => seal().close(name, value),
    tryOpen: (name, sealed) => seal().tryOpen(name, sealed),
    open: (name, sealed) => {
      const value = seal().tryOpen(name, sealed)
      if (value !== undefined) return value
      throw new UserError(`${name} is encrypted, and not with the key ${file}: give --secrets-key-file of edgecore`)
    },
  }
}

/** The file of the key where edgecore takes it from elsewhere than its data folder: a flag, a variable, or systemd. */
export function keyFileOf(flag: string | undefined, env: Readonly<Record<string, string | undefined>>) {
  return handedInKey(flag ?? (env.KEDGE_SECRETS_KEY_FILE || undefined), env)
}
