import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest'
import { type Event, type Kube, makeNamespace, openKube, uniqueName, type Watch } from '../../support/kube.ts'

let kube: Kube
let namespace: Awaited<ReturnType<typeof makeNamespace>>
let maps: string
const open: Watch[] = []

beforeAll(async () => {
  kube = await openKube()
  namespace = await makeNamespace(kube)
  maps = `/api/v1/namespaces/${namespace.name}/configmaps`
})

afterEach(() => {
  for (const watch of open.splice(0)) watch.close()
})

afterAll(async () => {
  await namespace?.remove()
  await kube?.close()
})

async function watching(query: string, path = maps): Promise<Watch> {
  const watch = await kube.watch(
    `${path}?watch=1&${query.includes('timeoutSeconds') ? '' : 'timeoutSeconds=20&'}${query}`,
  )
  open.push(watch)
  return watch
}

async function revision(): Promise<string> {
  return (await kube.get(`${maps}?limit=1`)).body.metadata.resourceVersion
}

const told = (events: Event[]) => events.map(({ type, object }) => [type, object.metadata.name])

async function take(watch: Watch, count: number): Promise<Event[]> {
  const events: Event[] = []
  while (events.length < count) {
    const event = await watch.next()
    if (event === undefined) break
    events.push(event)
  }
  return events
}

const merge = (path: string, body: unknown) =>
  kube.call({ method: 'PATCH', path, body, type: 'application/merge-patch+json' })

describe('watch', () => {
  it('tells of everything after a resourceVersion, in order', async () => {
    const from = await revision()
    const name = uniqueName('w')
    const created = (await kube.create(maps, { metadata: { name } })).body
    const changed = (await merge(`${maps}/${name}`, { data: { a: '1' } })).body
    await kube.call({ method: 'DELETE', path: `${maps}/${name}` })
    const watch = await watching(`resourceVersion=${from}`)
    expect(watch.code).toBe(200)
    const [added, modified, deleted] = await take(watch, 3)
    expect(added).toEqual({ type: 'ADDED', object: created })
    expect(modified).toEqual({ type: 'MODIFIED', object: changed })
    expect(deleted).toMatchObject({
      type: 'DELETED',
      object: { metadata: { name, uid: created.metadata.uid }, data: { a: '1' } },
    })
    expect(Number(deleted?.object.metadata.resourceVersion)).toBeGreaterThan(Number(changed.metadata.resourceVersion))
  })

  it('tells of what happens while it is open', async () => {
    const watch = await watching(`resourceVersion=${await revision()}`)
    const name = uniqueName('w')
    await kube.create(maps, { metadata: { name } })
    expect(told(await take(watch, 1))).toEqual([['ADDED', name]])
    await kube.call({ method: 'DELETE', path: `${maps}/${name}` })
    expect(told(await take(watch, 1))).toEqual([['DELETED', name]])
  })

  it('begins with what there is, when it is not told where to begin', async () => {
    const name = uniqueName('w')
    await kube.create(maps, { metadata: { name, labels: { own: name } } })
    const watch = await watching(`labelSelector=own%3D${name}`)
    expect(told(await take(watch, 1))).toEqual([['ADDED', name]])
  })

  it('turns changes of labels into additions and deletions for a selector', async () => {
    const name = uniqueName('w')
    const watch = await watching(`resourceVersion=${await revision()}&labelSelector=see%3D${name}`)
    await kube.create(maps, { metadata: { name } })
    await merge(`${maps}/${name}`, { metadata: { labels: { see: name } } })
    await merge(`${maps}/${name}`, { data: { a: '1' } })
    const hidden = (await merge(`${maps}/${name}`, { metadata: { labels: { see: null } } })).body
    const events = await take(watch, 3)
    expect(events.map(({ type }) => type)).toEqual(['ADDED', 'MODIFIED', 'DELETED'])
    expect(events[2]?.object.metadata.resourceVersion).toBe(hidden.metadata.resourceVersion)
    expect(events[2]?.object.metadata.labels).toEqual({ see: name })
  })

  it('follows one name', async () => {
    const name = uniqueName('w')
    const watch = await watching(`resourceVersion=${await revision()}&fieldSelector=metadata.name%3D${name}`)
    await kube.create(maps, { metadata: { name: uniqueName('other') } })
    await kube.create(maps, { metadata: { name } })
    expect(told(await take(watch, 1))).toEqual([['ADDED', name]])
  })

  it('ends after its timeout', async () => {
    const watch = await watching(`resourceVersion=${await revision()}&timeoutSeconds=1`)
    expect(await watch.rest()).toEqual([])
  })

  it('says that a resourceVersion is too old', async () => {
    // On a cluster that was just made nothing may be compacted yet; the embedded server has a test of its own.
    const watch = await watching('resourceVersion=1&timeoutSeconds=2')
    const [first] = await take(watch, 1)
    if (first?.type === 'ERROR') expect(first.object).toMatchObject({ kind: 'Status', code: 410, reason: 'Expired' })
  })

  it('ends the initial events with a bookmark, when asked', async () => {
    const name = uniqueName('w')
    await kube.create(maps, { metadata: { name, labels: { own: name } } })
    const query = `labelSelector=own%3D${name}&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true`
    const watch = await watching(query)
    // Clusters before 1.32 cannot do this.
    if (!kube.embedded && watch.code !== 200) return
    const [added, bookmark] = await take(watch, 2)
    expect(added).toMatchObject({ type: 'ADDED', object: { metadata: { name } } })
    expect(bookmark).toMatchObject({
      type: 'BOOKMARK',
      object: { kind: 'ConfigMap', metadata: { annotations: { 'k8s.io/initial-events-end': 'true' } } },
    })
  })

  it('sends tables', async () => {
    const name = uniqueName('w')
    await kube.create(maps, { metadata: { name, labels: { own: name } } })
    const reply = await kube.call({
      path: `${maps}?watch=1&timeoutSeconds=1&labelSelector=own%3D${name}`,
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    })
    const [line = ''] = reply.text.split('\n')
    expect(JSON.parse(line)).toMatchObject({
      type: 'ADDED',
      object: { kind: 'Table', rows: [{ cells: [name, 0, expect.anything()] }] },
    })
  })
})
