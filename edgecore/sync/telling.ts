import { bucketOf, bucketSums } from '@kedge/shared/buckets'
import type { Digest, Hash, Inventory } from '@kedge/shared/changes'
import type { Frame, UpFrame } from '@kedge/shared/frames'
import type { Key } from '@kedge/shared/objects'

/** Entries of one inventory frame: some 18 KB, so that a slow link carries something else in between. */
const inventoryPart = 500

/** The frames that answer a `compare`. Pure. */
export function answerTo(
  { talk, ask, buckets, only }: Frame<'compare'>,
  { inventory, digest }: { inventory: Inventory; digest: Digest },
): UpFrame[] {
  if (buckets !== undefined && ask !== undefined && only === undefined) {
    return [{ is: 'buckets', talk, ask, digest, sums: bucketSums(inventory, buckets) }]
  }
  const wanted = new Set(only)
  const items = [...inventory].filter(([key]) => buckets === undefined || wanted.has(bucketOf(key, buckets)))
  const of = Math.max(1, Math.ceil(items.length / inventoryPart))
  const frame = (part: number): Frame<'inventory'> => {
    const some: [Key, Hash][] = items.slice(part * inventoryPart, (part + 1) * inventoryPart)
    return { is: 'inventory', talk, part, of, items: some, ...(ask === undefined ? {} : { ask, digest }) }
  }
  return [...new Array(of).keys()].map(frame)
}
