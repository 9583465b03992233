import type { Clock } from '@kedge/shared/clock'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { Kube } from '../kube/api.ts'
import { WatchLoop } from '../kube/watch-loop.ts'
import { identityLabel } from './records.ts'
import type { Outcome, RequestKind } from './request-kind.ts'

interface Entry {
  node: string
  key: string
  /** Milliseconds since the epoch. */
  created: number
  is: Outcome['is']
}

interface Box {
  newest: KubeObject | undefined
  wake: () => void
}

/** What comes for one request while somebody waits for it. */
export interface Awaited {
  /** The newest state that was not given yet; undefined when the time is up. */
  next(): Promise<KubeObject | undefined>
  close(): void
}

const day = 24 * 3600 * 1000

/** All requests that cloudcore has made, by one watch, however many wait for theirs. */
export class Requested implements Service {
  readonly #kind: RequestKind
  readonly #entries = new Map<string, Entry>()
  readonly #boxes = new Map<string, Box>()
  readonly #spoilt = new Set<string>()
  readonly #loop: WatchLoop

  constructor({ kind, kube, log, clock }: { kind: RequestKind; kube: Kube; log: Log; clock: Clock }) {
    this.#kind = kind
    const sink = {
      trim: (object: KubeObject) => object,
      replace: (objects: KubeObject[]) => {
        this.#entries.clear()
        for (const object of objects) this.#put(object)
      },
      put: (object: KubeObject) => this.#put(object),
      remove: ({ metadata }: KubeObject) => {
        this.#entries.delete(metadata.name)
        this.#spoilt.delete(metadata.name)
      },
    }
    const selector = { labelSelector: `${identityLabel}=request` }
    this.#loop = new WatchLoop({ kube, path: kind.collection, selector, sink, log, clock })
    this.#loop.start()
  }

  /** One that was just made: the watch may tell of it later, or has told of more already. */
  know(object: KubeObject): void {
    if (!this.#entries.has(object.metadata.name)) this.#note(object)
  }

  #put(object: KubeObject): void {
    this.#note(object)
    const box = this.#boxes.get(object.metadata.name)
    if (box === undefined) return
    box.newest = object
    box.wake()
  }

  #note(object: KubeObject): void {
    const { name, annotations = {}, creationTimestamp } = object.metadata
    this.#entries.set(name, {
      node: annotations['kedge.io/node'] ?? '',
      key: annotations['kedge.io/key'] ?? '',
      created: Date.parse(`${creationTimestamp}`) || 0,
      is: this.#kind.outcomeOf(object).is,
    })
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /**
   * A request of a node for a key that is still open, or whose certificate it has not got: signed while nobody waited, or
   * lost on the way. None that somebody waits for, that came to nothing, or that is older than a day.
   */
  usable(node: string, key: string, now: number): string | undefined {
    for (const [name, entry] of this.#entries) {
      const isTheirs = entry.node === node && entry.key === key && !this.#boxes.has(name) && !this.#spoilt.has(name)
      if (isTheirs && entry.is !== 'refused' && Math.abs(now - entry.created) < day) return name
    }
    return undefined
  }

  /** What came of this one cannot be used: it is not taken up again. */
  spoil(name: string): void {
    this.#spoilt.add(name)
  }

  /** The requests of a node beyond the newest `count`, without those that somebody waits for. */
  surplus(node: string, count: number): string[] {
    return [...this.#entries]
      .filter(([, entry]) => entry.node === node)
      .sort(([, a], [, b]) => b.created - a.created)
      .slice(count)
      .map(([name]) => name)
      .filter((name) => !this.#boxes.has(name))
  }

  /** Waits for changes of one request, from now on and for `patience` milliseconds. */
  await(name: string, patience: number): Awaited {
    const box: Box = { newest: undefined, wake: () => {} }
    this.#boxes.set(name, box)
    let isOver = false
    const timer = setTimeout(() => {
      isOver = true
      box.wake()
    }, patience)
    return {
      async next() {
        if (box.newest === undefined && !isOver) await new Promise<void>((resolve) => (box.wake = resolve))
        const { newest } = box
        box.newest = undefined
        return newest
      },
      close: () => {
        clearTimeout(timer)
        this.#boxes.delete(name)
      },
    }
  }

  stop(): Promise<void> {
    return this.#loop.stop()
  }
}
