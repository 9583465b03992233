import { join } from 'node:path'
import { databaseName, openDatabase } from '@kedge/cloudcore/apiserver/database'
import { LogStore } from '@kedge/cloudcore/apiserver/log-store'
import { builtIns } from '@kedge/shared/kubeapi/builtins'
import { kindsOf } from '@kedge/shared/kubeapi/crd'
import { startEmptying } from '@kedge/shared/kubeapi/emptying'
import { atOnce } from '@kedge/shared/kubeapi/lifecycle'
import type { Storage } from '@kedge/shared/kubeapi/storage'
import { silentLog } from '@kedge/shared/log'
import { describe, expect, it, onTestFinished } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { thingCrd } from '../../support/kinds.ts'
import { type Body, connect, type Event, type Kube, startTestServer } from '../../support/kube.ts'
import { tempDir } from '../../support/temp-dir.ts'

const many = atOnce * 12
const crds = 'customresourcedefinitions.apiextensions.k8s.io'

/** A database with a namespace and a definition that hold many objects. */
async function filled(dir: string): Promise<void> {
  const store = new LogStore(openDatabase(join(dir, databaseName)), silentLog)
  await store.commit((tx) => {
    const put = (resource: string, namespace: string, name: string, object: object) =>
      tx.put({ resource, namespace, name }, { metadata: { name, uid: `${resource}/${name}` }, ...object })
    put('namespaces', '', 'full', { apiVersion: 'v1', kind: 'Namespace', status: { phase: 'Active' } })
    put(crds, '', 'things.example.com', thingCrd({ type: 'object' }))
    for (let n = 0; n < many; n++) {
      const metadata = { name: `n${n}`, namespace: 'full', uid: `${n}` }
      put('configmaps', 'full', `n${n}`, { apiVersion: 'v1', kind: 'ConfigMap', metadata })
      const elsewhere = { ...metadata, namespace: 'default' }
      put('things.example.com', 'default', `n${n}`, {
        apiVersion: 'example.com/v1',
        kind: 'Thing',
        metadata: elsewhere,
      })
    }
  })
  store.close()
}

async function open(dir: string): Promise<{ kube: Kube; stop: () => Promise<void> }> {
  const server = await startTestServer({ dir })
  const kube = connect(server.kubeconfig, { embedded: true, stop: server.stop })
  onTestFinished(() => kube.close())
  return { kube, stop: () => kube.close() }
}

const cases = {
  'a namespace': {
    path: '/api/v1/namespaces/full',
    held: '/api/v1/namespaces/full/configmaps',
    resource: 'configmaps',
  },
  'a definition': {
    path: '/apis/apiextensions.k8s.io/v1/customresourcedefinitions/things.example.com',
    held: '/apis/example.com/v1/namespaces/default/things',
    resource: 'things.example.com',
  },
}

describe.each(Object.entries(cases))('%s that holds much', (_, { path, held, resource }) => {
  it('goes in steps, and nobody waits for all of them', async () => {
    const dir = tempDir()
    await filled(dir)
    const { kube } = await open(dir)
    const collection = path.slice(0, path.lastIndexOf('/'))
    const { body } = await kube.get(collection)
    const watch = await kube.watch(`${collection}?watch=1&resourceVersion=${body.metadata.resourceVersion}`)
    const deleted = await kube.call({ method: 'DELETE', path })
    expect(deleted.code).toBe(200)
    expect(deleted.body.metadata.deletionTimestamp).toBeDefined()
    const [mine, refused] = await Promise.all([
      kube.create('/api/v1/namespaces/default/configmaps', { metadata: { name: 'mine' } }),
      kube.create(held, { metadata: { name: 'late' } }),
    ])
    expect(mine.code).toBe(201)
    expect([403, 404]).toContain(refused.code)

    const events: Event[] = []
    while (events.at(-1)?.type !== 'DELETED') events.push((await watch.next()) as Event)
    watch.close()
    for (const { object } of events) expect(object.metadata.deletionTimestamp).toBeDefined()
    const gone = events.at(-1)?.object.metadata.resourceVersion
    expect(Number(mine.body.metadata.resourceVersion)).toBeLessThan(Number(gone))
    expect((await kube.get(path)).code).toBe(404)
    expect([0, undefined]).toContain((await kube.get(held)).body.items?.length)
  })

  it('goes on after a restart', async () => {
    const dir = tempDir()
    await filled(dir)
    const first = await open(dir)
    expect((await first.kube.call({ method: 'DELETE', path })).code).toBe(200)
    await first.stop()
    const left = new LogStore(openDatabase(join(dir, databaseName)), silentLog)
    expect(left.count({ resource })).toBeGreaterThan(0)
    left.close()
    const { kube } = await open(dir)
    await eventually(async () => (await kube.get(path)).code === 404)
  })
})

describe('a deletecollection of much', () => {
  const maps = '/api/v1/namespaces/full/configmaps'

  it('goes in steps, and nobody waits for all of them', async () => {
    const dir = tempDir()
    await filled(dir)
    const { kube } = await open(dir)
    // Connections for all that follows: a handshake could outlast the deletion.
    const [first] = await Promise.all([1, 2, 3].map(() => kube.get(`${maps}?limit=1`)))
    const watch = await kube.watch(`${maps}?watch=1&resourceVersion=${first?.body.metadata.resourceVersion}`)
    const deleted = kube.call({ method: 'DELETE', path: maps })
    expect((await watch.next())?.type).toBe('DELETED')
    const mine = await kube.create('/api/v1/namespaces/default/configmaps', { metadata: { name: 'mine' } })
    const { code, body } = await deleted
    expect([code, body.kind, body.items.length]).toEqual([200, 'ConfigMapList', many])
    expect(Number(mine.body.metadata.resourceVersion)).toBeLessThan(Number(body.metadata.resourceVersion))
    expect((await kube.get(maps)).body.items).toEqual([])
    watch.close()
  })

  it('changes nothing when it is only rehearsed, and spares what is made after the call', async () => {
    const dir = tempDir()
    await filled(dir)
    const store = new LogStore(openDatabase(join(dir, databaseName)), silentLog)
    const metadata = { name: 'n5later', namespace: 'full', uid: 'later', creationTimestamp: '2999-01-01T00:00:00Z' }
    const later = { apiVersion: 'v1', kind: 'ConfigMap', metadata }
    await store.commit((tx) => tx.put({ resource: 'configmaps', namespace: 'full', name: 'n5later' }, later))
    store.close()
    const { kube } = await open(dir)
    const names = async () => (await kube.get(maps)).body.items.map((item: Body) => item.metadata.name)
    const rehearsed = await kube.call({ method: 'DELETE', path: `${maps}?dryRun=All` })
    expect(rehearsed.body.items).toHaveLength(many)
    expect(await names()).toHaveLength(many + 1)
    await kube.call({ method: 'DELETE', path: maps })
    expect(await names()).toEqual(['n5later'])
  })
})

describe('emptying', () => {
  const kinds = [...builtIns, ...kindsOf(thingCrd({ type: 'object' }))]
  const clock = { now: () => 0 }
  const full = { resource: 'namespaces', namespace: '', name: 'full' }

  async function leaving(): Promise<LogStore> {
    const dir = tempDir()
    await filled(dir)
    const store = new LogStore(openDatabase(join(dir, databaseName)), silentLog)
    onTestFinished(() => store.close())
    await store.commit((tx) => {
      const object = tx.get(full)?.object
      if (object === undefined) throw new Error('no namespace')
      tx.put(full, { ...object, metadata: { ...object.metadata, deletionTimestamp: '1970-01-01T00:00:00Z' } })
    })
    return store
  }

  it('spares what a new namespace of the same name holds', async () => {
    const store = await leaving()
    const mine = { resource: 'configmaps', namespace: 'full', name: 'zzz' }
    let slices = 0
    const storage: Storage = Object.create(store, {
      list: { value: store.list.bind(store) },
      subscribe: { value: store.subscribe.bind(store) },
      commit: {
        value: async (write: Parameters<Storage['commit']>[0]) => {
          if (slices++ === 1) {
            await store.commit((tx) => {
              tx.remove(full)
              tx.put(full, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: 'full', uid: 'another' } })
              tx.put(mine, { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'zzz', namespace: 'full' } })
            })
          }
          return store.commit(write)
        },
      },
    })
    const emptying = startEmptying({ storage, registry: { kinds }, clock, log: silentLog })
    await eventually(() => slices === 2)
    await emptying.stop()
    expect(store.get(mine)).toBeDefined()
    expect(store.count({ resource: 'configmaps', namespace: 'full' })).toBe(many - atOnce + 1)
  })

  it('tries again what the storage refused', async () => {
    const store = await leaving()
    let failures = 0
    const storage: Storage = Object.create(store, {
      list: { value: store.list.bind(store) },
      subscribe: { value: store.subscribe.bind(store) },
      commit: {
        value: (write: Parameters<Storage['commit']>[0]) =>
          failures++ === 0 ? Promise.reject(new Error('disk full')) : store.commit(write),
      },
    })
    const emptying = startEmptying({ storage, registry: { kinds }, clock, log: silentLog })
    await eventually(() => store.get(full) === undefined)
    await emptying.stop()
    expect(store.count({ resource: 'configmaps' })).toBe(0)
  })
})
