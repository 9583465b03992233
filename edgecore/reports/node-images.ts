import type { ImageInfo } from '../pods/runtime.ts'

/** One of `Node.status.images`. */
export interface NodeImage {
  names: string[]
  sizeBytes: number
}

/** As kubelet: the largest images, and of each so many names. */
const mostImages = 50
const mostNames = 5

/** `Node.status.images`, the largest first; images of one size are in the order of their names. */
export function nodeImages(images: readonly ImageInfo[]): NodeImage[] {
  return images
    .map(({ names, digests, bytes }) => ({
      names: [...digests, ...names].sort().slice(0, mostNames),
      sizeBytes: bytes,
    }))
    .filter(({ names }) => names.length > 0)
    .sort((one, other) => other.sizeBytes - one.sizeBytes || ((one.names[0] ?? '') < (other.names[0] ?? '') ? -1 : 1))
    .slice(0, mostImages)
}
