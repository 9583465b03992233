import { createCipheriv, createDecipheriv, randomBytes } from 'node:crypto'
import { linkSync, rmSync } from 'node:fs'
import { dirname } from 'node:path'
import { codeOf, explain, UserError } from '@kedge/shared/errors'
import { keepFile, readKept, syncPath } from './keep-file.ts'

/**
 * What keys of authorities are encrypted with where they are kept: AES-256-GCM, with a nonce of its own for each text
 * and the text's purpose as associated data, so that one sealed text cannot stand in for another.
 */
export interface SealingKey {
  /** Where it came from, for messages. */
  path: string
  /** 32 bytes. */
  bytes: Buffer
}

/** The file of the key beside the embedded API, in its folder `pki`. */
export const caKeyName = 'ca.key'

const mark = 'kedge-sealed-1'
const keyBytes = 32

export function isSealed(text: string): boolean {
  return text.startsWith(`${mark}.`)
}

/** One line of printable text. `purpose` must be given again to unseal it. */
export function seal(text: string, { key, purpose }: { key: SealingKey; purpose: string }): string {
  const nonce = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key.bytes, nonce).setAAD(Buffer.from(purpose))
  const body = Buffer.concat([cipher.update(text, 'utf8'), cipher.final()])
  return written([nonce, body, cipher.getAuthTag()])
}

function written(parts: readonly Buffer[]): string {
  return [mark, ...parts.map((part) => part.toString('base64url'))].join('.')
}

/** Throws a UserError when the key is another, or the text was changed or sealed for another purpose. */
export function unseal(sealed: string, { key, purpose }: { key: SealingKey; purpose: string }): string {
  const parts = sealed.trim().split('.')
  const [nonce, body, tag] = parts.slice(1).map((part) => Buffer.from(part, 'base64url'))
  try {
    if (parts.length !== 4 || parts[0] !== mark || nonce?.length !== 12 || tag?.length !== 16 || body === undefined) {
      throw new Error(`not of the form ${mark}.NONCE.TEXT.TAG`)
    }
    // The last character of a part may hold bits that count for nothing: they are zero, or somebody changed them.
    if (written([nonce, body, tag]) !== parts.join('.')) throw new Error('not as it was written')
    const decipher = createDecipheriv('aes-256-gcm', key.bytes, nonce, { authTagLength: 16 })
    decipher.setAAD(Buffer.from(purpose)).setAuthTag(tag)
    return Buffer.concat([decipher.update(body), decipher.final()]).toString('utf8')
  } catch (cause) {
    const advice = 'give the key file that it was sealed with (--ca-key-file), or bring a backup back'
    throw new UserError(`the ${purpose} cannot be unsealed with ${key.path}: ${advice}`, { cause })
  }
}

/** The key in a file; undefined when there is no such file. Throws a UserError when it holds something else. */
export function readSealingKey(path: string): SealingKey | undefined {
  const text = kept(path)?.trim()
  if (text === undefined) return undefined
  const bytes = /^[0-9a-f]{64}$/i.test(text) ? Buffer.from(text, 'hex') : Buffer.from(text, 'base64')
  const form = /^[0-9a-f]{64}$/i.test(text) || /^[A-Za-z0-9+/_-]{43}=?$/.test(text)
  if (form && bytes.length === keyBytes) return { path, bytes }
  throw new UserError(
    `${path} holds no key: found ${text.length} characters; give 32 random bytes in base64 or hex (openssl rand -base64 32)`,
  )
}

/** The key in a file, which is made, readable by its owner only, when there is none. */
export function sealingKey(path: string): SealingKey {
  return readSealingKey(path) ?? makeKey(path)
}

/** Of two that make it at once, both end with the same one. */
function makeKey(path: string): SealingKey {
  const beside = `${path}.${process.pid}.made`
  try {
    keepFile(beside, `${randomBytes(keyBytes).toString('base64')}\n`)
    linkSync(beside, path)
    syncPath(dirname(path))
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') {
      throw new UserError(`the key file ${path} cannot be made: ${explain(error)}`, { cause: error })
    }
  } finally {
    rmSync(beside, { force: true })
  }
  const key = readSealingKey(path)
  if (key === undefined) throw new UserError(`the key file ${path} is gone again: something else removes it`)
  return key
}

function kept(path: string): string | undefined {
  try {
    return readKept(path)
  } catch (error) {
    throw new UserError(`the key file ${path} cannot be read: ${explain(error)}`, { cause: error })
  }
}
