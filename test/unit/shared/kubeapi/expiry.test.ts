import { join } from 'node:path'
import { openDatabase } from '@kedge/cloudcore/apiserver/database'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { listEntries } from '@kedge/shared/kubeapi/list'
import { listOptions } from '@kedge/shared/kubeapi/request'
import { WatchHub } from '@kedge/shared/kubeapi/watch'
import { maxPendingBytes, type Sink } from '@kedge/shared/kubeapi/watcher'
import { silentLog } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import { describe, expect, it, onTestFinished } from 'vitest'
import { tempDir } from '../../../support/temp-dir.ts'

const kind = must(
  builtIns.find(({ storage }) => storage === 'configmaps'),
  'ConfigMap',
)

async function filled(): Promise<LogStore> {
  const store = new LogStore(openDatabase(join(tempDir(), 'api.db')), silentLog)
  onTestFinished(() => store.close())
  for (const name of ['a', 'b', 'c', 'a', 'b', 'c']) await put(store, name)
  return store
}

function put(store: LogStore, name: string) {
  const object = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name, namespace: 'n' } }
  return store.commit((tx) => tx.put({ resource: 'configmaps', namespace: 'n', name }, object))
}

function list(store: LogStore, query: string) {
  return listEntries(store, { kind, namespace: '', options: listOptions(new URLSearchParams(query)) })
}

class Recorder implements Sink {
  readonly events: { type: string; object: { code?: number; metadata?: { name?: string } } }[] = []
  readonly finished = new Promise<void>(() => {})
  pending = 0
  closed = false

  write(chunk: Buffer): void {
    this.events.push(JSON.parse(chunk.toString()))
  }

  async drained(): Promise<void> {}

  end(): void {
    this.closed = true
  }

  cut(): void {
    this.closed = true
  }
}

function watch(store: LogStore, sink: Sink, from: number) {
  const hub = new WatchHub(store, () => 0)
  const cuts: string[] = []
  const form = { as: 'object' } as const
  const selection = { labels: [], fields: [] }
  const request = { kind, namespace: '', selection, form, includeObject: 'Metadata' as const, from }
  const opened = hub.open({ ...request, bookmarks: true, markInitial: false }, sink, (why) => cuts.push(why))
  return { hub, cuts, opened }
}

describe('what was compacted away', () => {
  it('cannot be listed or gone on with', async () => {
    const store = await filled()
    const { metadata } = list(store, 'limit=1')
    const next = `limit=1&continue=${encodeURIComponent(metadata.continue ?? '')}`
    expect(list(store, next).entries.map(({ name }) => name)).toEqual(['b'])
    await put(store, 'd')
    store.compact(store.revision, 1000)
    expect(() => list(store, next)).toThrow(expect.objectContaining({ code: 410, reason: 'Expired' }))
    const exact = 'resourceVersion=2&resourceVersionMatch=Exact'
    expect(() => list(store, exact)).toThrow(expect.objectContaining({ code: 410 }))
    expect(() => list(store, 'resourceVersion=99')).toThrow(expect.objectContaining({ code: 504 }))
  })

  it('cannot be watched', async () => {
    const store = await filled()
    store.compact(4, 1000)
    const late = new Recorder()
    await watch(store, late, 3).opened
    expect(late.events).toMatchObject([{ type: 'ERROR', object: { code: 410 } }])
    expect(late.closed).toBe(true)
    const inTime = new Recorder()
    await watch(store, inTime, 4).opened
    expect(inTime.events.map(({ type }) => type)).toEqual(['MODIFIED', 'MODIFIED'])
  })
})

describe('a watch', () => {
  it('is told how far it is when it asked for bookmarks', async () => {
    const store = await filled()
    const sink = new Recorder()
    const { hub, opened } = watch(store, sink, store.revision)
    await opened
    hub.bookmark()
    expect(sink.events).toMatchObject([{ type: 'BOOKMARK', object: { metadata: { resourceVersion: '6' } } }])
  })

  it('is cut when too much is pending, and told nothing more', async () => {
    const store = await filled()
    const sink = new Recorder()
    const { cuts, opened } = watch(store, sink, store.revision)
    await opened
    sink.pending = maxPendingBytes + 1
    await put(store, 'x')
    await put(store, 'y')
    expect(cuts).toEqual(['too slow'])
    expect(sink.events).toHaveLength(1)
  })

  it('ends with the hub', async () => {
    const store = await filled()
    const sink = new Recorder()
    const { hub, opened } = watch(store, sink, store.revision)
    await opened
    hub.close()
    await put(store, 'x')
    expect([hub.size, sink.closed, sink.events]).toEqual([0, true, []])
  })
})
