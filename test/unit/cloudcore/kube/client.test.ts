import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import type { Kube } from '@kedge/cloudcore/kube/api'
import { openKube } from '@kedge/cloudcore/kube/client'
import { KubeError } from '@kedge/cloudcore/kube/errors'
import { explain, UserError } from '@kedge/shared/errors'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { type FaultyKube, startFaultyKube } from '../../../support/faulty-kube.ts'
import { startTestServer } from '../../../support/kube.ts'
import { tempDir } from '../../../support/temp-dir.ts'

const configMaps = '/api/v1/namespaces/default/configmaps'

function configMap(name: string, data: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }
}

const httpConfig = `clusters: [{name: a, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: a, user: {}}]
contexts: [{name: a, context: {cluster: a, user: a}}]
current-context: a
`

async function faulty(options = {}): Promise<{ server: FaultyKube; kube: Kube }> {
  const server = await startFaultyKube()
  const kube = openKube({ kubeconfig: server.kubeconfig, ...options })
  onTestFinished(() => kube.close())
  return { server, kube }
}

test('speaks TLS with the certificate authority and the token of a kubeconfig', async () => {
  const server = await startTestServer()
  onTestFinished(() => server.stop())
  const kube = openKube({ kubeconfig: server.kubeconfig })
  onTestFinished(() => kube.close())

  const created = await kube.create(configMaps, configMap('one', { a: '1' }))
  const patched = await kube.patch(`${configMaps}/one`, { data: { a: null, b: '2' } })
  expect(patched.data).toEqual({ b: '2' })
  await kube.patch(`${configMaps}/one`, [{ op: 'add', path: '/data/c', value: '3' }])
  const held = await kube.get(`${configMaps}/one`)
  expect(held.data).toEqual({ b: '2', c: '3' })
  await kube.update(`${configMaps}/one`, { ...held, data: {} })
  await expect(kube.delete(`${configMaps}/one`, { preconditions: { uid: 'another' } })).rejects.toMatchObject({
    code: 409,
  })
  await kube.delete(`${configMaps}/one`, { preconditions: { uid: created.metadata.uid }, gracePeriodSeconds: 0 })
  await expect(kube.get(`${configMaps}/one`)).rejects.toMatchObject({ code: 404, reason: 'NotFound' })
})

test('does not trust a server that the certificate authority of the kubeconfig has not signed for', async () => {
  const [server, another] = [await startTestServer(), await startTestServer()]
  for (const one of [server, another]) onTestFinished(() => one.stop())
  const authority = (path: string) => /certificate-authority-data: *\S+/.exec(readFileSync(path, 'utf8'))?.[0] ?? ''
  const path = join(tempDir(), 'kubeconfig')
  const text = readFileSync(server.kubeconfig, 'utf8')
  writeFileSync(path, text.replace(authority(server.kubeconfig), authority(another.kubeconfig)))
  expect(readFileSync(path, 'utf8')).not.toBe(text)
  const kube = openKube({ kubeconfig: path })
  onTestFinished(() => kube.close())
  const error = await kube.get(configMaps).catch((caught: unknown) => caught)
  expect(explain(error)).toMatch(/certificate/)
})

test('finds a server again that has moved with its kubeconfig', async () => {
  const server = await startTestServer()
  const path = join(tempDir(), 'kubeconfig')
  writeFileSync(path, readFileSync(server.kubeconfig))
  const kube = openKube({ kubeconfig: path })
  onTestFinished(() => kube.close())
  await kube.list(configMaps)
  await server.stop()
  const moved = await startTestServer()
  onTestFinished(() => moved.stop())
  writeFileSync(path, readFileSync(moved.kubeconfig))
  await eventually(() => kube.list(configMaps))
})

test('lists in pages, and gives items their kind', async () => {
  const { server, kube } = await faulty()
  for (const name of ['a', 'b', 'c']) await kube.create(configMaps, configMap(name))
  const list = await kube.list('/api/v1/configmaps', { limit: 2 })
  expect(list.items.map(({ kind, metadata }) => `${kind} ${metadata.name}`)).toEqual(
    expect.arrayContaining(['ConfigMap a', 'ConfigMap b', 'ConfigMap c']),
  )
  expect(list.resourceVersion).toMatch(/^\d+$/)
  expect(server.asked.filter(({ query }) => query.has('continue')).length).toBeGreaterThan(0)
})

test('takes a list in one piece when its pages have expired', async () => {
  const { server, kube } = await faulty()
  for (const name of ['a', 'b', 'c']) await kube.create(configMaps, configMap(name))
  server.fault = ({ query }) =>
    query.has('continue')
      ? { is: 'answer', code: 410, body: { kind: 'Status', code: 410, reason: 'Expired', message: 'too old' } }
      : undefined
  const { items } = await kube.list(configMaps, { limit: 1 })
  expect(items.length).toBeGreaterThanOrEqual(3)
})

test('an error carries what the Status says, and how long to wait', async () => {
  const { server, kube } = await faulty()
  server.fault = () => ({
    is: 'answer',
    code: 429,
    headers: { 'retry-after': '7' },
    body: { kind: 'Status', code: 429, reason: 'TooManyRequests', message: 'slow down', details: { kind: 'x' } },
  })
  const error = await kube.get(configMaps).catch((caught: unknown) => caught)
  expect(error).toBeInstanceOf(KubeError)
  expect(error).toMatchObject({ code: 429, reason: 'TooManyRequests', retryAfter: 7000, details: { kind: 'x' } })
  expect((error as Error).message).toContain('slow down')
})

test('an answer that is no Status, or no JSON, is an error all the same', async () => {
  const { server, kube } = await faulty()
  server.fault = () => ({ is: 'answer', code: 502, body: 'bad gateway' })
  await expect(kube.get(configMaps)).rejects.toMatchObject({ code: 502 })
  server.fault = () => ({ is: 'answer', code: 200, body: 'hello' })
  await expect(kube.get(configMaps)).rejects.toThrow(`GET ${configMaps}`)
})

test('a server that never answers is given up after the timeout', async () => {
  const { server, kube } = await faulty({ requestTimeout: 50 })
  server.fault = () => ({ is: 'hang' })
  await expect(kube.get(configMaps)).rejects.toThrow(`GET ${configMaps}`)
})

test('a 401 reads the credentials anew, once', async () => {
  const { server, kube } = await faulty()
  let turned = 0
  server.fault = () => (turned++ === 0 ? { is: 'answer', code: 401 } : undefined)
  await expect(kube.list(configMaps)).resolves.toMatchObject({ items: expect.anything() })
  server.fault = () => ({ is: 'answer', code: 401 })
  await expect(kube.list(configMaps)).rejects.toMatchObject({ code: 401 })
})

test.each([
  ['in the kubeconfig', (path: string) => ({ config: path, tokenLine: (token: string) => `token: ${token}` })],
  [
    'in a file of its own, as in a pod',
    (path: string) => ({ config: path, tokenLine: () => `tokenFile: ${path}.token` }),
  ],
])('a token that has expired is read anew, %s', async (_, place) => {
  const server = await startTestServer()
  onTestFinished(() => server.stop())
  const text = readFileSync(server.kubeconfig, 'utf8')
  const token = /token: *"?([\w-]+)/.exec(text)?.[1] ?? ''
  const { config, tokenLine } = place(join(tempDir(), 'kubeconfig'))
  const put = (value: string) => {
    writeFileSync(`${config}.token`, `${value}\n`)
    writeFileSync(config, text.replace(/token: *\S+/, tokenLine(value)))
  }
  put('expired')
  const kube = openKube({ kubeconfig: config })
  onTestFinished(() => kube.close())
  await expect(kube.list(configMaps)).rejects.toMatchObject({ code: 401 })
  put(token)
  await expect(kube.list(configMaps)).resolves.toMatchObject({ items: expect.anything() })
})

test('a watch tells events as they come, and ends with its signal', async () => {
  const { kube, server } = await faulty()
  const { resourceVersion } = await kube.list(configMaps)
  const stop = new AbortController()
  const seen: string[] = []
  const watching = (async () => {
    for await (const { type, object } of kube.watch(configMaps, { resourceVersion, signal: stop.signal }))
      seen.push(`${type} ${object.metadata.name}`)
  })()
  await eventually(() => server.watches('configmaps') === 1)
  await kube.create(configMaps, configMap('one', { text: 'ü'.repeat(100_000) }))
  await kube.delete(`${configMaps}/one`)
  await eventually(() => seen.length === 2)
  stop.abort()
  await watching
  expect(seen).toEqual(['ADDED one', 'DELETED one'])
})

test.each([
  [
    'an ERROR event',
    '{"type":"ERROR","object":{"kind":"Status","code":410,"reason":"Expired","message":"old"}}',
    { code: 410 },
  ],
  ['a broken line', '{"type":"ADDED", oops', { message: `watch ${configMaps}` }],
])('%s ends a watch with an error', async (_, line, expected) => {
  const { kube, server } = await faulty()
  const { resourceVersion } = await kube.list(configMaps)
  const watching = (async () => {
    for await (const _event of kube.watch(configMaps, { resourceVersion }));
  })()
  const failed = expect(watching).rejects.toMatchObject(expected)
  await eventually(() => server.watches('configmaps') === 1)
  server.inject('configmaps', line)
  await failed
})

test('a watch that went silent is given up when another request gets no answer', async () => {
  const { kube, server } = await faulty({ requestTimeout: 2000 })
  const { resourceVersion } = await kube.list(configMaps)
  const watching = (async () => {
    for await (const _event of kube.watch(configMaps, { resourceVersion }));
  })()
  const failed = expect(watching).rejects.toThrow('watch')
  await eventually(() => server.watches('configmaps') === 1)
  server.freezeWatches()
  server.fault = () => ({ is: 'hang' })
  await eventually(async () => {
    await kube.get(configMaps).catch(() => {})
    return server.watches('configmaps') === 0
  })
  await failed
})

test('a watch that the server never ends is given up soon after its time', async () => {
  const { kube, server } = await faulty({ watchSeconds: 1, watchSlack: 100 })
  const { resourceVersion } = await kube.list(configMaps)
  const watching = (async () => {
    for await (const _event of kube.watch(configMaps, { resourceVersion }));
  })()
  const failed = expect(watching).rejects.toThrow('watch')
  await eventually(() => server.watches('configmaps') === 1)
  server.freezeWatches()
  await failed
})

test.each([
  ['that is not there', undefined, 'cannot be read'],
  ['that is no YAML', '{', 'cannot be read'],
  ['without TLS', httpConfig, 'not HTTPS'],
  ['without a context', 'clusters: []\nusers: []\ncontexts: []\n', 'current-context'],
])('a kubeconfig %s is told by its path', (_, text, expected) => {
  const path = join(tempDir(), 'kubeconfig')
  if (text !== undefined) writeFileSync(path, text)
  expect(() => openKube({ kubeconfig: path })).toThrow(UserError)
  expect(() => openKube({ kubeconfig: path })).toThrow(expected)
  expect(() => openKube({ kubeconfig: path })).toThrow(path)
})
