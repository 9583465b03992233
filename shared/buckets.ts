import type { Inventory } from './changes.ts'
import type { Key } from './objects.ts'

/** Bytes of the sum of one bucket. */
const width = 4

/**
 * The bucket, of so many (a power of two), that a key lies in: FNV-1a over its UTF-8 bytes, 32 bits, modulo their number.
 */
export function bucketOf(key: Key, buckets: number): number {
  let hash = 0x811c9dc5
  for (const byte of Buffer.from(key)) hash = Math.imul(hash ^ byte, 0x01000193)
  return (hash >>> 0) & (buckets - 1)
}

/**
 * What a set holds, bucket by bucket: of each the sum, modulo 2^32, of the first 32 bits of its members' hashes;
 * big-endian, one after the other, base64url. So short that two different buckets may have one sum, once in four
 * thousand million: the digest of the whole set is compared as well.
 */
export function bucketSums(inventory: Inventory, buckets: number): string {
  const sums = Buffer.alloc(buckets * width)
  for (const [key, hash] of inventory) {
    const at = bucketOf(key, buckets) * width
    const first = Buffer.from(hash, 'base64url').readUInt32BE(0)
    sums.writeUInt32BE((sums.readUInt32BE(at) + first) >>> 0, at)
  }
  return sums.toString('base64url')
}

/** The buckets whose sums differ; undefined when the two do not have so many sums. */
export function differing(mine: string, theirs: string, buckets: number): number[] | undefined {
  const [a, b] = [mine, theirs].map((sums) => Buffer.from(sums, 'base64url'))
  if (a?.length !== buckets * width || b?.length !== buckets * width) return undefined
  return [...new Array(buckets).keys()].filter((bucket) => {
    const at = bucket * width
    return a.readUInt32BE(at) !== b.readUInt32BE(at)
  })
}
