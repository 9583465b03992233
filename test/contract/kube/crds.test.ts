import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { eventually } from '../../support/eventually.ts'
import { type Body, type Kube, makeNamespace, minorOf, openKube, since, uniqueName } from '../../support/kube.ts'

let kube: Kube
let namespace: Awaited<ReturnType<typeof makeNamespace>>
const group = `${uniqueName('g')}.kedge.example`
const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
const definition = `${definitions}/lamps.${group}`
let lamps: string

const schema = {
  type: 'object',
  properties: {
    metadata: { type: 'object', properties: { name: { type: 'string', pattern: '^[^x]' } } },
    spec: {
      type: 'object',
      required: ['room'],
      properties: {
        room: { type: 'string', minLength: 1 },
        level: { type: 'integer', minimum: 0, maximum: 100, default: 50 },
        mode: { type: 'string', enum: ['auto', 'manual'], default: 'auto' },
        tags: { type: 'array', items: { type: 'string' } },
        free: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
      },
    },
    status: { type: 'object', properties: { on: { type: 'boolean' } } },
  },
}

function lampDefinition(): Body {
  const version = {
    served: true,
    schema: { openAPIV3Schema: schema },
    subresources: { status: {} },
    additionalPrinterColumns: [
      { name: 'Room', type: 'string', jsonPath: '.spec.room' },
      { name: 'Level', type: 'integer', jsonPath: '.spec.level', priority: 1 },
      { name: 'On', type: 'boolean', jsonPath: '.status.on' },
    ],
  }
  return {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: `lamps.${group}` },
    spec: {
      group,
      scope: 'Namespaced',
      names: { plural: 'lamps', singular: 'lamp', kind: 'Lamp', shortNames: ['lp'], categories: ['kedgetest'] },
      versions: [
        { name: 'v1', storage: true, ...version },
        { name: 'v1beta1', storage: false, deprecated: true, ...version },
      ],
    },
  }
}

beforeAll(async () => {
  kube = await openKube()
  namespace = await makeNamespace(kube)
  lamps = `/apis/${group}/v1/namespaces/${namespace.name}/lamps`
  const created = await kube.create(definitions, lampDefinition())
  expect(created.code).toBe(201)
  // A cluster needs a moment to serve what was defined.
  await eventually(async () => (await kube.get(lamps)).code === 200)
})

afterAll(async () => {
  await kube?.call({ method: 'DELETE', path: lamps })
  await kube?.call({ method: 'DELETE', path: definition })
  await namespace?.remove()
  await kube?.close()
})

const lamp = (spec: object, name = uniqueName('lamp')) => ({
  apiVersion: `${group}/v1`,
  kind: 'Lamp',
  metadata: { name },
  spec,
})
const merge = (path: string, body: unknown) =>
  kube.call({ method: 'PATCH', path, body, type: 'application/merge-patch+json' })

describe('a CustomResourceDefinition', () => {
  it('becomes established', async () => {
    const { body } = await kube.get(definition)
    const conditions = body.status.conditions.map(({ type, status }: Body) => [type, status])
    expect(conditions).toContainEqual(['NamesAccepted', 'True'])
    expect(conditions).toContainEqual(['Established', 'True'])
    expect(body.status.acceptedNames).toMatchObject({ plural: 'lamps', kind: 'Lamp', listKind: 'LampList' })
    expect(body.status.storedVersions).toEqual(['v1'])
  })

  it('is discovered', async () => {
    const { body } = await kube.get(`/apis/${group}/v1`)
    expect(body.kind).toBe('APIResourceList')
    expect(body.resources[0]).toMatchObject({ name: 'lamps', singularName: 'lamp', namespaced: true, kind: 'Lamp' })
    expect(body.resources[0].shortNames).toEqual(['lp'])
    expect(body.resources[1]).toMatchObject({ name: 'lamps/status', kind: 'Lamp' })
    const { body: found } = await kube.get(`/apis/${group}`)
    expect(found.preferredVersion.version).toBe('v1')
    expect(found.versions.map(({ version }: Body) => version)).toEqual(['v1', 'v1beta1'])
  })

  it('is refused when its schema makes no sense', async () => {
    const bad = lampDefinition()
    bad.metadata.name = `wrong.${group}`
    const { body } = await kube.create(definitions, bad)
    expect(body).toMatchObject({ code: 422, reason: 'Invalid' })
    expect(body.details.causes.map(({ field }: Body) => field)).toContain('metadata.name')
  })

  it('is refused when it describes what the API itself does', async () => {
    const bad = structuredClone(lampDefinition())
    bad.spec.versions[0].schema.openAPIV3Schema.properties.metadata = { type: 'object', required: ['labels'] }
    const { body } = await kube.create(definitions, bad)
    expect(body).toMatchObject({ code: 422, reason: 'Invalid' })
    expect(body.message).toContain('must not specify anything other than name and generateName')
  })
})

describe('custom resources', () => {
  it('get defaults, lose unknown fields, count generations', async () => {
    const sent = lamp({ room: 'hall', unknown: 1, free: { any: 'thing' } })
    const { body } = await kube.create(lamps, sent)
    expect(body.spec).toEqual({ room: 'hall', level: 50, mode: 'auto', free: { any: 'thing' } })
    expect(body.metadata.generation).toBe(1)
    const path = `${lamps}/${body.metadata.name}`
    expect((await merge(path, { metadata: { labels: { a: 'b' } } })).body.metadata.generation).toBe(1)
    expect((await merge(path, { spec: { level: 60 } })).body.metadata.generation).toBe(2)
    expect((await merge(`${path}/status`, { status: { on: true } })).body.metadata.generation).toBe(2)
  })

  it('are named as their definition says', async () => {
    const { body } = await kube.create(lamps, lamp({ room: 'hall' }, 'x-lamp'))
    expect(body).toMatchObject({ code: 422, details: { causes: [{ field: 'metadata.name' }] } })
    expect(body.message).toContain("metadata.name in body should match '^[^x]'")
  })

  it('warn of unknown fields', async ({ skip }) => {
    await since({ kube, minor: 25, what: 'a warning of unknown fields', skip })
    const { headers } = await kube.create(lamps, lamp({ room: 'hall', unknown: 1 }))
    expect(headers.warning).toContain('unknown field \\"spec.unknown\\"')
  })

  it('are refused with the fields that are wrong', async () => {
    const { body } = await kube.create(lamps, lamp({ level: 101, mode: 'party', tags: [1] }))
    expect(body).toMatchObject({ kind: 'Status', code: 422, reason: 'Invalid' })
    expect(body.message).toMatch(new RegExp(`^Lamp\\.${group} "lamp-\\w+" is invalid: `))
    const causes = Object.fromEntries(body.details.causes.map(({ field, reason }: Body) => [field, reason]))
    // Older clusters do not say which item of a list it is, and have no reason for a wrong type.
    const older = (await minorOf(kube)) < 25
    expect(causes).toMatchObject({
      'spec.room': 'FieldValueRequired',
      'spec.level': 'FieldValueInvalid',
      'spec.mode': 'FieldValueNotSupported',
      ...(older ? { 'spec.tags': 'FieldValueInvalid' } : { 'spec.tags[0]': 'FieldValueTypeInvalid' }),
    })
  })

  it('have a status apart', async () => {
    const { body } = await kube.create(lamps, { ...lamp({ room: 'hall' }), status: { on: true } })
    expect(body.status).toBeUndefined()
    const path = `${lamps}/${body.metadata.name}`
    expect((await merge(path, { status: { on: true } })).body.status).toBeUndefined()
    const { body: done } = await merge(`${path}/status`, { status: { on: true }, spec: { room: 'other' } })
    expect(done.status).toEqual({ on: true })
    expect(done.spec.room).toBe('hall')
  })

  it('need a resourceVersion to be replaced', async () => {
    const { body } = await kube.create(lamps, lamp({ room: 'hall' }))
    const path = `${lamps}/${body.metadata.name}`
    const { resourceVersion: _, ...metadata } = body.metadata
    const refused = await kube.call({ method: 'PUT', path, body: { ...body, metadata } })
    expect(refused.body).toMatchObject({ code: 422, reason: 'Invalid' })
    expect(refused.body.details.causes[0].field).toBe('metadata.resourceVersion')
    expect((await kube.call({ method: 'PUT', path, body })).code).toBe(200)
  })

  it('are served in every version', async () => {
    const { body } = await kube.create(lamps, lamp({ room: 'hall' }))
    const older = `/apis/${group}/v1beta1/namespaces/${namespace.name}/lamps`
    const reply = await kube.get(`${older}/${body.metadata.name}`)
    expect(reply.body).toEqual({ ...body, apiVersion: `${group}/v1beta1` })
    expect(reply.headers.warning).toContain('deprecated')
    const { body: list } = await kube.get(older)
    expect(list).toMatchObject({ apiVersion: `${group}/v1beta1`, kind: 'LampList' })
    const written = await kube.create(older, { ...lamp({ room: 'attic' }), apiVersion: `${group}/v1beta1` })
    expect((await kube.get(`${lamps}/${written.body.metadata.name}`)).body.apiVersion).toBe(`${group}/v1`)
  })

  it('print their columns', async () => {
    const name = uniqueName('lamp')
    await kube.create(lamps, lamp({ room: 'attic' }, name))
    const { body } = await kube.call({
      path: `${lamps}/${name}`,
      accept: 'application/json;as=Table;v=v1;g=meta.k8s.io',
    })
    expect(body.columnDefinitions.map((column: Body) => [column.name, column.priority])).toEqual([
      ['Name', 0],
      ['Room', 0],
      ['Level', 1],
      ['On', 0],
    ])
    expect(body.rows[0].cells).toEqual([name, 'attic', 50, null])
  })

  it('are watched', async () => {
    const from = (await kube.get(lamps)).body.metadata.resourceVersion
    const watch = await kube.watch(`${lamps}?watch=1&resourceVersion=${from}&timeoutSeconds=20`)
    const name = uniqueName('lamp')
    await kube.create(lamps, lamp({ room: 'attic' }, name))
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { kind: 'Lamp', metadata: { name } } })
    watch.close()
  })

  it('take a JSON patch and a merge patch, and no strategic merge patch', async () => {
    const { body } = await kube.create(lamps, lamp({ room: 'hall', tags: ['a'] }))
    const path = `${lamps}/${body.metadata.name}`
    const json = await kube.call({
      method: 'PATCH',
      path,
      body: [{ op: 'add', path: '/spec/tags/-', value: 'b' }],
      type: 'application/json-patch+json',
    })
    expect(json.body.spec.tags).toEqual(['a', 'b'])
    const strategic = await kube.call({
      method: 'PATCH',
      path,
      body: {},
      type: 'application/strategic-merge-patch+json',
    })
    expect(strategic.body).toMatchObject({ kind: 'Status', code: 415, reason: 'UnsupportedMediaType' })
  })

  it('are read as their definition describes them now', async () => {
    const changing = lampDefinition()
    changing.metadata.name = `lanterns.${group}`
    changing.spec.names = { plural: 'lanterns', singular: 'lantern', kind: 'Lantern' }
    const its = `${definitions}/lanterns.${group}`
    const lanterns = `/apis/${group}/v1/namespaces/${namespace.name}/lanterns`
    await kube.create(definitions, changing)
    await eventually(async () => (await kube.get(lanterns)).code === 200)
    const sent = { ...lamp({ room: 'hall', tags: ['a'] }, 'old'), kind: 'Lantern' }
    expect((await kube.create(lanterns, sent)).code).toBe(201)
    expect((await kube.create(lanterns, { ...sent, metadata: { name: 'leaving' } })).code).toBe(201)

    const { tags: _, ...properties } = schema.properties.spec.properties
    const spec = {
      ...schema.properties.spec,
      properties: { ...properties, colour: { type: 'string', default: 'red' } },
    }
    const versions = changing.spec.versions.map((version: Body) => ({
      ...version,
      schema: { openAPIV3Schema: { ...schema, properties: { ...schema.properties, spec } } },
      additionalPrinterColumns: [{ name: 'Colour', type: 'string', jsonPath: '.spec.colour' }],
    }))
    expect((await merge(its, { spec: { versions } })).code).toBe(200)
    const now = { room: 'hall', level: 50, mode: 'auto', colour: 'red' }
    const path = `${lanterns}/old`
    await eventually(async () => (await kube.get(path)).body.spec.colour === 'red')
    const { body } = await kube.get(path)
    expect(body.spec).toEqual(now)
    const { body: list } = await kube.get(lanterns)
    expect(list.items.map((item: Body) => item.spec)).toEqual([now, now])
    const { body: table } = await kube.call({ path, accept: 'application/json;as=Table;v=v1;g=meta.k8s.io' })
    expect(table.rows[0].cells).toEqual(['old', 'red'])
    const watch = await kube.watch(`${lanterns}?watch=1&fieldSelector=metadata.name%3Dleaving&timeoutSeconds=20`)
    expect(await watch.next()).toMatchObject({ type: 'ADDED', object: { spec: now } })
    await kube.call({ method: 'DELETE', path: `${lanterns}/leaving` })
    const last = await watch.next()
    expect(last?.type).toBe('DELETED')
    expect(last?.object.spec).toEqual(now)
    watch.close()

    const test = [
      { op: 'test', path: '/spec/colour', value: 'red' },
      { op: 'replace', path: '/spec/level', value: 60 },
    ]
    const patched = await kube.call({ method: 'PATCH', path, body: test, type: 'application/json-patch+json' })
    expect(patched.body.spec).toEqual({ ...now, level: 60 })
    // What was written stays when the default is another.
    const blue = JSON.parse(JSON.stringify(versions).replaceAll('"red"', '"blue"'))
    expect((await merge(its, { spec: { versions: blue } })).code).toBe(200)
    await eventually(async () => {
      const probe = await kube.call({
        method: 'POST',
        path: `${lanterns}?dryRun=All`,
        body: { ...sent, metadata: { name: 'probe' } },
      })
      return probe.body.spec?.colour === 'blue'
    })
    expect((await kube.get(path)).body.spec).toEqual({ ...now, level: 60 })
    await kube.call({ method: 'DELETE', path: its })
  })

  it('go with their definition', async () => {
    const other = lampDefinition()
    other.metadata.name = `torches.${group}`
    other.spec.names = { plural: 'torches', singular: 'torch', kind: 'Torch' }
    await kube.create(definitions, other)
    const torches = `/apis/${group}/v1/namespaces/${namespace.name}/torches`
    await eventually(async () => (await kube.get(torches)).code === 200)
    await kube.create(torches, {
      apiVersion: `${group}/v1`,
      kind: 'Torch',
      metadata: { name: 't' },
      spec: { room: 'r' },
    })
    expect((await kube.call({ method: 'DELETE', path: `${definitions}/torches.${group}` })).code).toBe(200)
    await eventually(async () => (await kube.get(torches)).code === 404)
  })
})
