import type { Clock } from '@kedge/shared/clock'
import type { Frame } from '@kedge/shared/frames'
import type { Log } from '@kedge/shared/log'
import type { Key } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import { commonProtocol } from './session.ts'

export interface AsksOptions {
  /** Hands a frame to the link. */
  send: (node: string, frame: Frame<'tell'>) => void
  clock: Clock
  log: Log
}

/** Milliseconds from one question to the next, of each node. */
const every = 1000
/** Objects in one question. */
const most = 200
/** Milliseconds in which the same is not asked again: an edge that knows nothing says nothing. */
const notAgainWithin = 600_000
/** The first version of the protocol with this question. */
const sinceProtocol = 2

/**
 * Asks nodes to report again what Kubernetes has lost of their pods and devices.
 *
 * Invariants: a node that has no link, or speaks too old a protocol, is asked nothing until it can be; questions come at a
 * bounded rate, and none is repeated within ten minutes.
 */
export class Asks implements Service {
  readonly #options: AsksOptions
  readonly #wanted = new Map<string, Set<Key> | 'all'>()
  readonly #askedAt = new Map<Key, number>()
  /** Nodes that can be asked. */
  readonly #ready = new Set<string>()
  #timer: NodeJS.Timeout | undefined

  constructor(options: AsksOptions) {
    this.#options = options
  }

  /** What `node` has said of `key` is missing in Kubernetes. */
  ask(node: string, key: Key): void {
    const now = this.#options.clock.monotonic()
    if (now - (this.#askedAt.get(key) ?? Number.NEGATIVE_INFINITY) < notAgainWithin) return
    const keys = this.#wanted.get(node)
    if (keys === undefined) this.#wanted.set(node, new Set([key]))
    else if (keys !== 'all') keys.add(key)
    this.#schedule()
  }

  /** All that `node` has said is missing in Kubernetes. */
  askAll(node: string): void {
    this.#wanted.set(node, 'all')
    this.#schedule()
  }

  /** The node has begun a conversation. */
  heard(node: string, frame: Frame<'have'>): void {
    if ((commonProtocol(frame) ?? 0) < sinceProtocol) return
    this.#ready.add(node)
    this.#schedule()
  }

  down(node: string): void {
    this.#ready.delete(node)
  }

  async stop(): Promise<void> {
    clearTimeout(this.#timer)
    this.#wanted.clear()
  }

  #schedule(): void {
    if (this.#timer !== undefined || ![...this.#wanted.keys()].some((node) => this.#ready.has(node))) return
    this.#timer = setTimeout(() => {
      this.#timer = undefined
      this.#send()
      this.#schedule()
    }, every)
    this.#timer.unref()
  }

  #send(): void {
    const now = this.#options.clock.monotonic()
    for (const [key, at] of this.#askedAt) {
      if (now - at < notAgainWithin) break
      this.#askedAt.delete(key)
    }
    for (const [node, wanted] of this.#wanted) {
      if (!this.#ready.has(node)) continue
      if (wanted === 'all') this.#wanted.delete(node)
      const keys = wanted === 'all' ? undefined : this.#some(node, wanted, now)
      this.#options.log.info({ node, objects: keys?.length ?? 'all' }, 'asked for states that Kubernetes has lost')
      this.#options.send(node, { is: 'tell', what: 'state', ...(keys && { keys }) })
    }
  }

  #some(node: string, wanted: Set<Key>, now: number): Key[] {
    const keys = [...wanted].slice(0, most)
    for (const key of keys) {
      wanted.delete(key)
      this.#askedAt.set(key, now)
    }
    if (wanted.size === 0) this.#wanted.delete(node)
    return keys
  }
}
