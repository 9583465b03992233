import { createCipheriv, createDecipheriv, createHmac, randomBytes } from 'node:crypto'
import type { Database } from '@kedge/shared/sqlite'

/** Bytes of the key that seals. */
export const keyBytes = 32
const nonceBytes = 12
const tagBytes = 16
/** By how many bytes a sealed value is longer. */
export const sealBytes = nonceBytes + tagBytes

/** Of a value that was sealed with another key, under another name, or is damaged. */
export class UnsealableValue extends Error {
  override name = 'UnsealableValue'
  /** As SQLite says of a page that is not what was written: the file is damaged. */
  readonly code = 'SQLITE_CORRUPT'
}

/**
 * Encrypts values for the database: AES-256-GCM (NIST SP 800-38D), a random nonce for each value, its name as associated
 * data, so that a value moved to another row is no value. A sealed value is nonce, cipher text and tag, one after the
 * other.
 */
export class Seal {
  /** Tells two keys apart and nothing else of them. */
  readonly id: string
  /** Told of each value that should have been there and cannot be opened. */
  onDamage: (error: UnsealableValue) => void = () => undefined
  readonly #key: Buffer

  /** `key` has `keyBytes` bytes. */
  constructor(key: Buffer) {
    if (key.length !== keyBytes) throw new Error(`a key of ${key.length} bytes, ${keyBytes} are needed`)
    this.#key = key
    this.id = createHmac('sha256', key).update('kedge: which key').digest('hex').slice(0, 16)
  }

  close(name: string, value: Uint8Array): Buffer {
    const nonce = randomBytes(nonceBytes)
    const cipher = createCipheriv('aes-256-gcm', this.#key, nonce).setAAD(Buffer.from(name))
    return Buffer.concat([nonce, cipher.update(value), cipher.final(), cipher.getAuthTag()])
  }

  /** The value that was closed under `name`, or undefined when this is none. */
  tryOpen(name: string, sealed: Buffer): Buffer | undefined {
    if (sealed.length < sealBytes) return undefined
    const options = { authTagLength: tagBytes }
    const cipher = createDecipheriv('aes-256-gcm', this.#key, sealed.subarray(0, nonceBytes), options)
    cipher.setAAD(Buffer.from(name)).setAuthTag(sealed.subarray(-tagBytes))
    try {
      return Buffer.concat([cipher.update(sealed.subarray(nonceBytes, -tagBytes)), cipher.final()])
    } catch {
      return undefined
    }
  }

  /** Like `tryOpen`; throws an `UnsealableValue`, which names the value and tells nothing of it. */
  open(name: string, sealed: Buffer): Buffer {
    const value = this.tryOpen(name, sealed)
    if (value !== undefined) return value
    const error = new UnsealableValue(`${name}: the encrypted value cannot be opened`)
    this.onDamage(error)
    throw error
  }
}

/** A database in which the values of Secrets lie sealed. */
export type SealedDatabase = Database & { readonly seal: Pick<Seal, 'close' | 'open' | 'tryOpen'> }

export function withSeal<S extends SealedDatabase['seal']>(db: Database, seal: S): Database & { readonly seal: S } {
  return Object.assign(db, { seal })
}
