import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { openDatabase } from '@kedge/cloudcore/apiserver/database'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { selectionOf } from '@kedge/shared/kubeapi/list'
import { WatchHub } from '@kedge/shared/kubeapi/watch'
import type { Sink } from '@kedge/shared/kubeapi/watcher'
import { silentLog } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import fc from 'fast-check'
import { describe, it } from 'vitest'

const kind = must(
  builtIns.find(({ storage }) => storage === 'configmaps'),
  'ConfigMap',
)

/** What a client rebuilds from a stream of events. */
class Mirror implements Sink {
  readonly objects = new Map<string, unknown>()
  readonly errors: unknown[] = []
  pending = 0
  closed = false
  readonly finished: Promise<void>
  #finish = () => {}

  constructor() {
    this.finished = new Promise((resolve) => {
      this.#finish = resolve
    })
  }

  write(chunk: Buffer): void {
    const { type, object } = JSON.parse(chunk.toString())
    const key = `${object.metadata?.namespace}/${object.metadata?.name}`
    if (type === 'ERROR') this.errors.push(object)
    else if (type === 'DELETED') this.objects.delete(key)
    else if (type !== 'BOOKMARK') {
      if ((type === 'ADDED') === this.objects.has(key)) throw new Error(`${type} of ${key} does not fit`)
      this.objects.set(key, object)
    }
  }

  async drained(): Promise<void> {
    await new Promise((resolve) => setImmediate(resolve))
  }

  end(): void {
    this.closed = true
    this.#finish()
  }

  cut(): void {
    this.end()
  }
}

const name = fc.constantFrom('a', 'b', 'c', 'd')
const step = fc.oneof(
  { weight: 5, arbitrary: fc.record({ is: fc.constant('put' as const), name, seen: fc.boolean(), value: fc.nat(3) }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('remove' as const), name }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('throw' as const), name }) },
  { weight: 2, arbitrary: fc.record({ is: fc.constant('watch' as const), back: fc.nat(8), selected: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('compact' as const), back: fc.nat(6) }) },
  { weight: 1, arbitrary: fc.record({ is: fc.constant('crash' as const) }) },
)
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

interface Watching {
  mirror: Mirror
  selected: boolean
}

/** A store whose owner dies at any point: nothing is closed, another one opens the same file. */
class World {
  readonly #dir = mkdtempSync(join(tmpdir(), 'kedge-watch-'))
  store = this.#open()
  hub = new WatchHub(this.store, () => 0)
  watching: Watching[] = []
  readonly #old: LogStore[] = []

  #open(): LogStore {
    return new LogStore(openDatabase(join(this.#dir, 'api.db')), silentLog)
  }

  async run(one: Step): Promise<void> {
    switch (one.is) {
      case 'put':
        await this.#put(one.name, { seen: one.seen, value: one.value })
        break
      case 'remove':
        await this.store.commit((tx) => tx.remove(this.#key(one.name)))
        break
      case 'throw':
        await this.store
          .commit((tx) => {
            tx.remove(this.#key(one.name))
            throw new Error('taken back')
          })
          .catch(() => undefined)
        break
      case 'watch':
        await this.#watch(one.back, one.selected)
        break
      case 'compact':
        this.store.compact(this.store.revision - one.back, 100)
        break
      case 'crash':
        this.#old.push(this.store)
        this.store = this.#open()
        this.hub = new WatchHub(this.store, () => 0)
        await this.#rejoin()
        break
    }
  }

  #key(of: string) {
    return { resource: 'configmaps', namespace: 'n', name: of }
  }

  async #put(of: string, { seen, value }: { seen: boolean; value: number }): Promise<void> {
    const metadata = { name: of, namespace: 'n', ...(seen ? { labels: { seen: 'yes' } } : {}) }
    const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata, data: { value: String(value) } }
    await this.store.commit((tx) => tx.put(this.#key(of), object))
  }

  list(selected: boolean, at?: number) {
    return this.store
      .list({ resource: 'configmaps', ...(at === undefined ? {} : { at }) })
      .map(({ object }) => object)
      .filter(({ metadata }) => !selected || metadata.labels?.seen === 'yes')
  }

  /** Lists an older state and watches from there, as a client does that lags behind. */
  async #watch(back: number, selected: boolean): Promise<void> {
    const at = Math.max(this.store.oldest, this.store.revision - back)
    const mirror = new Mirror()
    for (const object of this.list(selected, at)) mirror.objects.set(`n/${object.metadata.name}`, object)
    await this.#follow(mirror, selected, at)
  }

  async #follow(mirror: Mirror, selected: boolean, from: number): Promise<void> {
    const selection = selectionOf(kind, { labelSelector: selected ? 'seen=yes' : '', fieldSelector: '' })
    const form = { as: 'object' } as const
    const request = { kind, namespace: '', selection, form, includeObject: 'Metadata' as const, from }
    await this.hub.open({ ...request, bookmarks: false, markInitial: false }, mirror, () => undefined)
    this.watching.push({ mirror, selected })
  }

  /** Clients whose server went away take up their watches at the resourceVersion that they have seen. */
  async #rejoin(): Promise<void> {
    const before = this.watching
    this.watching = []
    for (const { mirror, selected } of before) await this.#follow(mirror, selected, this.store.revision)
  }

  check(): void {
    for (const { mirror, selected } of this.watching) {
      const seen = JSON.stringify([...mirror.objects].sort().map(([, object]) => object))
      const there = JSON.stringify(this.list(selected))
      if (mirror.errors.length > 0) throw new Error(`refused: ${JSON.stringify(mirror.errors)}`)
      if (seen !== there) throw new Error(`rebuilt ${seen}\nlisted ${there}`)
    }
  }

  close(): void {
    this.hub.close()
    for (const store of [...this.#old, this.store]) store.close()
    rmSync(this.#dir, { recursive: true, force: true })
  }
}

describe('a watcher that starts anywhere', () => {
  it('ends with what a list gives', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 60, size: 'max' }), async (steps) => {
        const world = new World()
        try {
          for (const one of steps) {
            await world.run(one)
            world.check()
          }
        } finally {
          world.close()
        }
      }),
      { numRuns: 60 },
    )
  })
})
