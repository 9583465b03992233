import type { ImageInfo } from './runtime.ts'

/** How full the disk of the images may become, in percent, and how far it is then emptied: kubelet's defaults. */
export interface ImageLimits {
  high: number
  low: number
  /** An image that was on the node for less is left, milliseconds. */
  minAgeMs: number
}

export const imageLimits: ImageLimits = { high: 85, low: 80, minAgeMs: 120_000 }

/** One image and what is known of its use, in milliseconds of one and the same clock. */
export interface UsedImage {
  image: ImageInfo
  firstSeen: number
  lastUsed: number
}

export interface Collection {
  images: readonly UsedImage[]
  /** Ids of images that a container has or that an offline start would need. */
  needed: ReadonlySet<string>
  disk: { total: number; available: number }
  limits: ImageLimits
  now: number
}

export interface CollectionPlan {
  /** To be removed in this order, the longest unused first. */
  remove: ImageInfo[]
  /** Bytes that must become free; what the images give may be less. */
  goal: number
}

/** Which images to remove; nothing while the disk is not fuller than it may be. */
export function collect({ images, needed, disk, limits, now }: Collection): CollectionPlan {
  const used = disk.total - disk.available
  if (disk.total <= 0 || used * 100 < limits.high * disk.total) return { remove: [], goal: 0 }
  const goal = Math.ceil(used - (limits.low / 100) * disk.total)
  const spare = images
    .filter(({ image, firstSeen }) => !image.pinned && !needed.has(image.id) && now - firstSeen >= limits.minAgeMs)
    .sort((one, other) => one.lastUsed - other.lastUsed || one.firstSeen - other.firstSeen)
  const remove: ImageInfo[] = []
  let freed = 0
  for (const { image } of spare) {
    if (freed >= goal) break
    remove.push(image)
    freed += image.bytes
  }
  return { remove, goal }
}

/** Ids of the images that bear one of these names, as a pod spec writes them: `nginx` is `docker.io/library/nginx:latest`. */
export function idsOf(references: Iterable<string>, images: readonly ImageInfo[]): Set<string> {
  const byName = new Map<string, string>()
  for (const { id, names, digests } of images) {
    byName.set(id, id)
    for (const name of [...names, ...digests]) byName.set(fullName(name), id)
  }
  return new Set([...references].flatMap((reference) => byName.get(reference) ?? byName.get(fullName(reference)) ?? []))
}

/** The whole name of an image: registry, repository, and tag or digest. With both, the digest alone counts. */
export function fullName(reference: string): string {
  const [named = '', digest] = reference.split('@')
  const colon = named.lastIndexOf(':')
  const tagged = colon > named.lastIndexOf('/')
  const name = tagged ? named.slice(0, colon) : named
  const tag = tagged ? named.slice(colon + 1) : 'latest'
  const [first = '', ...rest] = name.split('/')
  const hasRegistry = rest.length > 0 && (/[.:]/.test(first) || first === 'localhost')
  const repository = hasRegistry ? name : `docker.io/${rest.length === 0 ? 'library/' : ''}${name}`
  return digest === undefined ? `${repository}:${tag}` : `${repository}@${digest}`
}
