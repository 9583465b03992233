import { join } from 'node:path'
import { openDatabase } from '@kedge/cloudcore/apiserver/database'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import { establish, kindsOf } from '@kedge/shared/kubeapi/crd'
import type { ApiKind } from '@kedge/shared/kubeapi/kinds'
import { WatchHub } from '@kedge/shared/kubeapi/watch'
import type { Sink } from '@kedge/shared/kubeapi/watcher'
import { definitionResource } from '@kedge/shared/kubeapi/write'
import { silentLog } from '@kedge/shared/log'
import { must } from '@kedge/shared/must'
import { describe, expect, it, onTestFinished } from 'vitest'
import { thingCrd } from '../../../support/kinds.ts'
import { tempDir } from '../../../support/temp-dir.ts'

/** Stores the definition of Thing in its next generation; the kind that it declares. */
async function define(store: LogStore, generation: number): Promise<ApiKind> {
  const crd = establish(thingCrd({ type: 'object' }), [], '2026-01-01T00:00:00Z')
  const key = { resource: definitionResource, namespace: '', name: crd.metadata.name }
  const object = { ...crd, metadata: { ...crd.metadata, generation } }
  const entry = await store.commit((tx) => tx.put(key, object))
  return must(kindsOf(entry.object)[0], 'the kind')
}

async function rig() {
  const store = new LogStore(openDatabase(join(tempDir(), 'api.db')), silentLog)
  onTestFinished(() => store.close())
  const kind = await define(store, 1)
  const from = store.revision
  const put = (name: string) => {
    const object = { apiVersion: 'example.com/v1', kind: 'Thing', metadata: { name, namespace: 'n' } }
    return store.commit((tx) => tx.put({ resource: kind.storage, namespace: 'n', name }, object))
  }
  await put('a')
  const hub = new WatchHub(store, () => 0)
  onTestFinished(() => hub.close())
  const form = { as: 'object' } as const
  const selection = { labels: [], fields: [] }
  const request = { kind, namespace: '', selection, form, includeObject: 'Metadata' as const, from }
  const open = (sink: Sink) => hub.open({ ...request, bookmarks: false, markInitial: false }, sink, () => undefined)
  return { store, put, open }
}

/** What comes through; `drained` waits until the test lets it go on. */
class Slow implements Sink {
  readonly names: string[] = []
  readonly finished = new Promise<void>(() => {})
  pending = 0
  closed = false
  release = () => {}
  readonly #gate = new Promise<void>((resolve) => {
    this.release = resolve
  })

  write(chunk: Buffer): void {
    this.names.push(JSON.parse(chunk.toString()).object.metadata.name)
  }

  drained(): Promise<void> {
    return this.#gate
  }

  end(): void {
    this.closed = true
  }

  cut(): void {
    this.closed = true
  }
}

describe('a watch of a kind that is redefined', () => {
  it('ends while it is still catching up', async () => {
    const { store, put, open } = await rig()
    const sink = new Slow()
    const opened = open(sink)
    expect(sink.names).toEqual(['a'])
    await define(store, 2)
    await put('b')
    expect(sink.closed).toBe(true)
    sink.release()
    await opened
    expect(sink.names).toEqual(['a'])
  })

  it('ends at once when it was asked for under the old definition', async () => {
    const { store, open } = await rig()
    await define(store, 2)
    const sink = new Slow()
    await open(sink)
    expect([sink.closed, sink.names]).toEqual([true, []])
  })
})
