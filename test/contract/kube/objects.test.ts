import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Kube, makeNamespace, openKube, type Reply, since, uniqueName } from '../../support/kube.ts'

let kube: Kube
let namespace: Awaited<ReturnType<typeof makeNamespace>>
let maps: string

beforeAll(async () => {
  kube = await openKube()
  namespace = await makeNamespace(kube)
  maps = `/api/v1/namespaces/${namespace.name}/configmaps`
})

afterAll(async () => {
  await namespace?.remove()
  await kube?.close()
})

const put = (path: string, body: unknown) => kube.call({ method: 'PUT', path, body })
const remove = (path: string, body?: unknown) => kube.call({ method: 'DELETE', path, ...(body ? { body } : {}) })

async function made(name = uniqueName('map'), more: object = {}): Promise<Reply> {
  const reply = await kube.create(maps, { metadata: { name }, data: { a: '1' }, ...more })
  expect(reply.code).toBe(201)
  return reply
}

function expectStatus(reply: Reply, code: number, reason: string): void {
  expect(reply.body).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason })
  expect(reply.code).toBe(code)
}

describe('create', () => {
  it('says what only the server can say', async () => {
    const { body } = await kube.create(maps, {
      apiVersion: 'v1',
      kind: 'ConfigMap',
      metadata: { name: uniqueName('map'), uid: 'mine', creationTimestamp: '2001-01-01T00:00:00Z' },
    })
    expect(body).toMatchObject({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: namespace.name } })
    expect(body.metadata.uid).toMatch(/^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/)
    expect(body.metadata.creationTimestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(body.metadata.creationTimestamp).not.toMatch(/^2001/)
    expect(body.metadata.resourceVersion).toMatch(/^[1-9]\d*$/)
  })

  it('makes a name from generateName', async () => {
    const { body } = await kube.create(maps, { metadata: { generateName: 'gen-' } })
    expect(body.metadata.name).toMatch(/^gen-[a-z0-9]{5}$/)
    expect(body.metadata.generateName).toBe('gen-')
  })

  it('refuses a second object of the same name', async () => {
    const { name } = (await made()).body.metadata
    const reply = await kube.create(maps, { metadata: { name } })
    expectStatus(reply, 409, 'AlreadyExists')
    expect(reply.body.message).toBe(`configmaps "${name}" already exists`)
    expect(reply.body.details).toEqual({ name, kind: 'configmaps' })
  })

  it('needs a namespace that exists', async () => {
    const reply = await kube.create('/api/v1/namespaces/kedge-none/configmaps', { metadata: { name: 'a' } })
    expectStatus(reply, 404, 'NotFound')
    expect(reply.body.message).toBe('namespaces "kedge-none" not found')
  })

  it('refuses another namespace, version, kind than the path says, and a resourceVersion', async () => {
    const metadata = { name: 'a' }
    expectStatus(await kube.create(maps, { metadata: { name: 'a', namespace: 'other' } }), 400, 'BadRequest')
    expectStatus(await kube.create(maps, { apiVersion: 'v2', kind: 'ConfigMap', metadata }), 400, 'BadRequest')
    expectStatus(await kube.create(maps, { apiVersion: 'v1', kind: 'Secret', metadata }), 400, 'BadRequest')
    const versioned = await kube.create(maps, { metadata: { name: 'a', resourceVersion: '1' } })
    expect(versioned.body).toMatchObject({
      ...{ kind: 'Status', code: 500 },
      message: 'resourceVersion should not be set on objects to be created',
    })
    expect(versioned.body.reason).toBeUndefined()
  })

  it('names the fields that are wrong', async () => {
    const reply = await kube.create(maps, { metadata: { name: 'No_Good' } })
    expectStatus(reply, 422, 'Invalid')
    expect(reply.body.message).toMatch(/^ConfigMap "No_Good" is invalid: metadata\.name: Invalid value: "No_Good": /)
    expect(reply.body.details).toMatchObject({ name: 'No_Good', kind: 'ConfigMap' })
    expect(reply.body.details.causes[0]).toMatchObject({ reason: 'FieldValueInvalid', field: 'metadata.name' })
    const nameless = await kube.create(maps, { metadata: {} })
    expectStatus(nameless, 422, 'Invalid')
    expect(nameless.body.details.causes[0]).toMatchObject({ reason: 'FieldValueRequired', field: 'metadata.name' })
  })

  it('does as if, for a dry run', async () => {
    const name = uniqueName('dry')
    const reply = await kube.create(`${maps}?dryRun=All`, { metadata: { name } })
    expect(reply.code).toBe(201)
    expect(reply.body.metadata.uid).toBeTruthy()
    expect((await kube.get(`${maps}/${name}`)).code).toBe(404)
    expectStatus(await kube.create(`${maps}?dryRun=Perhaps`, { metadata: { name } }), 422, 'Invalid')
  })

  it('warns of unknown fields, refuses them when strict, is silent when told', async ({ skip }) => {
    await since({ kube, minor: 25, what: 'fieldValidation', skip })
    const body = () => ({ metadata: { name: uniqueName('map') }, dada: {} })
    const warned = await kube.create(`${maps}?fieldValidation=Warn`, body())
    expect(warned.code).toBe(201)
    expect(warned.headers.warning).toContain('299 - "unknown field \\"dada\\""')
    const strict = await kube.create(`${maps}?fieldValidation=Strict`, body())
    expectStatus(strict, 400, 'BadRequest')
    expect(strict.body.message).toContain('strict decoding error: unknown field "dada"')
    const ignored = await kube.create(`${maps}?fieldValidation=Ignore`, body())
    expect(ignored.code).toBe(201)
    expect(ignored.headers.warning).toBeUndefined()
  })

  it('takes YAML', async () => {
    const name = uniqueName('yaml')
    const body = `apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: ${name}\ndata:\n  a: "1"\n`
    const reply = await kube.call({ method: 'POST', path: maps, body, type: 'application/yaml' })
    expect(reply.code).toBe(201)
    expect(reply.body.data).toEqual({ a: '1' })
  })
})

describe('get', () => {
  it('gives what was created', async () => {
    const { body } = await made()
    const again = await kube.get(`${maps}/${body.metadata.name}`)
    expect(again.code).toBe(200)
    expect(again.body).toEqual(body)
  })

  it('says what is not there', async () => {
    const reply = await kube.get(`${maps}/none`)
    expectStatus(reply, 404, 'NotFound')
    expect(reply.body.message).toBe('configmaps "none" not found')
    expect(reply.body.details).toEqual({ name: 'none', kind: 'configmaps' })
  })
})

describe('update', () => {
  it('replaces the object and moves its resourceVersion', async () => {
    const { body } = await made()
    const reply = await put(`${maps}/${body.metadata.name}`, { ...body, data: { b: '2' } })
    expect(reply.code).toBe(200)
    expect(reply.body.data).toEqual({ b: '2' })
    expect(reply.body.metadata).toMatchObject({
      uid: body.metadata.uid,
      creationTimestamp: body.metadata.creationTimestamp,
    })
    expect(Number(reply.body.metadata.resourceVersion)).toBeGreaterThan(Number(body.metadata.resourceVersion))
  })

  it('refuses an older resourceVersion', async () => {
    const { body } = await made()
    const path = `${maps}/${body.metadata.name}`
    await put(path, { ...body, data: { b: '2' } })
    const reply = await put(path, { ...body, data: { c: '3' } })
    expectStatus(reply, 409, 'Conflict')
    expect(reply.body.message).toBe(
      `Operation cannot be fulfilled on configmaps "${body.metadata.name}": the object has been modified; please apply your changes to the latest version and try again`,
    )
  })

  it('overwrites without a resourceVersion, and writes nothing when nothing changes', async () => {
    const { body } = await made()
    const path = `${maps}/${body.metadata.name}`
    const changed = await put(path, { metadata: { name: body.metadata.name }, data: { z: '1' } })
    expect(changed.code).toBe(200)
    const same = await put(path, changed.body)
    expect(same.body.metadata.resourceVersion).toBe(changed.body.metadata.resourceVersion)
  })

  it('refuses another name, another uid, and what is not there', async () => {
    const { body } = await made()
    const path = `${maps}/${body.metadata.name}`
    expectStatus(await put(path, { ...body, metadata: { ...body.metadata, name: 'b' } }), 400, 'BadRequest')
    const other = { ...body, metadata: { ...body.metadata, uid: '11111111-2222-3333-4444-555555555555' } }
    expectStatus(await put(path, other), 409, 'Conflict')
    expectStatus(await put(`${maps}/none`, { metadata: { name: 'none' } }), 404, 'NotFound')
  })
})

describe('delete', () => {
  it('answers with what went', async () => {
    const { body } = await made()
    const path = `${maps}/${body.metadata.name}`
    const reply = await remove(path)
    expect(reply.code).toBe(200)
    expect(reply.body).toMatchObject({
      kind: 'Status',
      status: 'Success',
      details: { name: body.metadata.name, kind: 'configmaps', uid: body.metadata.uid },
    })
    expect((await kube.get(path)).code).toBe(404)
    expectStatus(await remove(path), 404, 'NotFound')
  })

  it('holds to preconditions', async () => {
    const { body } = await made()
    const path = `${maps}/${body.metadata.name}`
    const { uid, resourceVersion } = body.metadata
    expectStatus(await remove(path, { preconditions: { uid: 'other' } }), 409, 'Conflict')
    expectStatus(await remove(path, { preconditions: { resourceVersion: '1' } }), 409, 'Conflict')
    expect((await remove(path, { preconditions: { uid, resourceVersion } })).code).toBe(200)
  })

  it('waits for finalizers', async () => {
    const { body } = await made(undefined, {})
    const path = `${maps}/${body.metadata.name}`
    const held = { ...body, metadata: { ...body.metadata, finalizers: ['example.com/hold'] } }
    const before = (await put(path, held)).body
    const reply = await remove(path)
    expect(reply.code).toBe(200)
    expect(reply.body.metadata.deletionTimestamp).toBeTruthy()
    const marked = (await kube.get(path)).body
    expect(marked.metadata).toMatchObject({ finalizers: ['example.com/hold'], deletionGracePeriodSeconds: 0 })
    const more = { ...marked, metadata: { ...marked.metadata, finalizers: ['example.com/hold', 'example.com/more'] } }
    expectStatus(await put(path, more), 422, 'Invalid')
    const freed = await put(path, { ...marked, metadata: { ...marked.metadata, finalizers: [] } })
    expect(freed.code).toBe(200)
    expect(freed.body.metadata.uid).toBe(before.metadata.uid)
    expect((await kube.get(path)).code).toBe(404)
  })

  it('does as if, for a dry run', async () => {
    const { body } = await made()
    const path = `${maps}/${body.metadata.name}`
    expect((await remove(`${path}?dryRun=All`)).code).toBe(200)
    expect((await remove(path, { dryRun: ['All'] })).code).toBe(200)
    expect((await kube.get(path)).code).toBe(200)
  })

  it('takes a collection by selector', async () => {
    const labels = { batch: uniqueName('batch') }
    for (let i = 0; i < 3; i++) await made(undefined, { metadata: { generateName: 'del-', labels } })
    await made(undefined, { metadata: { generateName: 'stay-', labels: { stay: labels.batch } } })
    const reply = await remove(`${maps}?labelSelector=batch%3D${labels.batch}`)
    expect(reply.code).toBe(200)
    expect((await kube.get(`${maps}?labelSelector=batch%3D${labels.batch}`)).body.items).toEqual([])
    expect((await kube.get(`${maps}?labelSelector=stay%3D${labels.batch}`)).body.items).toHaveLength(1)
  })
})

describe('secrets', () => {
  it('encode stringData', async () => {
    const secrets = `/api/v1/namespaces/${namespace.name}/secrets`
    const name = uniqueName('secret')
    const { body } = await kube.create(secrets, { metadata: { name }, stringData: { key: 'väl' }, data: { a: 'Yg==' } })
    expect(body.data).toEqual({ key: Buffer.from('väl').toString('base64'), a: 'Yg==' })
    expect(body.stringData).toBeUndefined()
    expect(body.type).toBe('Opaque')
  })
})
