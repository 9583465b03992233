import type { Clock } from '@kedge/shared/clock'
import type { Log } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import type { Service } from '@kedge/shared/service'
import type { Kube } from '../kube/api.ts'
import { WatchLoop } from '../kube/watch-loop.ts'
import { identityLabel } from './records.ts'
import type { RequestKind } from './request-kind.ts'

interface Entry {
  node: string
  key: string
  /** RFC 3339. */
  created: string
  isOpen: boolean
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

/** All requests that cloudcore has made, by one watch, however many wait for theirs. */
export class Requested implements Service {
  readonly #kind: RequestKind
  readonly #entries = new Map<string, Entry>()
  readonly #boxes = new Map<string, Box>()
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
      remove: ({ metadata }: KubeObject) => void this.#entries.delete(metadata.name),
    }
    const selector = { labelSelector: `${identityLabel}=request` }
    this.#loop = new WatchLoop({ kube, path: kind.collection, selector, sink, log, clock })
    this.#loop.start()
  }

  #put(object: KubeObject): void {
    const { name, annotations = {}, creationTimestamp } = object.metadata
    this.#entries.set(name, {
      node: annotations['kedge.io/node'] ?? '',
      key: annotations['kedge.io/key'] ?? '',
      created: `${creationTimestamp ?? ''}`,
      isOpen: this.#kind.outcomeOf(object).is === 'pending',
    })
    const box = this.#boxes.get(name)
    if (box === undefined) return
    box.newest = object
    box.wake()
  }

  has(name: string): boolean {
    return this.#entries.has(name)
  }

  /** The request of a node for a key that is still open, and that nobody waits for. */
  open(node: string, key: string): string | undefined {
    for (const [name, entry] of this.#entries)
      if (entry.isOpen && entry.node === node && entry.key === key && !this.#boxes.has(name)) return name
    return undefined
  }

  /** The requests of a node beyond the newest `count`, without those that somebody waits for. */
  surplus(node: string, count: number): string[] {
    return [...this.#entries]
      .filter(([, entry]) => entry.node === node)
      .sort(([, a], [, b]) => (a.created < b.created ? 1 : -1))
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
