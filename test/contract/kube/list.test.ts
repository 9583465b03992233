import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Kube, makeNamespace, minorOf, openKube, uniqueName } from '../../support/kube.ts'

let kube: Kube
let namespace: Awaited<ReturnType<typeof makeNamespace>>
let maps: string
let pods: string

beforeAll(async () => {
  kube = await openKube()
  namespace = await makeNamespace(kube)
  maps = `/api/v1/namespaces/${namespace.name}/configmaps`
  pods = `/api/v1/namespaces/${namespace.name}/pods`
  for (let i = 0; i < 7; i++) {
    const labels = { suite: 'list', parity: i % 2 === 0 ? 'even' : 'odd' }
    await kube.create(maps, { metadata: { name: `m${i}`, labels } })
  }
})

afterAll(async () => {
  await namespace?.remove()
  await kube?.close()
})

const names = (body: { items: { metadata: { name: string } }[] }) => body.items.map(({ metadata }) => metadata.name)
const selected = 'labelSelector=suite%3Dlist'

describe('list', () => {
  it('is a typed list with a resourceVersion', async () => {
    const { body } = await kube.get(`${maps}?${selected}`)
    expect(body).toMatchObject({ kind: 'ConfigMapList', apiVersion: 'v1' })
    expect(body.metadata.resourceVersion).toMatch(/^[1-9]\d*$/)
    expect(names(body)).toEqual(['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6'])
  })

  it.each([
    ['parity=even', ['m0', 'm2', 'm4', 'm6']],
    ['suite=list,parity!=even', ['m1', 'm3', 'm5']],
    ['parity in (odd)', ['m1', 'm3', 'm5']],
    ['parity,!none,suite', ['m0', 'm1', 'm2', 'm3', 'm4', 'm5', 'm6']],
  ])('selects by labels: %s', async (selector, expected) => {
    const { body } = await kube.get(`${maps}?labelSelector=${encodeURIComponent(selector)}`)
    expect(names(body)).toEqual(expected)
  })

  it('selects by fields', async () => {
    expect(names((await kube.get(`${maps}?fieldSelector=metadata.name%3Dm3`)).body)).toEqual(['m3'])
    expect(names((await kube.get(`${maps}?${selected}&fieldSelector=metadata.name!%3Dm3`)).body)).toHaveLength(6)
    const refused = await kube.get(`${maps}?fieldSelector=data.a%3Db`)
    expect(refused.body).toMatchObject({ code: 400, reason: 'BadRequest' })
    expect(refused.body.message).toBe(
      '"data.a" is not a known field selector: only "metadata.name", "metadata.namespace"',
    )
    const other = await kube.get(`${pods}?fieldSelector=spec.image%3Da`)
    expect(other.body).toMatchObject({ code: 400, reason: 'BadRequest' })
    expect(other.body.message).toBe('field label not supported: spec.image')
  })

  it('refuses selectors that make no sense', async () => {
    expect((await kube.get(`${maps}?labelSelector=${encodeURIComponent('a in')}`)).body).toMatchObject({
      kind: 'Status',
      code: 400,
      reason: 'BadRequest',
    })
  })

  it('comes in pieces that show one state', async () => {
    const first = (await kube.get(`${maps}?${selected}&limit=3`)).body
    expect(names(first)).toEqual(['m0', 'm1', 'm2'])
    expect(first.metadata.continue).toBeTruthy()
    await kube.create(maps, { metadata: { name: 'm3a', labels: { suite: 'list' } } })
    await kube.call({ method: 'DELETE', path: `${maps}/m5` })
    const token = encodeURIComponent(first.metadata.continue)
    const second = (await kube.get(`${maps}?${selected}&limit=3&continue=${token}`)).body
    const third = (
      await kube.get(`${maps}?${selected}&limit=3&continue=${encodeURIComponent(second.metadata.continue)}`)
    ).body
    expect([...names(second), ...names(third)]).toEqual(['m3', 'm4', 'm5', 'm6'])
    expect(second.metadata.resourceVersion).toBe(first.metadata.resourceVersion)
    expect(third.metadata.continue ?? '').toBe('')
    await kube.call({ method: 'DELETE', path: `${maps}/m3a` })
    await kube.create(maps, { metadata: { name: 'm5', labels: { suite: 'list', parity: 'odd' } } })
  })

  it('says how many are left', async () => {
    const { body } = await kube.get(`${maps}?limit=2`)
    expect(body.metadata.remainingItemCount).toBeGreaterThanOrEqual(5)
  })

  it('shows an older state exactly', async () => {
    const before = (await kube.get(`${maps}?${selected}`)).body
    await kube.create(maps, { metadata: { name: 'later', labels: { suite: 'list' } } })
    const rv = before.metadata.resourceVersion
    const { body } = await kube.get(`${maps}?${selected}&resourceVersion=${rv}&resourceVersionMatch=Exact`)
    expect(names(body)).toEqual(names(before))
    const newer = await kube.get(`${maps}?${selected}&resourceVersion=${rv}&resourceVersionMatch=NotOlderThan`)
    expect(names(newer.body)).toContain('later')
    await kube.call({ method: 'DELETE', path: `${maps}/later` })
  })

  it('refuses a continue token that it did not issue, and a limit that is none', async () => {
    expect((await kube.get(`${maps}?continue=nonsense`)).body).toMatchObject({ code: 400, reason: 'BadRequest' })
    expect((await kube.get(`${maps}?limit=many`)).body).toMatchObject({ code: 400, reason: 'BadRequest' })
  })

  it('goes over all namespaces', async () => {
    const { body } = await kube.get(
      `/api/v1/configmaps?${selected}&fieldSelector=metadata.namespace%3D${namespace.name}`,
    )
    expect(names(body)).toHaveLength(7)
  })
})

const table = 'application/json;as=Table;v=v1;g=meta.k8s.io,application/json'

describe('tables', () => {
  it('are what kubectl prints', async () => {
    const { body } = await kube.call({ path: `${maps}?${selected}&limit=2`, accept: table })
    expect(body).toMatchObject({ kind: 'Table', apiVersion: 'meta.k8s.io/v1' })
    expect(body.columnDefinitions.map(({ name }: { name: string }) => name)).toEqual(['Name', 'Data', 'Age'])
    expect(body.columnDefinitions[0]).toMatchObject({ type: 'string', format: 'name', priority: 0 })
    expect(body.rows).toHaveLength(2)
    expect(body.rows[0].cells.slice(0, 2)).toEqual(['m0', 0])
    expect(body.rows[0].object).toMatchObject({ kind: 'PartialObjectMetadata', metadata: { name: 'm0' } })
    expect(body.metadata.continue).toBeTruthy()
  })

  it('carry whole objects, or none, when asked', async () => {
    const whole = await kube.call({ path: `${maps}/m0?includeObject=Object`, accept: table })
    expect(whole.body.rows[0].object).toMatchObject({ kind: 'ConfigMap', metadata: { name: 'm0' } })
    const none = await kube.call({ path: `${maps}/m0?includeObject=None`, accept: table })
    expect(none.body.rows[0].object ?? null).toBeNull()
  })

  it('give only metadata when asked', async () => {
    const accept = 'application/json;as=PartialObjectMetadataList;v=v1;g=meta.k8s.io'
    const { body } = await kube.call({ path: `${maps}?${selected}`, accept })
    expect(body).toMatchObject({ kind: 'PartialObjectMetadataList', apiVersion: 'meta.k8s.io/v1' })
    expect(Object.keys(body.items[0]).sort()).toEqual(['apiVersion', 'kind', 'metadata'])
  })

  it('have the columns of pods', async () => {
    const name = uniqueName('table')
    await kube.create(pods, { metadata: { name }, spec: { containers: [{ name: 'c', image: 'i' }] } })
    const { body } = await kube.call({ path: `${pods}/${name}`, accept: table })
    expect(body.columnDefinitions.map((column: { name: string }) => column.name)).toEqual([
      'Name',
      'Ready',
      'Status',
      'Restarts',
      'Age',
      'IP',
      'Node',
      'Nominated Node',
      'Readiness Gates',
    ])
    // A number before v1.22, which added when the last one was.
    const restarts = (await minorOf(kube)) < 22 ? 0 : '0'
    expect(body.rows[0].cells.slice(0, 4)).toEqual([name, '0/1', 'Pending', restarts])
    await kube.call({ method: 'DELETE', path: `${pods}/${name}`, body: { gracePeriodSeconds: 0 } })
  })

  it('refuse a form that nobody serves', async () => {
    const reply = await kube.call({ path: maps, accept: 'application/x-unheard-of' })
    expect(reply.code).toBe(406)
    expect(reply.body).toMatchObject({ kind: 'Status', code: 406, reason: 'NotAcceptable' })
  })
})
