import { rmSync } from 'node:fs'
import { join } from 'node:path'
import { UserError } from '@kedge/shared/errors'
import type { Pair } from './certificates.ts'
import { keepFile, readKept, syncPath } from './keep-file.ts'
import { isSealed, type SealingKey, seal, unseal } from './sealed-key.ts'
import { certificatesIn, ended } from './x509.ts'

/** In the folder of an authority: its certificate, then its key, sealed. */
export const sealedAuthorityFile = 'ca.sealed'
/** What it was before, with the key as it is. */
export const plainAuthorityFile = 'ca.pem'

const purpose = "key of the embedded API's authority"

/** The name of the file that a text of an authority belongs into. */
export function authorityFileFor(text: string): string {
  return text.split('\n').some(isSealed) ? sealedAuthorityFile : plainAuthorityFile
}

export function keepAuthority(dir: string, { cert, key }: Pair, by: SealingKey): void {
  keepFile(join(dir, sealedAuthorityFile), `${ended(cert)}${seal(key, { key: by, purpose })}\n`)
}

/** What `keepAuthority` kept; undefined when there is none. Throws a UserError when it cannot be read. */
export function readAuthority(dir: string, key: SealingKey): Pair | undefined {
  const path = join(dir, sealedAuthorityFile)
  const text = readKept(path)
  if (text === undefined) return undefined
  const [cert] = certificatesIn(text)
  const sealed = text.split('\n').find(isSealed)
  if (cert === undefined || sealed === undefined) {
    throw new UserError(`${path} does not hold a certificate and its sealed key: bring it back from a backup`)
  }
  const pair = { cert, key: unseal(sealed, { key, purpose }) }
  // A start that was cut off may have left it.
  if (certificatesIn(readKept(join(dir, plainAuthorityFile)) ?? '')[0] === cert) removePlain(dir)
  return pair
}

/**
 * An authority from a file with its key as it is, from now on sealed; undefined when there is none. The plain file goes
 * once the other is on disk, and nowhere before.
 */
export function sealPlain(dir: string, key: SealingKey): Pair | undefined {
  const path = join(dir, plainAuthorityFile)
  const text = readKept(path)
  if (text === undefined) return undefined
  const pair = split(text, path)
  keepAuthority(dir, pair, key)
  if (readAuthority(dir, key)?.key !== pair.key) throw new Error(`${path} could not be sealed`)
  return pair
}

function removePlain(dir: string): void {
  rmSync(join(dir, plainAuthorityFile), { force: true })
  syncPath(dir)
}

/** Certificate and key in one text. Throws an error that says what to do where they are not there. */
export function split(text: string, path: string): Pair {
  const [cert] = certificatesIn(text)
  const key = /-----BEGIN PRIVATE KEY-----[^-]+-----END PRIVATE KEY-----\n?/.exec(text)?.[0]
  if (cert === undefined || key === undefined) {
    throw new Error(`${path} does not hold a certificate and its key: restore it, or remove it to have a new one made`)
  }
  return { cert: ended(cert), key: ended(key) }
}
