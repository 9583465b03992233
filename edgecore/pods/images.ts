import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { PodConfig, RegistryCredential, Runtime } from './runtime.ts'
import type { ImageState } from './situation.ts'

/** For whom an image is pulled. */
export interface Asking {
  pod: PodConfig
  credentials?: readonly RegistryCredential[]
}

interface Pulling {
  is: 'pulling'
  waiting: Set<() => void>
}
type Known = Pulling | { is: 'pulled'; pulledAt: number } | Failed
/** `dueAt` by the monotonic clock: the wall time may jump while it is waited for. */
type Failed = { is: 'failed'; message: string; failedAt: number; dueAt: number; tries: number }

const firstWait = 10_000
const longestWait = 300_000
/** What was found out of so many images is remembered; of who comes and goes for years, the last. */
const mostKnown = 500
const notAsked = 'no registry is asked during a drill'

/**
 * The images of this node. Pulls take minutes, so nobody waits inside one: a pull is begun, and who looked is called back.
 *
 * Invariant: an image is pulled once at a time, however many pods ask for it.
 */
export class Images {
  readonly #runtime: Runtime
  readonly #clock: Clock
  readonly #known = new Map<string, Known>()
  #offline = false

  constructor(runtime: Runtime, clock: Clock) {
    this.#runtime = runtime
    this.#clock = clock
  }

  /** What is known of an image; `changed` is called once if that changes by itself. */
  async look(image: string, changed: () => void): Promise<ImageState> {
    const id = await this.#runtime.image(image)
    const known = this.#known.get(image)
    if (known?.is === 'pulling') {
      known.waiting.add(changed)
      return { is: 'pulling' }
    }
    if (known?.is === 'failed') return this.#failed(known, id)
    if (id === undefined) return { is: 'absent' }
    return known === undefined ? { is: 'present', id } : { is: 'present', id, pulledAt: known.pulledAt }
  }

  #failed({ message, failedAt, dueAt, tries }: Failed, id: string | undefined): ImageState {
    const retryAt = this.#clock.now() + (dueAt - this.#clock.monotonic())
    return { is: 'failed', message, failedAt, tries, retryAt, ...(id !== undefined && { id }) }
  }

  /** From now on no registry is asked: every pull fails at once. */
  goOffline(): void {
    this.#offline = true
  }

  /** Registries are asked again; what failed meanwhile is forgotten. */
  goOnline(): void {
    if (!this.#offline) return
    this.#offline = false
    for (const [image, known] of this.#known) {
      if (known.is === 'failed' && known.message === notAsked) this.#known.delete(image)
    }
  }

  /** Begins a pull, unless one is under way; calls `done` after it, however it went. */
  begin(image: string, by: Asking, done: () => void): void {
    const before = this.#known.get(image)
    if (before?.is === 'pulling') {
      before.waiting.add(done)
      return
    }
    const pulling: Pulling = { is: 'pulling', waiting: new Set([done]) }
    this.#known.set(image, pulling)
    void this.#pull(image, by, before?.is === 'failed' ? before.tries : 0).then((after) => {
      this.#remember(image, after)
      for (const waiting of pulling.waiting) waiting()
    })
  }

  #remember(image: string, known: Known): void {
    this.#known.delete(image)
    this.#known.set(image, known)
    for (const [oldest, { is }] of this.#known) {
      if (this.#known.size <= mostKnown) break
      if (is !== 'pulling') this.#known.delete(oldest)
    }
  }

  async #pull(image: string, { pod, credentials }: Asking, failures: number): Promise<Known> {
    try {
      if (this.#offline) throw new Error(notAsked)
      await this.#runtime.pull(image, pod, credentials)
      return { is: 'pulled', pulledAt: this.#clock.now() }
    } catch (error) {
      const dueAt = this.#clock.monotonic() + Math.min(firstWait * 2 ** Math.min(failures, 10), longestWait)
      return { is: 'failed', message: explain(error), failedAt: this.#clock.now(), dueAt, tries: failures + 1 }
    }
  }
}
