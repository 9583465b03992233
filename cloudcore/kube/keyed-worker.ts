import { type Backoff, delay } from '@kedge/shared/backoff'
import type { Clock } from '@kedge/shared/clock'
import type { Service } from '@kedge/shared/service'
import { KubeError } from './errors.ts'
import type { Limiter } from './limiter.ts'

/** What one pass over a key came to. */
export interface Pass<R> {
  /** Whether something was written: the interval counts from here. */
  wrote: boolean
  result: R
  /** The key is gone for good: nothing of it need be remembered. */
  gone?: boolean
}

export interface KeyedWorkerOptions<R> {
  /** Looks at the newest state of a key and does what it asks for. Throwing means: again, later. */
  pass: (key: string) => Promise<Pass<R>>
  /** Milliseconds from one write of a key to the next. */
  interval: number
  limiter: Limiter
  clock: Clock
  backoff: Backoff
  random: () => number
  /** Called for each failure; `attempt` counts from 1, `wait` is in milliseconds. */
  onFailure: (key: string, error: unknown, retry: { attempt: number; wait: number }) => void
  /** Called with the result of a pass that nobody waits for. */
  onUnheard?: (key: string, result: R) => void
}

interface Waiter<R> {
  resolve: (result: R) => void
  reject: (error: Error) => void
}

interface Slot<R> {
  /** Wait for a pass that has not begun. */
  next: Waiter<R>[]
  running: boolean
  /** A pass is due at `dueAt`, monotonic; the timer is set unless one is running. */
  dueAt: number | undefined
  timer: NodeJS.Timeout | undefined
  wroteAt: number
  attempt: number
}

/**
 * Does the work of many keys, each for itself: one pass at a time per key, a first one at once, no write sooner than
 * `interval` after the last, and again with growing pauses after trouble. Wakes that come together share a pass.
 *
 * Invariants:
 * - a pass that begins after `run(key)` was called decides its promise; one already under way does not;
 * - a key that was woken gets a pass, whatever came between;
 * - a key that waits or fails takes nothing from the others (the limiter is held only during a pass).
 */
export class KeyedWorker<R> implements Service {
  readonly #options: KeyedWorkerOptions<R>
  readonly #slots = new Map<string, Slot<R>>()
  readonly #running = new Set<Promise<void>>()
  #stopped = false

  constructor(options: KeyedWorkerOptions<R>) {
    this.#options = options
  }

  /** Asks for a pass and resolves with its result; rejects only when stopped before. */
  run(key: string): Promise<R> {
    if (this.#stopped) return Promise.reject(stoppedError())
    return new Promise((resolve, reject) => {
      this.#slot(key).next.push({ resolve, reject })
      this.wake(key)
    })
  }

  /** Asks for a pass, as soon as the interval lets it; with `lazy` only an interval from now, to go with others. */
  wake(key: string, { lazy = false } = {}): void {
    if (this.#stopped) return
    const { clock, interval } = this.#options
    const slot = this.#slot(key)
    // After trouble, the pause stays.
    if (slot.attempt > 0 && slot.dueAt !== undefined) return
    const soonest = Math.max(clock.monotonic() + (lazy ? interval : 0), slot.wroteAt + interval)
    this.#schedule(key, slot, Math.min(soonest, slot.dueAt ?? Infinity))
  }

  /** Whether a pass is wanted or under way. */
  isBusy(key: string): boolean {
    const slot = this.#slots.get(key)
    return slot !== undefined && (slot.running || slot.dueAt !== undefined)
  }

  /** Drops what is remembered of a key that is gone; a pass that is wanted still comes. */
  forget(key: string): void {
    if (!this.isBusy(key)) this.#slots.delete(key)
  }

  /** Lets passes under way end; everyone still waiting is turned away. */
  async stop(): Promise<void> {
    this.#stopped = true
    for (const slot of this.#slots.values()) {
      clearTimeout(slot.timer)
      for (const { reject } of slot.next.splice(0)) reject(stoppedError())
    }
    await Promise.all(this.#running)
  }

  #slot(key: string): Slot<R> {
    const known = this.#slots.get(key)
    if (known !== undefined) return known
    const slot: Slot<R> = {
      next: [],
      running: false,
      dueAt: undefined,
      timer: undefined,
      wroteAt: -Infinity,
      attempt: 0,
    }
    this.#slots.set(key, slot)
    return slot
  }

  #schedule(key: string, slot: Slot<R>, dueAt: number): void {
    if (slot.timer !== undefined && slot.dueAt === dueAt) return
    slot.dueAt = dueAt
    clearTimeout(slot.timer)
    slot.timer = undefined
    if (slot.running) return
    slot.timer = setTimeout(() => this.#begin(key, slot), Math.max(0, dueAt - this.#options.clock.monotonic()))
  }

  #begin(key: string, slot: Slot<R>): void {
    slot.timer = undefined
    slot.running = true
    const done = this.#options.limiter.run(() => this.#pass(key, slot)).finally(() => this.#running.delete(done))
    this.#running.add(done)
  }

  async #pass(key: string, slot: Slot<R>): Promise<void> {
    const waiters = slot.next.splice(0)
    slot.dueAt = undefined
    const began = this.#options.clock.monotonic()
    try {
      if (this.#stopped) throw stoppedError()
      const { wrote, result, gone } = await this.#options.pass(key)
      if (wrote) slot.wroteAt = began
      slot.attempt = 0
      for (const { resolve } of waiters) resolve(result)
      if (waiters.length === 0) this.#options.onUnheard?.(key, result)
      this.#ended(key, slot, gone || this.#options.interval === 0)
    } catch (error) {
      this.#failed(key, slot, waiters, error)
    }
  }

  #ended(key: string, slot: Slot<R>, forget: boolean): void {
    slot.running = false
    if (slot.dueAt === undefined && forget) this.#slots.delete(key)
    else if (slot.dueAt !== undefined && !this.#stopped)
      this.#schedule(key, slot, Math.max(slot.dueAt, slot.wroteAt + this.#options.interval))
  }

  #failed(key: string, slot: Slot<R>, waiters: Waiter<R>[], error: unknown): void {
    slot.running = false
    if (this.#stopped) {
      for (const { reject } of [...waiters, ...slot.next.splice(0)]) reject(stoppedError())
      return
    }
    const { backoff, random, clock, onFailure } = this.#options
    const asked = error instanceof KubeError ? (error.retryAfter ?? 0) : 0
    const wait = Math.max(asked, delay(slot.attempt, backoff, random()))
    slot.attempt += 1
    slot.next.unshift(...waiters)
    onFailure(key, error, { attempt: slot.attempt, wait })
    this.#schedule(key, slot, clock.monotonic() + wait)
  }
}

function stoppedError(): Error {
  return new Error('cloudcore is stopping')
}
