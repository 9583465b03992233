import { type Backoff, delay } from '@kedge/shared/backoff'

const backoff: Backoff = { base: 500, cap: 60_000 }

/** What failed and is tried again: each by itself, later and later. */
export class Retries {
  readonly #random: () => number
  readonly #again: (id: string) => void
  readonly #failing = new Map<string, { attempts: number; timer: NodeJS.Timeout }>()

  /** `random` is a draw from [0, 1). */
  constructor(random: () => number, again: (id: string) => void) {
    this.#random = random
    this.#again = again
  }

  /** Tries again after a while; how often it had failed in a row before. */
  later(id: string): number {
    const attempts = this.#failing.get(id)?.attempts ?? 0
    this.now(id)
    const timer = setTimeout(() => this.#again(id), delay(attempts, backoff, this.#random()))
    this.#failing.set(id, { attempts: attempts + 1, timer })
    return attempts
  }

  /** It is tried now: no need to wait any longer. */
  now(id: string): void {
    clearTimeout(this.#failing.get(id)?.timer)
  }

  /** It worked; true when it had failed before. */
  settled(id: string): boolean {
    this.now(id)
    return this.#failing.delete(id)
  }

  stop(): void {
    for (const { timer } of this.#failing.values()) clearTimeout(timer)
    this.#failing.clear()
  }
}
