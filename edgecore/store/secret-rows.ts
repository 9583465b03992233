import { type Hash, hashOf } from '@kedge/shared/changes'
import type { Key } from '@kedge/shared/objects'
import type { Seal } from './seal.ts'

/** What of a row of the table of objects may tell a Secret: the hash, too, for who guesses can check the guess with it. */
export interface ObjectRow {
  key: Key
  content: string
  hash: Hash
}

type Closes = Pick<Seal, 'close'>
type Opens = Pick<Seal, 'open'>

/** Whether the row of this object lies sealed. */
export function isSealed(key: Key): boolean {
  return key.startsWith('secrets/')
}

/** The row as it is written: sealed when it is a Secret's. */
export function closeRow(seal: Closes, { key, content, hash }: ObjectRow): ObjectRow {
  if (!isSealed(key)) return { key, content, hash }
  return { key, content: closed(seal, key, content), hash: closed(seal, hashName(key), hash) }
}

/** The content of a row as it was before `closeRow`. Throws an `UnsealableValue`. */
export function openContent(seal: Opens, { key, content }: Pick<ObjectRow, 'key' | 'content'>): string {
  return isSealed(key) ? opened(seal, key, content) : content
}

/** The hash of a row as it was before `closeRow`. Throws an `UnsealableValue`. */
export function openHash(seal: Opens, { key, hash }: Pick<ObjectRow, 'key' | 'hash'>): Hash {
  return isSealed(key) ? opened(seal, hashName(key), hash) : hash
}

/** The row as it was before `closeRow`; undefined when it cannot be opened or its content is not what its hash says. */
export function wholeRow(seal: Pick<Seal, 'tryOpen'>, row: ObjectRow): ObjectRow | undefined {
  const open = (name: string, text: string) => seal.tryOpen(name, Buffer.from(text, 'base64'))?.toString()
  const { key } = row
  const content = isSealed(key) ? open(key, row.content) : row.content
  const hash = isSealed(key) ? open(hashName(key), row.hash) : row.hash
  if (content === undefined || hash === undefined || hashOf(key, content) !== hash) return undefined
  return { key, content, hash }
}

/** The row of a Secret that an edgecore wrote before it encrypted any; undefined for every other. */
export function plainRow({ key, content, hash }: ObjectRow): ObjectRow | undefined {
  return content.startsWith('{') && hashOf(key, content) === hash ? { key, content, hash } : undefined
}

function closed(seal: Closes, name: string, text: string): string {
  return seal.close(name, Buffer.from(text)).toString('base64')
}

function opened(seal: Opens, name: string, text: string): string {
  return seal.open(name, Buffer.from(text, 'base64')).toString()
}

/** Another name than the content's: the two cannot be exchanged. */
function hashName(key: Key): string {
  return `${key}#hash`
}
