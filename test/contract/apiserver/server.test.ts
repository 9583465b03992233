import { once } from 'node:events'
import { existsSync, readFileSync, statSync } from 'node:fs'
import { connect as connectTcp, createServer } from 'node:net'
import { networkInterfaces } from 'node:os'
import { join } from 'node:path'
import { connect as connectTls } from 'node:tls'
import { startApiServer } from '@kedge/cloudcore/apiserver/apiserver'
import { cloudcoreProgram } from '@kedge/cloudcore/settings'
import { systemClock } from '@kedge/shared/clock'
import { startOf } from '@kedge/shared/load-settings'
import { openLog, silentLog } from '@kedge/shared/log'
import fc from 'fast-check'
import { describe, expect, it, onTestFinished } from 'vitest'
import { connect, type Kube, startTestServer, type TestServer } from '../../support/kube.ts'
import { tempDir } from '../../support/temp-dir.ts'

async function started(dir?: string): Promise<{ server: TestServer; kube: Kube }> {
  const server = await startTestServer(dir === undefined ? {} : { dir })
  const kube = connect(server.kubeconfig, { embedded: true, stop: server.stop })
  onTestFinished(() => kube.close())
  return { server, kube }
}

const maps = '/api/v1/namespaces/default/configmaps'

describe('the embedded API server', () => {
  it('keeps its authority, its token and its objects over a restart', async () => {
    const dir = tempDir()
    const first = await started(dir)
    await first.kube.create(maps, { metadata: { name: 'kept' } })
    const config = readFileSync(first.server.kubeconfig, 'utf8')
    await first.server.stop()
    const second = await started(dir)
    const again = readFileSync(second.server.kubeconfig, 'utf8')
    const withoutServer = (text: string) => text.replace(/server: .*/, '')
    expect(withoutServer(again)).toBe(withoutServer(config))
    expect((await second.kube.get(`${maps}/kept`)).code).toBe(200)
  })

  it('tells who wrote what, and what was read only when looked at closely', async () => {
    const lines: Record<string, unknown>[] = []
    const to = { write: (line: string) => void lines.push(JSON.parse(line)) }
    const log = openLog({ level: 'info', program: 'test', version: '0', to })
    const dir = tempDir()
    const kubeconfig = join(dir, 'kubeconfig')
    const server = await startApiServer({ dir, host: '127.0.0.1', port: 0, kubeconfig, clock: systemClock, log })
    const kube = connect(kubeconfig, { embedded: true, stop: server.stop })
    onTestFinished(() => kube.close())
    await kube.get(maps)
    await kube.create(maps, { metadata: { name: 'a' }, data: { password: 'secret' } })
    const api = lines.filter(({ msg }) => msg === 'api')
    expect(api).toMatchObject([{ user: 'kubernetes-admin', method: 'POST', url: maps, code: 201 }])
    expect(JSON.stringify(lines)).not.toContain('secret')
    expect(JSON.stringify(lines)).not.toContain(server.token)
  })

  it('lets nobody else read its kubeconfig, token and keys', async () => {
    const { server } = await started()
    for (const file of ['kubeconfig', 'pki/ca.sealed', 'pki/ca.key', 'pki/server.pem', 'pki/admin.token']) {
      expect(statSync(join(server.dir, file)).mode & 0o777).toBe(0o600)
    }
  })

  it('is for this machine alone unless told otherwise', async () => {
    const start = await startOf(cloudcoreProgram, { argv: ['--standalone'], env: {}, read: () => '' })
    if (start.is === 'say') throw new Error(start.text)
    const host = start.values.apiHost
    const dir = tempDir()
    const options = { dir, host, port: 0, kubeconfig: join(dir, 'kubeconfig'), clock: systemClock, log: silentLog }
    const server = await startApiServer(options)
    onTestFinished(() => server.stop())
    expect(server.url).toBe(`https://127.0.0.1:${server.port}`)
    const others = Object.values(networkInterfaces()).flatMap((addresses = []) =>
      addresses.filter(({ internal, family }) => !internal && family === 'IPv4'),
    )
    for (const { address } of others) {
      const socket = connectTcp(server.port, address)
      const [error] = await once(socket, 'error')
      expect(error).toMatchObject({ code: 'ECONNREFUSED' })
    }
  })

  it('says which port is in use, and how to choose another', async () => {
    const taken = createServer()
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve))
    onTestFinished(() => void taken.close())
    const { port } = taken.address() as { port: number }
    const dir = tempDir()
    const kubeconfig = join(dir, 'kubeconfig')
    const options = { dir, host: '127.0.0.1', port, kubeconfig, clock: systemClock, log: silentLog }
    await expect(startApiServer(options)).rejects.toThrow(new RegExp(`127\\.0\\.0\\.1:${port}, is in use.*--api-port`))
    expect(existsSync(kubeconfig)).toBe(false)
  })

  it('has the namespaces that every cluster has', async () => {
    const { kube } = await started()
    const { body } = await kube.get('/api/v1/namespaces')
    const names = body.items.map(({ metadata }: { metadata: { name: string } }) => metadata.name)
    expect(names).toEqual(['default', 'kube-node-lease', 'kube-public', 'kube-system'])
    const refused = await kube.call({ method: 'DELETE', path: '/api/v1/namespaces/default' })
    expect(refused.body).toMatchObject({ code: 403, reason: 'Forbidden' })
  })

  it('empties a namespace, and waits for pods on nodes', async () => {
    const { kube } = await started()
    await kube.create('/api/v1/namespaces', { metadata: { name: 'shop' } })
    const inside = '/api/v1/namespaces/shop'
    await kube.create(`${inside}/configmaps`, { metadata: { name: 'a' } })
    const containers = [{ name: 'c', image: 'i' }]
    await kube.create(`${inside}/pods`, { metadata: { name: 'p' }, spec: { nodeName: 'n', containers } })
    const { body } = await kube.call({ method: 'DELETE', path: inside })
    expect(body.status.phase).toBe('Terminating')
    expect((await kube.get(`${inside}/configmaps/a`)).code).toBe(404)
    const late = await kube.create(`${inside}/configmaps`, { metadata: { name: 'b' } })
    expect(late.body).toMatchObject({ code: 403, reason: 'Forbidden' })
    expect(late.body.details.causes[0].reason).toBe('NamespaceTerminating')
    await kube.call({ method: 'DELETE', path: `${inside}/pods/p`, body: { gracePeriodSeconds: 0 } })
    expect((await kube.get(inside)).code).toBe(404)
  })

  it('tells watchers that are too late to list again', async () => {
    const dir = tempDir()
    const server = await startTestServer({ dir })
    const kube = connect(server.kubeconfig, { embedded: true, stop: server.stop })
    onTestFinished(() => kube.close())
    const watch = await kube.watch(`${maps}?watch=1&resourceVersion=999999`)
    expect(await watch.next()).toMatchObject({ type: 'ERROR', object: { code: 410, reason: 'Expired' } })
    expect(await watch.next()).toBeUndefined()
  })

  it('cuts a watcher that does not read, and nobody else', async () => {
    const { kube } = await started()
    const from = (await kube.get(maps)).body.metadata.resourceVersion
    const slow = await kube.watch(`${maps}?watch=1&resourceVersion=${from}`)
    const data = { text: 'x'.repeat(1024 * 1024) }
    // What the kernel buffers for a connection is small against this.
    const count = 40
    for (let i = 0; i < count; i++) await kube.create(maps, { metadata: { name: `big-${i}` }, data })
    const seen = await slow.rest()
    expect(seen.length).toBeLessThan(count)
    const last = seen.at(-1)?.object.metadata.resourceVersion ?? from
    const again = await kube.watch(`${maps}?watch=1&resourceVersion=${last}`)
    for (let n = seen.length; n < count; n++) expect((await again.next())?.type).toBe('ADDED')
    again.close()
  })

  it('ends the watches of a kind whose definition changes', async () => {
    const { kube } = await started()
    const path = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
    const schema = { type: 'object', 'x-kubernetes-preserve-unknown-fields': true }
    const version = { name: 'v1', served: true, storage: true, schema: { openAPIV3Schema: schema } }
    const names = { plural: 'things', kind: 'Thing' }
    const spec = { group: 'x.example', scope: 'Cluster', names, versions: [version] }
    await kube.create(path, { metadata: { name: 'things.x.example' }, spec })
    const watch = await kube.watch('/apis/x.example/v1/things?watch=1')
    const patch = { spec: { names: { ...names, shortNames: ['th'] } } }
    await kube.call({
      method: 'PATCH',
      path: `${path}/things.x.example`,
      body: patch,
      type: 'application/merge-patch+json',
    })
    expect(await watch.rest()).toEqual([])
    expect((await kube.get('/apis/x.example/v1')).body.resources[0].shortNames).toEqual(['th'])
  })

  it('ends its watches when it stops', async () => {
    const { server, kube } = await started()
    const watch = await kube.watch(`${maps}?watch=1&resourceVersion=1`)
    await server.stop()
    expect(await watch.rest()).toEqual([])
  })
})

describe('whatever comes in', () => {
  it('is answered with a Status, path by path', async () => {
    const { kube } = await started()
    const part = fc.oneof(
      fc.constantFrom('api', 'apis', 'v1', 'namespaces', 'default', 'pods', 'status', 'watch', 'configmaps', '..', ''),
      fc.string({ maxLength: 12 }).map((text) => encodeURIComponent(text)),
      fc.string({ unit: fc.constantFrom('%', 'z', '?', '=', '&', ';', '/', '1') }),
    )
    const call = fc.record({
      method: fc.constantFrom('GET', 'POST', 'PUT', 'PATCH', 'DELETE', 'OPTIONS', 'PROPFIND'),
      path: fc.array(part, { maxLength: 7 }).map((parts) => `/${parts.join('/')}`),
      body: fc.oneof(
        fc.constant(undefined),
        fc.json(),
        fc.uint8Array({ maxLength: 64 }).map((bytes) => Buffer.from(bytes)),
      ),
      type: fc.constantFrom(
        'application/json',
        'application/yaml',
        'application/json-patch+json',
        'application/merge-patch+json',
        'application/strategic-merge-patch+json',
        'application/vnd.kubernetes.protobuf',
        'x',
      ),
    })
    await fc.assert(
      fc.asyncProperty(call, async (one) => {
        const reply = await kube.call({ ...one, headers: { connection: 'close' } })
        if (reply.code >= 500) throw new Error(`${reply.code}: ${reply.text}`)
        if (reply.code >= 400 && reply.body?.kind !== 'Status') throw new Error(`no Status: ${reply.text}`)
      }),
      { numRuns: 300 },
    )
    expect((await kube.get('/healthz')).text).toBe('ok')
  })

  it('is answered with a Status, body by body', async () => {
    const { kube } = await started()
    const magic = Buffer.from('k8s\0')
    const inside = ['configmaps', 'pods', 'secrets', 'events', 'serviceaccounts']
    const collections = [
      ...inside.map((resource) => `/api/v1/namespaces/default/${resource}`),
      '/api/v1/nodes',
      '/api/v1/namespaces',
      '/apis/events.k8s.io/v1/namespaces/default/events',
      '/apis/coordination.k8s.io/v1/namespaces/default/leases',
      '/apis/certificates.k8s.io/v1/certificatesigningrequests',
      '/apis/apiextensions.k8s.io/v1/customresourcedefinitions',
      '/apis/authorization.k8s.io/v1/subjectaccessreviews',
      '/api/v1/namespaces/default/pods/x/binding',
    ]
    const shaped = fc.record(
      {
        apiVersion: fc.oneof(fc.constant('v1'), fc.json()),
        kind: fc.oneof(fc.constantFrom('ConfigMap', 'Pod', 'Secret'), fc.json()),
        metadata: fc.oneof(
          fc.jsonValue(),
          fc.record({
            name: fc.oneof(fc.constant('x'), fc.jsonValue()),
            labels: fc.jsonValue(),
            finalizers: fc.jsonValue(),
          }),
        ),
        spec: fc.oneof(
          fc.jsonValue(),
          fc.record({
            containers: fc.oneof(fc.jsonValue(), fc.array(fc.record({ name: fc.jsonValue(), image: fc.jsonValue() }))),
          }),
        ),
        status: fc.jsonValue(),
        data: fc.jsonValue(),
      },
      { requiredKeys: [] },
    )
    const bytes = fc.uint8Array({ maxLength: 80 })
    const call = fc.oneof(
      fc.tuple(shaped, fc.constant('application/json')),
      fc.tuple(fc.jsonValue(), fc.constant('application/json')),
      fc.tuple(
        bytes.map((some) => Buffer.concat([magic, some])),
        fc.constant('application/vnd.kubernetes.protobuf'),
      ),
      fc.tuple(
        bytes.map((some) => Buffer.from(some)),
        fc.constantFrom('application/json', 'application/yaml'),
      ),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...collections), call, async (path, [body, type]) => {
        const reply = await kube.call({ method: 'POST', path, body, type })
        if (reply.code >= 500) throw new Error(`${reply.code}: ${reply.text}`)
        if (reply.code >= 400 && reply.body?.kind !== 'Status') throw new Error(`no Status: ${reply.text}`)
      }),
      { numRuns: 400 },
    )
    expect((await kube.get('/healthz')).text).toBe('ok')
  })

  it('is answered with a Status, patch by patch', async () => {
    const { kube } = await started()
    const pods = '/api/v1/namespaces/default/pods'
    await kube.create(maps, { metadata: { name: 'x' }, data: { a: '1' } })
    await kube.create(pods, { metadata: { name: 'x' }, spec: { containers: [{ name: 'a', image: 'b' }] } })
    const field = fc.constantFrom(
      'metadata',
      'labels',
      'spec',
      'containers',
      'name',
      'data',
      '$patch',
      'status',
      '0',
      '-',
    )
    const merge = fc.letrec<{ node: unknown }>((tie) => ({
      node: fc.oneof({ depthSize: 'small' }, fc.jsonValue(), fc.dictionary(field, tie('node')), fc.array(tie('node'))),
    })).node
    const path = fc.array(field, { maxLength: 4 }).map((parts) => parts.map((part) => `/${part}`).join(''))
    const op = fc.constantFrom('add', 'remove', 'replace', 'move', 'copy', 'test', 'none')
    const operation = fc.record({ op, path, from: path, value: fc.jsonValue() }, { requiredKeys: ['op'] })
    const patch = fc.oneof(
      fc.tuple(fc.array(operation, { maxLength: 4 }), fc.constant('application/json-patch+json')),
      fc.tuple(merge, fc.constantFrom('application/merge-patch+json', 'application/strategic-merge-patch+json')),
    )
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(maps, pods), patch, async (collection, [body, type]) => {
        const call = { method: 'PATCH', path: `${collection}/x?dryRun=All`, body: JSON.stringify(body), type }
        const reply = await kube.call(call)
        if (reply.code >= 500) throw new Error(`${reply.code}: ${reply.text}`)
        if (reply.code >= 400 && reply.body?.kind !== 'Status') throw new Error(`no Status: ${reply.text}`)
      }),
      { numRuns: 300 },
    )
  })

  it('is answered, or cut, also below HTTP', async () => {
    const { server, kube } = await started()
    await fc.assert(
      fc.asyncProperty(fc.uint8Array({ minLength: 1, maxLength: 200 }), async (bytes) => {
        await new Promise<void>((resolve) => {
          const socket = connectTls({ port: server.port, host: '127.0.0.1', rejectUnauthorized: false }, () => {
            socket.end(Buffer.concat([Buffer.from(bytes), Buffer.from('\r\n\r\n')]))
          })
          socket.on('error', () => resolve())
          socket.on('close', () => resolve())
          socket.resume()
        })
      }),
      { numRuns: 40 },
    )
    expect((await kube.get('/healthz')).text).toBe('ok')
  })

  it('does not hang on deep nesting', async () => {
    const { kube } = await started()
    const deep = '['.repeat(200_000) + ']'.repeat(200_000)
    const bodies = [`{"metadata":{"name":"a"},"data":${deep}}`, deep, `{"metadata":{"name":"a","labels":${deep}}}`]
    for (const body of bodies) {
      const reply = await kube.call({ method: 'POST', path: maps, body })
      expect(reply.body).toMatchObject({ kind: 'Status', code: 400 })
    }
  })
})
