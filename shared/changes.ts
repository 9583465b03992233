import { createHash } from 'node:crypto'
import type { Key } from './objects.ts'

/** Identifies one content under one key: 128 bits of SHA-256, base64url. */
export type Hash = string

/** Which content is held under which key. */
export type Inventory = ReadonlyMap<Key, Hash>

/** Identifies a whole set, whatever the order its members came in: 128 bits, base64url. */
export type Digest = string

const width = 16

/** The hash of a content under its key. `text` is the canonical JSON of the content. */
export function hashOf(key: Key, text: string): Hash {
  return createHash('sha256').update(key).update('\0').update(text).digest().subarray(0, width).toString('base64url')
}

/**
 * The digest of a set, kept up to date in constant time per change: the sum of the members' hashes modulo 2^128. A sum
 * does not depend on order and can be taken back, and unlike XOR it is not linear over the bits of the members.
 */
export class RunningDigest {
  #sum: bigint

  constructor(digest: Digest = emptyDigest) {
    this.#sum = toNumber(digest)
  }

  add(hash: Hash): void {
    this.#sum = (this.#sum + toNumber(hash)) & mask
  }

  remove(hash: Hash): void {
    this.#sum = (this.#sum - toNumber(hash)) & mask
  }

  get value(): Digest {
    return fromNumber(this.#sum)
  }
}

const mask = (1n << BigInt(width * 8)) - 1n

function toNumber(text: string): bigint {
  return BigInt(`0x${Buffer.from(text, 'base64url').toString('hex').padEnd(2, '0')}`) & mask
}

function fromNumber(value: bigint): string {
  return Buffer.from(value.toString(16).padStart(width * 2, '0'), 'hex').toString('base64url')
}

/** The digest of a set with nothing in it. */
export const emptyDigest: Digest = Buffer.alloc(width).toString('base64url')

export function digestOf(inventory: Inventory): Digest {
  const digest = new RunningDigest()
  for (const hash of inventory.values()) digest.add(hash)
  return digest.value
}

export interface Difference {
  /** Keys whose content must be sent. */
  put: Key[]
  /** Keys that must go. */
  drop: Key[]
}

/** What turns `have` into `want`. */
export function diff(have: Inventory, want: Inventory): Difference {
  const put: Key[] = []
  const drop: Key[] = []
  for (const [key, hash] of want) if (have.get(key) !== hash) put.push(key)
  for (const key of have.keys()) if (!want.has(key)) drop.push(key)
  return { put, drop }
}

/** `have` after the changes: a new map, `have` stays as it was. */
export function apply(have: Inventory, put: Inventory, drop: readonly Key[]): Map<Key, Hash> {
  const next = new Map(have)
  for (const key of drop) next.delete(key)
  for (const [key, hash] of put) next.set(key, hash)
  return next
}
