import { statfs } from 'node:fs/promises'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import type { Service } from '@kedge/shared/service'
import { collect, type ImageLimits, idsOf, imageLimits, type UsedImage } from '../pods/image-gc.ts'
import type { ImageInfo, Runtime } from '../pods/runtime.ts'
import { type Scheduler, systemScheduler } from '../pods/scheduler.ts'

export interface ImageCareOptions {
  runtime: Pick<Runtime, 'images' | 'imageFsInfo' | 'removeImage' | 'list'>
  /** Every image that a pod of this node names: an offline start would need it. */
  wanted: () => Iterable<string>
  clock: Clock
  log: Log
  scheduler?: Scheduler
  limits?: ImageLimits
  /** Room on the file system that holds a path, in bytes. */
  room?: (path: string) => Promise<{ total: number; available: number }>
  /** Told what the engine's images leave no room for. */
  onShort?: (message: string) => void
}

export interface ImageCare extends Service {
  /** Looks at once, and not only when the next period is over. */
  look(): Promise<void>
  /** Since the start. */
  readonly counts: { removed: number; bytes: number }
}

/** As often as kubelet. */
const everyMs = 300_000

/**
 * Removes images when their disk gets full, those that were unused for longest first.
 *
 * Invariants:
 * - An image that a pod of this node names, that a container was made of or that the engine needs itself stays, however
 *   full the disk is: without it the next start would need a registry.
 * - What is needed is asked right before it is decided, and an image whose removal fails is tried again in the next period.
 */
export function startImageCare(options: ImageCareOptions): ImageCare {
  const { runtime, clock, log, scheduler = systemScheduler, limits = imageLimits } = options
  const known = new Map<string, { firstSeen: number; lastUsed: number }>()
  const counts = { removed: 0, bytes: 0 }
  let cancel = () => {}
  let stopped = false
  let looking: Promise<void> | undefined

  async function look(): Promise<void> {
    const filesystems = await runtime.imageFsInfo()
    const images = await runtime.images()
    const needed = await neededOf(images)
    const now = clock.monotonic()
    const used = images.map((image): UsedImage => ({ image, ...use(image.id, needed.has(image.id), now) }))
    for (const id of known.keys()) if (!images.some((image) => image.id === id)) known.delete(id)
    const [{ path } = { path: undefined }] = filesystems
    if (path === undefined) return
    const disk = await (options.room ?? roomAt)(path)
    const { remove, goal } = collect({ images: used, needed, disk, limits, now })
    if (goal === 0) return
    const freed = await removeAll(remove)
    if (freed >= goal) return
    const message = `images leave ${goal - freed} bytes too little on ${path}: all others are needed to start pods`
    log.warn({ path, missing: goal - freed }, 'images cannot give enough room')
    options.onShort?.(message)
  }

  function use(id: string, needed: boolean, now: number) {
    const { firstSeen = now, lastUsed = now } = known.get(id) ?? {}
    const facts = { firstSeen, lastUsed: needed ? now : lastUsed }
    known.set(id, facts)
    return facts
  }

  async function neededOf(images: readonly ImageInfo[]): Promise<Set<string>> {
    const containers = (await runtime.list()).flatMap((sandbox) => sandbox.containers)
    const names = containers.flatMap(({ image, imageId }) => [image, imageId])
    return idsOf([...names, ...options.wanted()], images)
  }

  async function removeAll(images: readonly ImageInfo[]): Promise<number> {
    let freed = 0
    for (const { id, names, bytes } of images) {
      try {
        // A pod may have come since it was decided.
        if (idsOf(options.wanted(), images).has(id)) continue
        await runtime.removeImage(id)
        freed += bytes
        counts.removed += 1
        counts.bytes += bytes
        log.info({ image: names[0] ?? id, bytes }, 'image removed')
      } catch (error) {
        log.warn({ image: names[0] ?? id, reason: explain(error) }, 'image not removed')
      }
    }
    return freed
  }

  function lookOnce(): Promise<void> {
    cancel()
    looking ??= look()
      .catch((error: unknown) => log.debug({ reason: explain(error) }, 'images not looked at'))
      .finally(() => {
        looking = undefined
        if (!stopped) cancel = scheduler.after(everyMs, () => void lookOnce())
      })
    return looking
  }

  void lookOnce()
  return {
    look: lookOnce,
    counts,
    async stop() {
      stopped = true
      cancel()
      await looking
    },
  }
}

async function roomAt(path: string): Promise<{ total: number; available: number }> {
  const { blocks, bavail, bsize } = await statfs(path)
  return { total: blocks * bsize, available: bavail * bsize }
}
