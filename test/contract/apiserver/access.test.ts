import { Agent, request } from 'node:https'
import { join } from 'node:path'
import { Authority } from '@kedge/cloudcore/identity/authority'
import { caKeyName, sealingKey } from '@kedge/cloudcore/identity/sealed-key'
import { systemClock } from '@kedge/shared/clock'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { type Body, connect, type Kube, startTestServer, type TestServer } from '../../support/kube.ts'

let server: TestServer
let admin: Kube
let authorityCert: string
let nodePair: { cert: string; key: string }
let node: (method: string, path: string, body?: unknown) => Promise<{ code: number; body: Body }>

const containers = [
  { name: 'c', image: 'i', envFrom: [{ secretRef: { name: 'used' } }, { configMapRef: { name: 'used' } }] },
]
const inside = '/api/v1/namespaces/default'

function authorityOf({ dir }: TestServer): Promise<Authority> {
  return Authority.open(join(dir, 'pki'), systemClock, sealingKey(join(dir, 'pki', caKeyName)))
}

beforeAll(async () => {
  server = await startTestServer()
  admin = connect(server.kubeconfig, { embedded: true, stop: server.stop })
  for (const name of ['n1', 'n2']) {
    await admin.create('/api/v1/nodes', { metadata: { name } })
    await admin.create(`${inside}/pods`, { metadata: { name: `on-${name}` }, spec: { nodeName: name, containers } })
    const lease = { metadata: { name }, spec: { holderIdentity: name } }
    await admin.create('/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases', lease)
  }
  for (const name of ['used', 'unused']) {
    await admin.create(`${inside}/secrets`, { metadata: { name } })
    await admin.create(`${inside}/configmaps`, { metadata: { name } })
  }
  const authority = await authorityOf(server)
  authorityCert = authority.cert
  const asNode = { user: 'system:node:n1', groups: ['system:nodes'], days: 1 }
  nodePair = await authority.clientPair(asNode)
  node = await clientOf(authority, asNode)
})

afterAll(() => admin?.close())

async function clientOf(authority: Authority, who: { user: string; groups: string[]; days: number }) {
  const agent = new Agent({ ...(await authority.clientPair(who)), ca: authority.cert })
  return (method: string, path: string, body?: unknown) =>
    new Promise<{ code: number; body: Body }>((resolve, reject) => {
      const type = method === 'PATCH' ? 'application/merge-patch+json' : 'application/json'
      const url = `https://127.0.0.1:${server.port}${path}`
      const outgoing = request(url, { method, agent, headers: { 'content-type': type } }, async (message) => {
        const chunks: Buffer[] = []
        for await (const chunk of message as AsyncIterable<Buffer>) chunks.push(chunk)
        resolve({ code: message.statusCode ?? 0, body: JSON.parse(Buffer.concat(chunks).toString()) })
      })
      outgoing.on('error', reject)
      outgoing.end(body === undefined ? undefined : JSON.stringify(body))
    })
}

describe('a node', () => {
  it('is known by its certificate', async () => {
    const { body } = await node('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
    expect(body.status.userInfo).toMatchObject({
      username: 'system:node:n1',
      groups: ['system:nodes', 'system:authenticated'],
    })
  })

  const status = { status: { phase: 'Running' } }
  const lease = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
  const event = { metadata: { name: 'e' }, involvedObject: { kind: 'Pod', name: 'on-n1', namespace: 'default' } }
  const timedEvent = {
    metadata: { name: 'e2' },
    eventTime: '2026-01-01T00:00:00.000000Z',
    reportingController: 'kedge.io/edge',
    reportingInstance: 'n1',
    action: 'Testing',
    reason: 'Tested',
    type: 'Normal',
    regarding: { kind: 'Pod', name: 'on-n1', namespace: 'default' },
  }
  it.each<[string, string, unknown?]>([
    ['GET', '/api/v1/nodes/n1'],
    ['GET', '/api/v1/nodes?fieldSelector=metadata.name%3Dn1'],
    ['PATCH', '/api/v1/nodes/n1/status', { status: { nodeInfo: { kubeletVersion: 'v1' } } }],
    ['GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn1'],
    ['GET', `${inside}/pods/on-n1`],
    ['PATCH', `${inside}/pods/on-n1/status`, status],
    ['GET', `${inside}/secrets/used`],
    ['GET', `${inside}/configmaps/used`],
    ['GET', `${inside}/configmaps?fieldSelector=metadata.name%3Dused`],
    ['PATCH', `${lease}/n1`, { spec: { leaseDurationSeconds: 40 } }],
    ['POST', `${inside}/events`, event],
    ['POST', '/apis/events.k8s.io/v1/namespaces/default/events', timedEvent],
    ['GET', '/api/v1'],
    ['GET', '/openapi/v3'],
    ['DELETE', `${inside}/pods/on-n1?gracePeriodSeconds=0`],
  ])('may %s %s', async (method, path, body) => {
    expect((await node(method, path, body)).code).toBeLessThan(300)
  })

  it.each<[string, string, unknown?]>([
    ['GET', '/api/v1/nodes/n2'],
    ['GET', '/api/v1/nodes'],
    ['PATCH', '/api/v1/nodes/n1', { metadata: { labels: { a: 'b' } } }],
    ['DELETE', '/api/v1/nodes/n1'],
    ['GET', '/api/v1/pods'],
    ['GET', '/api/v1/pods?fieldSelector=spec.nodeName%3Dn2'],
    ['GET', '/api/v1/pods?fieldSelector=spec.nodeName!%3Dn1'],
    ['GET', `${inside}/pods/on-n2`],
    ['GET', `${inside}/pods/none`],
    ['PATCH', `${inside}/pods/on-n2/status`, status],
    ['POST', `${inside}/pods`, {}],
    ['DELETE', `${inside}/pods`],
    ['GET', `${inside}/secrets`],
    ['GET', `${inside}/secrets/unused`],
    ['PUT', `${inside}/secrets/used`, {}],
    ['GET', `${inside}/configmaps?fieldSelector=metadata.name%3Dunused`],
    ['PATCH', `${lease}/n2`, {}],
    ['GET', '/api/v1/namespaces'],
    ['GET', `${inside}/events`],
    ['GET', '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'],
    ['POST', '/apis/authorization.k8s.io/v1/subjectaccessreviews', {}],
  ])('may not %s %s', async (method, path, body) => {
    const reply = await node(method, path, body)
    expect(reply.body).toMatchObject({ kind: 'Status', code: 403, reason: 'Forbidden' })
    expect(reply.body.message).toContain('User "system:node:n1" cannot')
  })
})

describe('acting as another', () => {
  const may = (user: string, groups: string, resource: string) =>
    admin.call({
      method: 'POST',
      path: '/apis/authorization.k8s.io/v1/selfsubjectaccessreviews',
      body: { spec: { resourceAttributes: { verb: 'get', resource, name: 'n1' } } },
      headers: { 'impersonate-user': user, ...(groups === '' ? {} : { 'impersonate-group': groups }) },
    })

  it('gives the rights of the other, and no others', async () => {
    expect((await may('someone', '', 'nodes')).body.status.allowed).toBe(false)
    expect((await may('system:node:n1', 'system:nodes', 'nodes')).body.status.allowed).toBe(true)
    expect((await may('system:node:n1', '', 'nodes')).body.status.allowed).toBe(false)
    expect((await may('someone', 'friends, system:masters', 'nodes')).body.status.allowed).toBe(true)
    const headers = { 'impersonate-user': 'system:serviceaccount:default:robot', 'impersonate-uid': 'u1' }
    const self = { method: 'POST', path: '/apis/authentication.k8s.io/v1/selfsubjectreviews', body: {}, headers }
    expect((await admin.call(self)).body.status.userInfo).toEqual({
      username: 'system:serviceaccount:default:robot',
      uid: 'u1',
      groups: ['system:serviceaccounts', 'system:serviceaccounts:default', 'system:authenticated'],
    })
    const refused = await admin.call({ path: '/api/v1/nodes', headers: { 'impersonate-user': 'someone' } })
    expect([refused.code, refused.body.message]).toEqual([403, expect.stringContaining('User "someone" cannot list')])
  })

  it('is for administrators', async () => {
    const agent = new Agent({ ...nodePair, ca: authorityCert })
    const options = {
      agent,
      headers: { 'impersonate-user': 'kubernetes-admin', 'impersonate-group': 'system:masters' },
    }
    const code = await new Promise((resolve, reject) => {
      request(`https://127.0.0.1:${server.port}/api/v1/nodes`, options, (reply) => resolve(reply.resume().statusCode))
        .on('error', reject)
        .end()
    })
    agent.destroy()
    expect(code).toBe(403)
  })

  it('needs a user to act as', async () => {
    const reply = await admin.call({ path: '/api', headers: { 'impersonate-group': 'system:masters' } })
    expect(reply.body).toMatchObject({ kind: 'Status', code: 400 })
  })
})

describe('others', () => {
  it('with a certificate of our authority may only look around', async () => {
    const authority = await authorityOf(server)
    const someone = await clientOf(authority, { user: 'somebody', groups: ['friends', 'family'], days: 1 })
    expect((await someone('GET', '/api')).code).toBe(200)
    expect((await someone('GET', '/api/v1/namespaces')).code).toBe(403)
    const self = await someone('POST', '/apis/authentication.k8s.io/v1/selfsubjectreviews', {})
    expect(self.body.status.userInfo.groups).toEqual(['friends', 'family', 'system:authenticated'])
  })

  it('with a certificate of another authority are nobody', async () => {
    const other = await startTestServer()
    const foreign = await authorityOf(other)
    const { cert, key } = await foreign.clientPair({ user: 'kubernetes-admin', groups: ['system:masters'], days: 1 })
    await other.stop()
    const agent = new Agent({ cert, key, rejectUnauthorized: false })
    const code = await new Promise((resolve, reject) => {
      request(`https://127.0.0.1:${server.port}/api`, { agent }, (message) => resolve(message.resume().statusCode))
        .on('error', reject)
        .end()
    })
    expect(code).toBe(401)
  })

  it('without any are nobody', async () => {
    const reply = await admin.call({ path: '/api', headers: { authorization: '' } })
    expect(reply.body).toMatchObject({ kind: 'Status', code: 401, reason: 'Unauthorized' })
  })
})
