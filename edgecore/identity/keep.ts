import { createPrivateKey } from 'node:crypto'
import { join } from 'node:path'
import { explain } from '@kedge/shared/errors'
import { newKey } from './csr.ts'
import { diskFiles, type Files } from './files.ts'
import { type Identity, identityText, readIdentity } from './identity.ts'

/**
 * The identity in the data folder.
 *
 * Invariants:
 * - Whenever the power fails, one of the three files holds a whole identity once there was one: a new one is on disk under
 *   its own name before the name of the old one changes.
 * - The whole identity of the highest generation counts, under whichever name it lies.
 * - A key is on disk before anybody learns of its request, until the identity with its certificate is on disk.
 */

/** Its file in the data folder. */
export const identityFile = 'identity.pem'
const names = (dir: string) => ({
  current: join(dir, identityFile),
  coming: join(dir, `${identityFile}.new`),
  before: join(dir, `${identityFile}.1`),
  request: join(dir, 'identity-request.pem'),
  comingRequest: join(dir, 'identity-request.pem.new'),
})

export interface Found {
  /** The newest identity that holds together. */
  identity: Identity | undefined
  /** The file that it lies in. */
  path: string | undefined
  /** What is wrong with other files, for people. */
  faults: string[]
}

/** Looks for the identity; changes nothing. Throws when a file cannot be read. */
export function findIdentity(dir: string, files: Files = diskFiles): Found {
  const { current, coming, before } = names(dir)
  const faults: string[] = []
  let newest: { identity: Identity; path: string } | undefined
  for (const path of [current, coming, before]) {
    const text = files.read(path)
    if (text === undefined) continue
    try {
      const identity = readIdentity(text)
      if (newest === undefined || identity.generation > newest.identity.generation) newest = { identity, path }
    } catch (error) {
      // What was just being written when the power failed is no fault.
      if (path !== coming) faults.push(`${path}: ${explain(error)}`)
    }
  }
  return { identity: newest?.identity, path: newest?.path, faults }
}

/** Looks for the identity, and finishes a replacement that was cut short. */
export function openIdentity(dir: string, files: Files = diskFiles): Found {
  const found = findIdentity(dir, files)
  const { current, coming, before } = names(dir)
  if (found.path === coming) {
    files.sync(coming)
    moveIn({ current, coming, before }, { dir, files, keepsBefore: isWhole(files.read(current)) })
    return { ...found, path: current }
  }
  return found
}

/** Writes an identity as a whole, or not at all; what was there remains as the generation before. */
export function keepIdentity(dir: string, identity: Identity, files: Files = diskFiles): void {
  openIdentity(dir, files)
  const { current, coming, before } = names(dir)
  const keepsBefore = isWhole(files.read(current))
  files.write(coming, identityText(identity))
  files.sync(coming)
  files.sync(dir)
  moveIn({ current, coming, before }, { dir, files, keepsBefore })
}

type Names = Pick<ReturnType<typeof names>, 'current' | 'coming' | 'before'>

function moveIn(
  { current, coming, before }: Names,
  { dir, files, keepsBefore }: { dir: string; files: Files; keepsBefore: boolean },
): void {
  if (keepsBefore) files.rename(current, before)
  files.rename(coming, current)
  files.sync(dir)
}

function isWhole(text: string | undefined): boolean {
  try {
    return text !== undefined && readIdentity(text) !== undefined
  } catch {
    return false
  }
}

/**
 * The key that the next certificate is for: the one that a certificate was asked for before, or a new one, which is on
 * disk when this returns. Asking again with it gets the certificate whose answer was lost.
 */
export function requestKey(dir: string, files: Files = diskFiles): string {
  const { request, comingRequest } = names(dir)
  const kept = files.read(request)
  if (kept !== undefined && isKey(kept)) return kept
  const key = newKey()
  files.folder(dir)
  files.write(comingRequest, key)
  files.sync(comingRequest)
  files.rename(comingRequest, request)
  files.sync(dir)
  return key
}

/** Forgets that key: its certificate is kept, or it will never have one. */
export function forgetRequest(dir: string, files: Files = diskFiles): void {
  files.remove(names(dir).request)
}

function isKey(pem: string): boolean {
  try {
    return createPrivateKey(pem).type === 'private'
  } catch {
    return false
  }
}
