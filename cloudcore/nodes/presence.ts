import type { Clock } from '@kedge/shared/clock'
import type { Service } from '@kedge/shared/service'

export interface Standing {
  /** `unknown`: gone for less than the grace given, or not heard of since cloudcore started. */
  is: 'connected' | 'disconnected' | 'unknown'
  /** Wall time, milliseconds since the epoch. */
  since: number
}

export interface PresenceOptions {
  clock: Clock
  /** How long a node may be gone before someone acts on it, in milliseconds; each who acts has a grace of his own. */
  graces: readonly number[]
  /** How long nodes have to come back after cloudcore has started, in milliseconds; longer while they still come. */
  startGrace: number
}

/** Milliseconds in which no node came for the first time: those that come back after a start have come. */
const calm = 10_000
/** However many still come: nobody waits for the others for more than so many times the grace. */
const patience = 4

interface Link {
  up: boolean
  /** Wall time. */
  since: number
  /** Monotonic. */
  at: number
  timers: NodeJS.Timeout[]
}

/** Which nodes have a link, as the link tells it. A short interruption is nobody's business: hence the graces. */
export class Presence implements Service {
  readonly #options: PresenceOptions
  readonly #links = new Map<string, Link>()
  readonly #listeners = new Set<(node: string | undefined) => void>()
  readonly #started: { since: number; at: number }
  /** When a node came for the first time last, monotonic. */
  #cameAt = Number.NEGATIVE_INFINITY
  /** The graces after a start that are over, for good. */
  readonly #over = new Set<number>()
  readonly #timers = new Map<number, NodeJS.Timeout>()

  constructor(options: PresenceOptions) {
    this.#options = options
    this.#started = { since: options.clock.now(), at: options.clock.monotonic() }
    for (const grace of new Set(options.graces.map((grace) => this.#startGrace(grace)))) this.#waitFor(grace)
  }

  /** `since` is wall time in milliseconds. */
  connected(node: string, since: number = this.#options.clock.now()): void {
    this.#set(node, true, since)
  }

  disconnected(node: string): void {
    this.#set(node, false, this.#options.clock.now())
  }

  of(node: string, grace: number): Standing {
    const link = this.#links.get(node)
    const now = this.#options.clock.monotonic()
    const from = link ?? this.#started
    if (link?.up) return { is: 'connected', since: link.since }
    const over = link === undefined ? this.#over.has(this.#startGrace(grace)) : now - from.at >= grace
    return { is: over ? 'disconnected' : 'unknown', since: from.since }
  }

  /** Called with a node whose standing may have changed, or with undefined when that holds for all. */
  onChange(listener: (node: string | undefined) => void): void {
    this.#listeners.add(listener)
  }

  async stop(): Promise<void> {
    for (const timer of this.#timers.values()) clearTimeout(timer)
    for (const { timers } of this.#links.values()) for (const timer of timers) clearTimeout(timer)
  }

  #startGrace(grace: number): number {
    return Math.max(grace, this.#options.startGrace)
  }

  /** A fleet that is slow to come back is no fleet that is gone: to say so of each node would make it slower. */
  #waitFor(startGrace: number): void {
    const now = this.#options.clock.monotonic()
    const least = this.#started.at + startGrace
    const end = Math.max(least, Math.min(this.#cameAt + calm, this.#started.at + patience * startGrace))
    if (end > now) {
      this.#timers.set(
        startGrace,
        setTimeout(() => this.#waitFor(startGrace), Math.ceil(end - now)),
      )
      return
    }
    this.#over.add(startGrace)
    this.#tell(undefined)
  }

  #set(node: string, up: boolean, since: number): void {
    const before = this.#links.get(node)
    if (before?.up === up) return
    if (before === undefined && up) this.#cameAt = this.#options.clock.monotonic()
    for (const timer of before?.timers ?? []) clearTimeout(timer)
    const graces = up ? [] : this.#options.graces
    const timers = graces.map((grace) => setTimeout(() => this.#tell(node), grace))
    this.#links.set(node, { up, since, at: this.#options.clock.monotonic(), timers })
    if (up) this.#tell(node)
  }

  #tell(node: string | undefined): void {
    for (const listener of this.#listeners) listener(node)
  }
}
