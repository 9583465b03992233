import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Body, type Kube, makeNamespace, openKube, uniqueName } from '../../support/kube.ts'

let kube: Kube
let namespace: Awaited<ReturnType<typeof makeNamespace>>

const csrs = '/apis/certificates.k8s.io/v1/certificatesigningrequests'
const made: string[] = []

beforeAll(async () => {
  kube = await openKube()
  namespace = await makeNamespace(kube)
})

afterAll(async () => {
  for (const path of made) await kube.call({ method: 'DELETE', path })
  await namespace?.remove()
  await kube?.close()
})

const put = (path: string, body: unknown) => kube.call({ method: 'PUT', path, body })
const merge = (path: string, body: unknown) =>
  kube.call({ method: 'PATCH', path, body, type: 'application/merge-patch+json' })

/** Of `CN=system:node:edge-7, O=system:nodes`; nobody has its key any more. */
const request = `-----BEGIN CERTIFICATE REQUEST-----
MIHwMIGWAgEAMDQxFTATBgNVBAoMDHN5c3RlbTpub2RlczEbMBkGA1UEAwwSc3lz
dGVtOm5vZGU6ZWRnZS03MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEXqDC6CsE
wq3kZJK8kyNHsV7ByrNh2rIKB9twbPqJsWhHGyfWJFC3CKpnwpbA8kZBkVvkERg0
pVnF0PdEhqSEJ6AAMAoGCCqGSM49BAMCA0kAMEYCIQDxPhPnJAsthp9LWjUA5BCi
/MCuKRTi/+xFoSkUarmRrAIhAJAAQO5BgpkS4KwX9ikbRLsevdZzF88RXsBGDD+e
5RFj
-----END CERTIFICATE REQUEST-----
`

async function newRequest(): Promise<{ path: string; body: Body }> {
  const name = uniqueName('csr')
  const spec = { request: Buffer.from(request).toString('base64'), signerName: 'example.com/edge' }
  const usages = ['digital signature', 'client auth']
  const { code, body, text } = await kube.create(csrs, { metadata: { name }, spec: { ...spec, usages } })
  expect(code, text).toBe(201)
  made.push(`${csrs}/${name}`)
  return { path: `${csrs}/${name}`, body }
}

const approved = { type: 'Approved', status: 'True', reason: 'Known', message: 'it is ours' }

describe('certificate signing requests', () => {
  it('say who asks, whoever the client says it is', async () => {
    const { body } = await newRequest()
    expect(body.spec.username).toBeTruthy()
    expect(body.spec.groups).toContain('system:authenticated')
    expect(body.status?.conditions).toBeUndefined()
  })

  it('are approved on their own path, with the times at which that was', async () => {
    const { path, body } = await newRequest()
    const others = await put(`${path}/status`, { ...body, status: { conditions: [approved] } })
    expect(others.code).toBe(422)
    const { code, body: done } = await put(`${path}/approval`, { ...body, status: { conditions: [approved] } })
    expect(code).toBe(200)
    const [condition] = done.status.conditions
    expect(condition).toMatchObject(approved)
    expect(condition.lastUpdateTime).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$/)
    expect(condition.lastTransitionTime).toBe(condition.lastUpdateTime)
    const denied = { ...approved, type: 'Denied' }
    const both = await put(`${path}/approval`, { ...done, status: { conditions: [condition, denied] } })
    expect(both.body).toMatchObject({ kind: 'Status', code: 422, reason: 'Invalid' })
  })

  it('keep the times of a condition that is written again, and take the certificate', async () => {
    const { path, body } = await newRequest()
    const first = (await put(`${path}/approval`, { ...body, status: { conditions: [approved] } })).body
    const times = { lastUpdateTime: '2020-01-01T00:00:00Z', lastTransitionTime: '2020-01-01T00:00:00Z' }
    const older = { ...first, status: { conditions: [{ ...approved, ...times }] } }
    const second = (await put(`${path}/approval`, older)).body
    expect(second.status.conditions[0]).toMatchObject(times)
    const again = (await put(`${path}/approval`, { ...second, status: { conditions: [approved] } })).body
    expect(again.status.conditions[0].lastTransitionTime).toBe(times.lastTransitionTime)
    expect(again.status.conditions[0].lastUpdateTime).not.toBe(times.lastUpdateTime)
    const removed = await put(`${path}/approval`, { ...again, status: {} })
    expect(removed.body.message).toContain('updates may not remove a condition of type "Approved"')
    const wrong = await merge(`${path}/status`, { status: { certificate: 'bm90IGEgY2VydGlmaWNhdGU=' } })
    expect(wrong.body).toMatchObject({ code: 422, reason: 'Invalid' })
  })

  it('keep what they ask for', async () => {
    const { path } = await newRequest()
    const { code, body } = await merge(path, { spec: { signerName: 'example.com/other' } })
    expect([code, body.spec.signerName]).toEqual([200, 'example.com/edge'])
  })
})

describe('namespaces', () => {
  it('begin active, with their name as a label and a finalizer', async () => {
    const { body } = await kube.get(`/api/v1/namespaces/${namespace.name}`)
    expect(body).toMatchObject({ spec: { finalizers: ['kubernetes'] }, status: { phase: 'Active' } })
  })

  it('take nothing new once they are on their way out, and go when they are empty and finalized', async () => {
    const { name, remove } = await makeNamespace(kube)
    const path = `/api/v1/namespaces/${name}`
    const held = { metadata: { name: 'held', finalizers: ['example.com/held'] } }
    await kube.create(`${path}/configmaps`, held)
    const deleted = await kube.call({ method: 'DELETE', path })
    expect(deleted.body).toMatchObject({ status: { phase: 'Terminating' } })
    const { code, body } = await kube.create(`${path}/configmaps`, { metadata: { name: 'late' } })
    expect([code, body.reason]).toEqual([403, 'Forbidden'])
    expect(body.details.causes).toMatchObject([{ reason: 'NamespaceTerminating' }])
    await merge(`${path}/configmaps/held`, { metadata: { finalizers: null } })
    await remove()
    expect((await kube.get(path)).code).toBe(404)
  })
})

describe('service accounts', () => {
  it('merge the secrets that they name, and replace the pull secrets', async () => {
    const path = `/api/v1/namespaces/${namespace.name}/serviceaccounts`
    const account = { metadata: { name: 'robot' }, secrets: [{ name: 'a' }], imagePullSecrets: [{ name: 'registry' }] }
    const { code, body } = await kube.create(path, account)
    expect([code, body.imagePullSecrets]).toEqual([201, [{ name: 'registry' }]])
    const patch = { secrets: [{ name: 'b' }], imagePullSecrets: [{ name: 'mirror' }] }
    const type = 'application/strategic-merge-patch+json'
    const patched = await kube.call({ method: 'PATCH', path: `${path}/robot`, body: patch, type })
    expect(patched.body.secrets).toEqual(expect.arrayContaining([{ name: 'a' }, { name: 'b' }]))
    expect(patched.body.imagePullSecrets).toEqual([{ name: 'mirror' }])
  })
})

describe('server-side apply', () => {
  it('is refused as a media type that is not known, and says which are', async ({ skip }) => {
    skip(!kube.embedded, 'real clusters serve it')
    const path = `/api/v1/namespaces/${namespace.name}/configmaps/applied`
    const body = { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'applied' } }
    const query = '?fieldManager=me&force=true'
    const reply = await kube.call({ method: 'PATCH', path: path + query, body, type: 'application/apply-patch+yaml' })
    expect([reply.code, reply.body.reason]).toEqual([415, 'UnsupportedMediaType'])
    expect(reply.body.message).toContain('application/merge-patch+json')
    expect((await kube.get(path)).code).toBe(404)
  })
})
