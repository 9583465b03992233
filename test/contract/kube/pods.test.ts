import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Body, type Kube, makeNamespace, openKube, uniqueName } from '../../support/kube.ts'

let kube: Kube
let namespace: Awaited<ReturnType<typeof makeNamespace>>
let pods: string
const nodes: string[] = []

beforeAll(async () => {
  kube = await openKube()
  namespace = await makeNamespace(kube)
  pods = `/api/v1/namespaces/${namespace.name}/pods`
})

afterAll(async () => {
  for (const name of nodes) await kube.call({ method: 'DELETE', path: `/api/v1/nodes/${name}` })
  await namespace?.remove()
  await kube?.close()
})

async function makePod(spec: object = {}): Promise<Body> {
  const { body } = await kube.create(pods, {
    metadata: { name: uniqueName('pod') },
    spec: { containers: [{ name: 'main', image: 'example.com/app' }], ...spec },
  })
  expect(body.kind).toBe('Pod')
  return body
}

const pathOf = ({ metadata }: Body) => `${pods}/${metadata.name}`
const status = (path: string, body: unknown) =>
  kube.call({ method: 'PATCH', path: `${path}/status`, body, type: 'application/merge-patch+json' })

describe('pods', () => {
  it('get their defaults, and no status of the client', async () => {
    const { body } = await kube.create(pods, {
      metadata: { name: uniqueName('pod') },
      spec: { containers: [{ name: 'main', image: 'example.com/app' }] },
      status: { phase: 'Running' },
    })
    expect(body.spec).toMatchObject({
      restartPolicy: 'Always',
      dnsPolicy: 'ClusterFirst',
      terminationGracePeriodSeconds: 30,
      schedulerName: 'default-scheduler',
      containers: [{ imagePullPolicy: 'Always', terminationMessagePath: '/dev/termination-log' }],
    })
    expect(body.status).toMatchObject({ phase: 'Pending', qosClass: 'BestEffort' })
  })

  it('are refused with the fields that are wrong', async () => {
    const { body } = await kube.create(pods, { metadata: { name: 'p' }, spec: { containers: [{ name: 'Bad_Name' }] } })
    expect(body).toMatchObject({ kind: 'Status', code: 422, reason: 'Invalid' })
    const fields = body.details.causes.map(({ field }: { field: string }) => field)
    expect(fields).toEqual(expect.arrayContaining(['spec.containers[0].name', 'spec.containers[0].image']))
  })

  it('are bound once', async () => {
    const pod = await makePod()
    const binding = {
      apiVersion: 'v1',
      kind: 'Binding',
      metadata: { name: pod.metadata.name },
      target: { kind: 'Node', name: 'n1' },
    }
    const other = await kube.create(`${pathOf(pod)}/binding`, { ...binding, metadata: { name: 'other' } })
    expect(other.body).toMatchObject({ code: 400, reason: 'BadRequest' })
    const bound = await kube.create(`${pathOf(pod)}/binding`, binding)
    expect(bound.code).toBe(201)
    expect(bound.body).toMatchObject({ kind: 'Status', status: 'Success' })
    const { body } = await kube.get(pathOf(pod))
    expect(body.spec.nodeName).toBe('n1')
    expect(body.status.conditions).toContainEqual(expect.objectContaining({ type: 'PodScheduled', status: 'True' }))
    expect((await kube.create(`${pathOf(pod)}/binding`, binding)).body).toMatchObject({ code: 409, reason: 'Conflict' })
    await kube.call({ method: 'DELETE', path: pathOf(pod), body: { gracePeriodSeconds: 0 } })
  })

  it('have a status that only the status subresource writes', async () => {
    const pod = await makePod()
    const done = await status(pathOf(pod), { status: { phase: 'Running' }, spec: { nodeName: 'sneaked' } })
    expect(done.code).toBe(200)
    expect(done.body.status.phase).toBe('Running')
    expect(done.body.spec.nodeName).toBeUndefined()
    const patched = await kube.call({
      method: 'PATCH',
      path: pathOf(pod),
      body: { status: { phase: 'Failed' }, metadata: { labels: { a: 'b' } } },
      type: 'application/merge-patch+json',
    })
    expect(patched.body.status.phase).toBe('Running')
    expect(patched.body.metadata.labels).toEqual({ a: 'b' })
    expect((await kube.get(`${pathOf(pod)}/status`)).body.status.phase).toBe('Running')
  })

  it('go at once while they are on no node', async () => {
    const pod = await makePod()
    const reply = await kube.call({ method: 'DELETE', path: pathOf(pod) })
    expect(reply.code).toBe(200)
    expect(reply.body.metadata.name).toBe(pod.metadata.name)
    expect((await kube.get(pathOf(pod))).code).toBe(404)
  })

  it('stay for their grace period while they are on a node, until the node says they are gone', async () => {
    const pod = await makePod({ nodeName: 'n1', terminationGracePeriodSeconds: 20 })
    const reply = await kube.call({ method: 'DELETE', path: pathOf(pod) })
    expect(reply.body.metadata).toMatchObject({ deletionGracePeriodSeconds: 20 })
    expect(Date.parse(reply.body.metadata.deletionTimestamp)).toBeGreaterThan(Date.now() + 10_000)
    const shorter = await kube.call({ method: 'DELETE', path: pathOf(pod), body: { gracePeriodSeconds: 5 } })
    expect(shorter.body.metadata.deletionGracePeriodSeconds).toBe(5)
    expect((await kube.get(pathOf(pod))).code).toBe(200)
    await kube.call({ method: 'DELETE', path: pathOf(pod), body: { gracePeriodSeconds: 0 } })
    expect((await kube.get(pathOf(pod))).code).toBe(404)
  })

  it('are selected by their node', async () => {
    const pod = await makePod({ nodeName: 'n7' })
    const { body } = await kube.get(`${pods}?fieldSelector=spec.nodeName%3Dn7`)
    expect(body.items.map((one: Body) => one.metadata.name)).toEqual([pod.metadata.name])
    await kube.call({ method: 'DELETE', path: pathOf(pod), body: { gracePeriodSeconds: 0 } })
  })

  it('cannot be changed where Kubernetes does not allow it', async () => {
    const pod = await makePod()
    const reply = await kube.call({
      method: 'PATCH',
      path: pathOf(pod),
      body: { spec: { restartPolicy: 'Never' } },
      type: 'application/merge-patch+json',
    })
    expect(reply.body).toMatchObject({ code: 422, reason: 'Invalid' })
    expect(reply.body.details.causes[0]).toMatchObject({ reason: 'FieldValueForbidden', field: 'spec' })
  })
})

describe('nodes', () => {
  it('keep their status apart', async () => {
    const name = uniqueName('node')
    nodes.push(name)
    const { body } = await kube.create('/api/v1/nodes', { metadata: { name } })
    expect(body).toMatchObject({ kind: 'Node', metadata: { name } })
    const condition = { type: 'Ready', status: 'True', reason: 'Test', message: '' }
    const done = await status(`/api/v1/nodes/${name}`, { status: { conditions: [condition] } })
    expect(done.body.status.conditions[0]).toMatchObject({ type: 'Ready', status: 'True' })
    const cordoned = await kube.call({
      method: 'PATCH',
      path: `/api/v1/nodes/${name}`,
      body: { spec: { unschedulable: true } },
      type: 'application/strategic-merge-patch+json',
    })
    expect(cordoned.body.status.conditions).toHaveLength(1)
    const found = await kube.get(`/api/v1/nodes?fieldSelector=spec.unschedulable%3Dtrue,metadata.name%3D${name}`)
    expect(found.body.items).toHaveLength(1)
  })
})

describe('leases', () => {
  it('keep microseconds', async () => {
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace.name}/leases`
    const spec = { holderIdentity: 'me', leaseDurationSeconds: 40, renewTime: '2026-01-02T03:04:05.678901Z' }
    const { body } = await kube.create(leases, { metadata: { name: 'l' }, spec })
    expect(body.spec).toEqual(spec)
  })
})

describe('leases and events', () => {
  it('are made by an update, where they are not there', async () => {
    const leases = `/apis/coordination.k8s.io/v1/namespaces/${namespace.name}/leases`
    const events = `/api/v1/namespaces/${namespace.name}/events`
    const involvedObject = { kind: 'Pod', name: 'p', namespace: namespace.name }
    for (const [path, content] of Object.entries({ [leases]: { spec: {} }, [events]: { involvedObject } })) {
      const name = uniqueName('by-update')
      const put = (body: object) => kube.call({ method: 'PUT', path: `${path}/${name}`, body })
      const { code, body } = await put({ metadata: { name }, ...content })
      expect([code, body.metadata.name]).toEqual([201, name])
      expect((await put({ metadata: { name: 'other' }, ...content })).code).toBe(400)
      await kube.call({ method: 'DELETE', path: `${path}/${name}` })
      expect((await put({ ...body, ...content })).code).not.toBe(201)
    }
  })
})

describe('events', () => {
  it('are the same in core and events.k8s.io', async () => {
    const name = uniqueName('event')
    const core = `/api/v1/namespaces/${namespace.name}/events`
    await kube.create(core, {
      metadata: { name },
      involvedObject: { kind: 'Pod', name: 'p', namespace: namespace.name },
      reason: 'Started',
      message: 'It started',
      type: 'Normal',
      count: 2,
      source: { component: 'edge' },
    })
    const newer = await kube.get(`/apis/events.k8s.io/v1/namespaces/${namespace.name}/events/${name}`)
    expect(newer.body).toMatchObject({
      apiVersion: 'events.k8s.io/v1',
      kind: 'Event',
      regarding: { kind: 'Pod', name: 'p' },
      note: 'It started',
      deprecatedCount: 2,
      deprecatedSource: { component: 'edge' },
    })
    const found = await kube.get(`${core}?fieldSelector=involvedObject.name%3Dp,involvedObject.kind%3DPod`)
    expect(found.body.items.map((one: Body) => one.metadata.name)).toContain(name)
  })
})
