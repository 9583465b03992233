import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import {
  type Body,
  type Kube,
  makeNamespace,
  minorOf,
  openKube,
  type Reply,
  since,
  uniqueName,
} from '../../support/kube.ts'

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

function expectStatus(reply: Reply, code: number, reason: string): void {
  expect(reply.body).toMatchObject({ kind: 'Status', apiVersion: 'v1', status: 'Failure', code, reason })
  expect(reply.code).toBe(code)
}

describe('discovery', () => {
  it('knows the groups and their resources', async () => {
    expect((await kube.get('/api')).body).toMatchObject({ kind: 'APIVersions', versions: ['v1'] })
    const { body } = await kube.get('/apis')
    expect(body.kind).toBe('APIGroupList')
    const names = body.groups.map(({ name }: Body) => name)
    expect(names).toEqual(expect.arrayContaining(['apiextensions.k8s.io', 'coordination.k8s.io', 'events.k8s.io']))
    const core = (await kube.get('/api/v1')).body
    expect(core).toMatchObject({ kind: 'APIResourceList', groupVersion: 'v1' })
    const resources = core.resources.map(({ name }: Body) => name)
    expect(resources).toEqual(expect.arrayContaining(['pods', 'pods/status', 'pods/binding', 'nodes', 'secrets']))
    const pods = core.resources.find(({ name }: Body) => name === 'pods')
    // Empty before v1.27.
    expect(pods.singularName).toBe((await minorOf(kube)) < 27 ? '' : 'pod')
    expect(pods).toMatchObject({ namespaced: true, kind: 'Pod', shortNames: ['po'] })
    expect([...pods.verbs].sort()).toEqual([
      'create',
      'delete',
      'deletecollection',
      'get',
      'list',
      'patch',
      'update',
      'watch',
    ])
  })

  it.each(['v2', 'v2beta1'])('comes at once, in %s', async (version) => {
    const accept = `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList,application/json`
    const reply = await kube.call({ path: '/apis', accept })
    // Older and newer clusters speak only one of the two.
    if (reply.body.kind === 'APIGroupList') return
    expect(reply.headers['content-type']).toBe(
      `application/json;g=apidiscovery.k8s.io;v=${version};as=APIGroupDiscoveryList`,
    )
    const leases = reply.body.items.find(({ metadata }: Body) => metadata.name === 'coordination.k8s.io')
    expect(leases.versions[0].resources[0]).toMatchObject({
      resource: 'leases',
      responseKind: { group: 'coordination.k8s.io', version: 'v1', kind: 'Lease' },
      scope: 'Namespaced',
      singularResource: 'lease',
    })
  })

  it('says its version and that it is well', async () => {
    expect((await kube.get('/version')).body.gitVersion).toMatch(/^v1\.\d+\.\d+/)
    for (const path of ['/healthz', '/livez', '/readyz']) {
      const reply = await kube.get(path)
      expect([reply.code, reply.text]).toEqual([200, 'ok'])
    }
  })

  it('describes its kinds', async () => {
    const { body } = await kube.get('/openapi/v2')
    expect(body.swagger).toBe('2.0')
    expect(body.definitions['io.k8s.api.core.v1.Pod']['x-kubernetes-group-version-kind']).toEqual([
      { group: '', version: 'v1', kind: 'Pod' },
    ])
  })

  it('describes its kinds group by group', async ({ skip }) => {
    await since({ kube, minor: 24, what: 'OpenAPI v3', skip })
    const { body } = await kube.get('/openapi/v3')
    const { serverRelativeURL } = body.paths['api/v1']
    const document = (await kube.get(serverRelativeURL)).body
    expect(document.openapi).toMatch(/^3\./)
    const kinds = Object.values<Body>(document.components.schemas).flatMap(
      (schema) => schema['x-kubernetes-group-version-kind'] ?? [],
    )
    expect(kinds).toContainEqual({ group: '', version: 'v1', kind: 'Pod' })
  })
})

describe('what is not served', () => {
  it.each(['/api/v2', '/apis/none.example/v1', '/api/v1/nothings', '/apis/none.example', '/nowhere'])(
    '%s is not found',
    async (path) => {
      expect((await kube.get(path)).code).toBe(404)
    },
  )

  it('says which methods do not go', async () => {
    expectStatus(await kube.call({ method: 'PUT', path: maps, body: {} }), 405, 'MethodNotAllowed')
    expectStatus(await kube.call({ method: 'POST', path: `${maps}/a`, body: {} }), 405, 'MethodNotAllowed')
    expectStatus(await kube.create('/api/v1/configmaps', { metadata: { name: 'a' } }), 405, 'MethodNotAllowed')
  })

  it('says what options make no sense', async () => {
    const path = `${maps}/none`
    const policy = await kube.call({ method: 'DELETE', path, body: { propagationPolicy: 'Some' } })
    expectStatus(policy, 422, 'Invalid')
    expect(policy.body.details.causes).toMatchObject([{ reason: 'FieldValueNotSupported', field: 'propagationPolicy' }])
    expectStatus(await kube.call({ method: 'DELETE', path: `${path}?gracePeriodSeconds=soon` }), 400, 'BadRequest')
    const manager = await kube.create(`${maps}?fieldManager=${'x'.repeat(129)}`, {
      metadata: { name: uniqueName('map') },
    })
    expect(manager.body).toMatchObject({ code: 422, details: { causes: [{ field: 'fieldManager' }] } })
    expectStatus(await kube.call({ method: 'PUT', path, body: { metadata: { name: 'other' } } }), 400, 'BadRequest')
    expectStatus(await kube.get(`${path}?watch=1&timeoutSeconds=1`), 404, 'NotFound')
    expect((await kube.call({ method: 'HEAD', path: maps })).code).toBe(405)
    expect((await kube.get(`${maps}?limit=-1`)).code).toBe(200)
  })

  it('refuses other media types', async () => {
    const made = { method: 'POST', path: maps, body: 'a=b', type: 'application/x-www-form-urlencoded' }
    expectStatus(await kube.call(made), 415, 'UnsupportedMediaType')
    const name = uniqueName('map')
    await kube.create(maps, { metadata: { name } })
    const patched = await kube.call({ method: 'PATCH', path: `${maps}/${name}`, body: '{}', type: 'text/plain' })
    expectStatus(patched, 415, 'UnsupportedMediaType')
  })

  it('refuses bodies that do not parse', async () => {
    for (const body of ['{', '[]', '"a"', '{"metadata": []}', '']) {
      const reply = await kube.call({ method: 'POST', path: maps, body })
      expectStatus(reply, 400, 'BadRequest')
    }
  })

  it('refuses bodies over 3 MiB', async () => {
    const body = JSON.stringify({ metadata: { name: 'big' }, data: { a: 'x'.repeat(4 * 1024 * 1024) } })
    const reply = await kube.call({ method: 'POST', path: maps, body }).catch(() => undefined)
    // Either the answer arrives, or the connection was closed under the sender.
    if (reply !== undefined) expectStatus(reply, 413, 'RequestEntityTooLarge')
  })

  it('refuses who is not known', async () => {
    // The connection itself may say who it is, by a certificate.
    if (!kube.embedded) return
    const reply = await kube.call({ path: maps, headers: { authorization: 'Bearer nobody' } })
    expectStatus(reply, 401, 'Unauthorized')
  })
})

describe('fields that are named twice', () => {
  const twice = (name: string) => `{"metadata":{"name":"${name}"},"data":{"a":"1","b":"2","a":"3"}}`

  it('are warned of, refused when strict, and count for the last time otherwise', async ({ skip }) => {
    await since({ kube, minor: 25, what: 'fieldValidation', skip })
    const post = (query: string) => kube.call({ method: 'POST', path: maps + query, body: twice(uniqueName('map')) })
    const warned = await post('')
    expect([warned.code, warned.body.data]).toEqual([201, { a: '3', b: '2' }])
    expect(warned.headers.warning).toContain('duplicate field \\"data.a\\"')
    const refused = await post('?fieldValidation=Strict')
    expectStatus(refused, 400, 'BadRequest')
    expect(refused.body.message).toContain('strict decoding error: duplicate field "data.a"')
    expect((await post('?fieldValidation=Ignore')).headers.warning).toBeUndefined()
  })

  it('are found in a patch', async ({ skip }) => {
    await since({ kube, minor: 25, what: 'fieldValidation', skip })
    const { body } = await kube.create(maps, { metadata: { name: uniqueName('map') } })
    const merge = { method: 'PATCH', body: '{"data":{"a":"1","a":"2"}}', type: 'application/merge-patch+json' }
    const path = `${maps}/${body.metadata.name}`
    const refused = await kube.call({ ...merge, path: `${path}?fieldValidation=Strict` })
    expectStatus(refused, 422, 'Invalid')
    expect(refused.body.message).toContain('duplicate field "data.a"')
    const warned = await kube.call({ ...merge, path })
    expect([warned.code, warned.body.data]).toEqual([200, { a: '2' }])
    expect(warned.headers.warning).toContain('duplicate field \\"data.a\\"')
  })

  it('are found in YAML', async ({ skip }) => {
    await since({ kube, minor: 25, what: 'fieldValidation', skip })
    const body = `metadata:\n  name: ${uniqueName('map')}\ndata:\n  a: "1"\n  a: "2"\n`
    const post = (query: string) => kube.call({ method: 'POST', path: maps + query, body, type: 'application/yaml' })
    const refused = await post('?fieldValidation=Strict')
    expectStatus(refused, 400, 'BadRequest')
    expect(refused.body.message).toContain('line 5: key "a" already set in map')
    const warned = await post('')
    expect([warned.code, warned.body.data]).toEqual([201, { a: '2' }])
  })
})

describe('patches', () => {
  const patch = (path: string, type: string, body: unknown) =>
    kube.call({ method: 'PATCH', path, body, type: `application/${type}+json` })

  async function made(): Promise<string> {
    const { body } = await kube.create(maps, {
      metadata: { name: uniqueName('map'), labels: { a: '1', b: '2' } },
      data: { x: '1' },
    })
    return `${maps}/${body.metadata.name}`
  }

  it('merge', async () => {
    const { body } = await patch(await made(), 'merge-patch', { data: { x: null, y: '2' } })
    expect(body.data).toEqual({ y: '2' })
  })

  it('follow RFC 6902', async () => {
    const path = await made()
    const { body } = await patch(path, 'json-patch', [
      { op: 'test', path: '/data/x', value: '1' },
      { op: 'add', path: '/data/y', value: '2' },
      { op: 'remove', path: '/metadata/labels/a' },
    ])
    expect(body.data).toEqual({ x: '1', y: '2' })
    expect(body.metadata.labels).toEqual({ b: '2' })
    const failed = await patch(path, 'json-patch', [{ op: 'test', path: '/data/x', value: '9' }])
    expectStatus(failed, 422, 'Invalid')
    expectStatus(await patch(path, 'json-patch', { op: 'add' }), 400, 'BadRequest')
  })

  it('merge lists by their keys', async () => {
    const pods = `/api/v1/namespaces/${namespace.name}/pods`
    const containers = [
      { name: 'a', image: 'one' },
      { name: 'b', image: 'two' },
    ]
    const created = await kube.create(pods, { metadata: { name: uniqueName('pod') }, spec: { containers } })
    const path = `${pods}/${created.body.metadata.name}`
    const { body } = await patch(path, 'strategic-merge-patch', {
      spec: { containers: [{ name: 'b', image: 'three' }] },
    })
    expect(body.spec.containers.map(({ name, image }: Body) => [name, image])).toEqual(
      expect.arrayContaining([
        ['a', 'one'],
        ['b', 'three'],
      ]),
    )
    await kube.call({ method: 'DELETE', path, body: { gracePeriodSeconds: 0 } })
  })

  it('keep to a resourceVersion when they name one', async () => {
    const path = await made()
    const reply = await patch(path, 'merge-patch', { metadata: { resourceVersion: '1' }, data: { x: '2' } })
    expectStatus(reply, 409, 'Conflict')
  })

  it('are refused as patches when they lead to what cannot be read', async () => {
    const path = await made()
    for (const [type, body] of [
      ['merge-patch', { metadata: { generation: 'one' } }],
      ['json-patch', [{ op: 'add', path: '/metadata/generation', value: 'one' }]],
    ] as const) {
      const reply = await patch(path, type, body)
      expectStatus(reply, 422, 'Invalid')
      expect(reply.body.details.causes).toMatchObject([{ reason: 'FieldValueInvalid', field: 'patch' }])
    }
  })

  it('cannot rename', async () => {
    expectStatus(await patch(await made(), 'merge-patch', { metadata: { name: 'other' } }), 400, 'BadRequest')
  })
})

describe('reviews', () => {
  it('say what one may', async () => {
    const access = await kube.create('/apis/authorization.k8s.io/v1/selfsubjectaccessreviews', {
      spec: { resourceAttributes: { verb: 'create', resource: 'configmaps', namespace: namespace.name } },
    })
    expect(access.code).toBe(201)
    expect(access.body.status.allowed).toBe(true)
  })

  it('must say what they ask about, and whom', async () => {
    const group = '/apis/authorization.k8s.io/v1'
    for (const [kind, spec, field] of [
      ['selfsubjectaccessreviews', {}, 'spec.resourceAttributes'],
      ['subjectaccessreviews', { resourceAttributes: { verb: 'get', resource: 'pods' } }, 'spec.user'],
    ] as const) {
      const reply = await kube.create(`${group}/${kind}`, { spec })
      expectStatus(reply, 422, 'Invalid')
      expect(reply.body.details.causes).toMatchObject([{ reason: 'FieldValueInvalid', field }])
    }
  })

  it('say who one is', async ({ skip }) => {
    await since({ kube, minor: 28, what: 'SelfSubjectReview', skip })
    const self = await kube.create('/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
    expect(self.body.status.userInfo.username).toBeTruthy()
  })
})
