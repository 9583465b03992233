import { randomBytes } from 'node:crypto'
import {
  chmodSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeSync,
} from 'node:fs'
import { dirname, join } from 'node:path'
import { codeOf, UserError } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { keyBytes } from './seal.ts'
import { syncFolder } from './set-aside.ts'

/** The credential of systemd that holds the key (systemd.exec(5), LoadCredentialEncrypted=). */
const credential = 'kedge-secrets-key'

export interface SecretsKey {
  key: Buffer
  /** The file that it lies in. */
  file: string
  /** Whether somebody keeps it elsewhere than in the data folder. */
  handedIn: boolean
}

/** The file of the key that was handed in: by a setting, else by systemd; undefined when none was. */
export function handedInKey(
  setting: string | undefined,
  env: Readonly<Record<string, string | undefined>>,
): string | undefined {
  if (setting !== undefined) return setting
  const file = env.CREDENTIALS_DIRECTORY ? join(env.CREDENTIALS_DIRECTORY, credential) : undefined
  return file !== undefined && existsSync(file) ? file : undefined
}

/** Where the key of a database lies unless it is handed in. */
export function ownKeyFile(database: string): string {
  return join(dirname(database), 'secrets.key')
}

/**
 * The key that was handed in; without one, the key beside the database, which is made at the first start. Throws a
 * UserError for a key that was handed in and is none, an error of the system where a new one cannot be written.
 */
export function loadSecretsKey(database: string, handedIn: string | undefined, log: Log): SecretsKey {
  if (handedIn !== undefined) return { key: readHandedIn(handedIn), file: handedIn, handedIn: true }
  const file = ownKeyFile(database)
  const known = readOwn(file, log)
  return { key: known ?? makeKey(file, log), file, handedIn: false }
}

/** The key beside the database; undefined when there is none. */
export function readOwnKey(database: string): Buffer | undefined {
  const file = ownKeyFile(database)
  return existsSync(file) ? keyIn(readFileSync(file)) : undefined
}

/** A key for as long as this process runs, for a disk that takes no write. */
export function passingKey(database: string, handedIn: string | undefined): SecretsKey {
  const known = tryRead(handedIn ?? ownKeyFile(database))
  return { key: known ?? randomBytes(keyBytes), file: known ? (handedIn ?? ownKeyFile(database)) : '', handedIn: false }
}

/** Reads a key that was handed in. Throws a UserError that says what is wrong with it. */
export function readHandedIn(file: string): Buffer {
  const advice = `give ${keyBytes} random bytes, raw, in hex or in base64: head -c ${keyBytes} /dev/urandom > FILE`
  let bytes: Buffer
  try {
    bytes = readFileSync(file)
  } catch (cause) {
    throw new UserError(`the secrets key ${file} cannot be read (${codeOf(cause)}); ${advice}`, { cause })
  }
  const key = keyIn(bytes)
  if (key === undefined) throw new UserError(`the secrets key ${file}: found ${bytes.length} bytes; ${advice}`)
  return key
}

function keyIn(bytes: Buffer): Buffer | undefined {
  if (bytes.length === keyBytes) return bytes
  const text = bytes.toString('latin1').trim()
  if (/^[0-9a-f]{64}$/i.test(text)) return Buffer.from(text, 'hex')
  return /^[A-Za-z0-9+/_-]{43}=?$/.test(text) ? Buffer.from(text, 'base64') : undefined
}

function readOwn(file: string, log: Log): Buffer | undefined {
  if (!existsSync(file)) return undefined
  if ((statSync(file).mode & 0o077) !== 0) {
    log.warn({ file }, 'secrets key was open to others, closed')
    chmodSync(file, 0o600)
  }
  const key = keyIn(readFileSync(file))
  if (key === undefined) log.error({ file, bytes: statSync(file).size }, 'secrets key damaged, a new one is made')
  return key
}

/** On disk before it is used: what it seals would be lost with it. */
function makeKey(file: string, log: Log): Buffer {
  const key = randomBytes(keyBytes)
  const beside = `${file}.new`
  rmSync(beside, { force: true })
  const out = openSync(beside, 'wx', 0o600)
  try {
    writeSync(out, `${key.toString('base64')}\n`)
    fsyncSync(out)
  } finally {
    closeSync(out)
  }
  renameSync(beside, file)
  syncFolder(dirname(file))
  log.info({ file }, 'secrets key made')
  return key
}

function tryRead(file: string): Buffer | undefined {
  try {
    return keyIn(readFileSync(file))
  } catch {
    return undefined
  }
}
