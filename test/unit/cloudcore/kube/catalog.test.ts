import { hashOf } from '@kedge/shared/changes'
import { must } from '@kedge/shared/must'
import { contentText } from '@kedge/shared/objects'
import { expect, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import type { Fault } from '../../../support/faulty-kube.ts'
import { configMap, deviceOn, devicesPath, edgeNode, inDefault, kubeRig, podOn } from '../../../support/kube-rig.ts'

const names = (objects: Iterable<{ metadata: { name: string } }>) =>
  [...objects].map(({ metadata }) => metadata.name).sort()
const gone: Fault = { is: 'answer', code: 410, body: { kind: 'Status', code: 410, reason: 'Expired', message: 'old' } }

test('knows, once ready, everything that edge nodes may need', async () => {
  const { kube, catalog } = await kubeRig()
  await kube.create('/api/v1/nodes', edgeNode('edge-1'))
  await kube.create(inDefault('pods'), podOn('edge-1', 'web'))
  await kube.create(inDefault('pods'), podOn(undefined, 'unbound'))
  await kube.create(inDefault('configmaps'), configMap('settings', { a: '1' }))
  await kube.create(devicesPath, deviceOn('edge-1', 'lamp'))
  catalog.start()
  await catalog.ready
  expect(names(catalog.podsOn('edge-1'))).toEqual(['web'])
  expect(names(catalog.devicesOn('edge-1'))).toEqual(['lamp'])
  expect(catalog.node('edge-1')).toBeDefined()
  const entry = must(catalog.get('configmaps/default/settings'), 'the entry')
  expect(entry.hash).toBe(hashOf(entry.key, contentText('configmaps', entry.object)))
  expect(catalog.content(entry.key)?.data).toEqual({ a: '1' })
  expect(catalog.text(entry.key)).toBe(contentText('configmaps', entry.object))
  expect(catalog.get('pods/default/unbound')).toBeUndefined()
})

test('follows changes, and tells each with what was before', async () => {
  const { kube, catalog } = await kubeRig()
  await kube.create('/api/v1/nodes', edgeNode('edge-1'))
  await kube.create('/api/v1/nodes', edgeNode('edge-2'))
  catalog.start()
  await catalog.ready
  const told: string[] = []
  const unlisten = catalog.onChange(({ key, before, after }) => {
    if (key === 'devices/default/lamp') told.push(`${before?.spec?.nodeName} -> ${after?.spec?.nodeName}`)
  })
  await kube.create(devicesPath, deviceOn('edge-1', 'lamp'))
  await kube.patch(`${devicesPath}/lamp`, { spec: { nodeName: 'edge-2' } })
  await eventually(() => names(catalog.devicesOn('edge-2')).length === 1)
  expect(names(catalog.devicesOn('edge-1'))).toEqual([])
  await kube.delete(`${devicesPath}/lamp`)
  await eventually(() => catalog.get('devices/default/lamp') === undefined)
  expect(told).toEqual(['undefined -> edge-1', 'edge-1 -> edge-2', 'edge-2 -> undefined'])
  unlisten()
})

test('a listener that throws costs the others nothing', async () => {
  const { kube, catalog } = await kubeRig()
  catalog.start()
  await catalog.ready
  const told: string[] = []
  catalog.onChange(() => {
    throw new Error('oops')
  })
  catalog.onChange(({ key }) => told.push(key))
  await kube.create(inDefault('configmaps'), configMap('one'))
  await eventually(() => told.includes('configmaps/default/one'))
})

test('pods that were bound to a node before it became an edge node are found', async () => {
  const { kube, catalog } = await kubeRig()
  await kube.create('/api/v1/nodes', { ...edgeNode('later'), metadata: { name: 'later' } })
  await kube.create(inDefault('pods'), podOn('later', 'early'))
  catalog.start()
  await catalog.ready
  expect(names(catalog.podsOn('later'))).toEqual([])
  await kube.patch('/api/v1/nodes/later', { metadata: { labels: { 'node-role.kubernetes.io/edge': '' } } })
  await eventually(() => names(catalog.podsOn('later')).includes('early'))
})

test('a node is served once its Node is there and its pods are listed', async () => {
  const { kube, catalog } = await kubeRig()
  await kube.create(inDefault('pods'), podOn('edge-7', 'early'))
  const pods: string[][] = []
  catalog.onServed((node) => pods.push(names(catalog.podsOn(node))))
  catalog.start()
  await catalog.ready
  expect(catalog.serves('edge-7')).toBe(false)
  await kube.create('/api/v1/nodes', edgeNode('edge-7'))
  await eventually(() => catalog.serves('edge-7'))
  expect(pods).toEqual([['early']])
})

test('pods stay known when their Node is deleted', async () => {
  const { kube, catalog } = await kubeRig()
  await kube.create('/api/v1/nodes', edgeNode('edge-7'))
  await kube.create(inDefault('pods'), podOn('edge-7', 'web'))
  catalog.start()
  await catalog.ready
  await kube.delete('/api/v1/nodes/edge-7')
  await eventually(() => catalog.node('edge-7') === undefined)
  await kube.patch(`${inDefault('pods')}/web`, { metadata: { labels: { touched: 'yes' } } })
  await eventually(() => catalog.get('pods/default/web')?.object.metadata.labels?.touched)
  expect(names(catalog.podsOn('edge-7'))).toEqual(['web'])
})

test.each<[string, (server: Awaited<ReturnType<typeof kubeRig>>['server']) => void]>([
  ['broken connections', (server) => server.resetWatches()],
  ['watches that end', (server) => server.endWatches()],
  ['a forgotten version', (server) => server.inject('/', '{"type":"ERROR","object":{"kind":"Status","code":410}}')],
  ['an error in the stream', (server) => server.inject('/', '{"type":"ERROR","object":{"kind":"Status","code":500}}')],
  ['lines that are no JSON', (server) => server.inject('/', '{oops')],
])('after %s nothing is missed', async (_, breakIt) => {
  const { server, kube, catalog } = await kubeRig()
  await kube.create(inDefault('configmaps'), configMap('goes'))
  catalog.start()
  await catalog.ready
  await eventually(() => server.watches('configmaps') === 1)
  // While nothing gets through, something comes and something goes.
  let failures = 0
  server.fault = ({ query }) => (query.has('watch') && failures++ < 3 ? { is: 'reset' } : undefined)
  breakIt(server)
  await kube.create(inDefault('configmaps'), configMap('comes'))
  await kube.delete(`${inDefault('configmaps')}/goes`)
  await eventually(() => catalog.get('configmaps/default/comes'))
  await eventually(() => catalog.get('configmaps/default/goes') === undefined)
})

test('a break is resumed after the last event: nothing is listed or told again', async () => {
  const { server, kube, catalog, counters } = await kubeRig()
  catalog.start()
  await catalog.ready
  const lists = counters.get('lists')
  const { metadata } = await kube.create(inDefault('configmaps'), configMap('first'))
  await eventually(() => catalog.get('configmaps/default/first'))
  server.asked.splice(0)
  server.resetWatches()
  await kube.create(inDefault('configmaps'), configMap('second'))
  await eventually(() => catalog.get('configmaps/default/second'))
  const resumed = server.asked.find(({ path, query }) => path.endsWith('/configmaps') && query.has('watch'))
  expect(resumed?.query.get('resourceVersion')).toBe(metadata.resourceVersion)
  expect(counters.get('lists')).toBe(lists)
})

test('what a server was put back to is taken over, though its watches are silent', async () => {
  const { server, kube, catalog } = await kubeRig()
  await kube.create(inDefault('configmaps'), configMap('goes'))
  catalog.start()
  await catalog.ready
  await eventually(() => server.watches('/') === 6)
  const versions = new Set(server.asked.map(({ query }) => query.get('resourceVersion')))
  server.fault = ({ method }) => (method === 'GET' ? { is: 'reset' } : undefined)
  server.resetWatches()
  await kube.create(inDefault('configmaps'), configMap('comes'))
  await kube.delete(`${inDefault('configmaps')}/goes`)
  // As Kubernetes does, asked about a version to come: a list refuses, a watch waits for it.
  server.fault = ({ query }) => {
    const version = query.get('resourceVersion')
    if (version === null || !versions.has(version)) return
    return query.has('watch') ? { is: 'hang' } : { is: 'answer', code: 504 }
  }
  await eventually(() => catalog.get('configmaps/default/comes'))
  expect(catalog.get('configmaps/default/goes')).toBeUndefined()
})

test('a server that has forgotten, is busy, or down, is asked until it answers', async () => {
  const { server, catalog } = await kubeRig()
  const faults: Fault[] = [
    gone,
    { is: 'reset' },
    { is: 'answer', code: 429, headers: { 'retry-after': '0' } },
    { is: 'answer', code: 503 },
    { is: 'answer', code: 200, body: 'nonsense' },
    { is: 'answer', code: 404 },
  ]
  const left = new Map<string, Fault[]>()
  server.fault = ({ path }) => {
    if (!left.has(path)) left.set(path, [...faults])
    return left.get(path)?.shift()
  }
  catalog.start()
  await catalog.ready
  expect([...left.values()].flat()).toEqual([])
})

test('is not ready before every kind has been listed: what is missing proves nothing', async () => {
  const { server, catalog } = await kubeRig()
  let isServed = false
  server.fault = ({ path }) => (!isServed && path.includes('devicemodels') ? { is: 'answer', code: 404 } : undefined)
  catalog.start()
  let isReady = false
  void catalog.ready.then(() => {
    isReady = true
  })
  await eventually(
    () => server.watches('/pods') === 1 && server.asked.filter(({ path }) => path.includes('models')).length > 2,
  )
  expect(isReady).toBe(false)
  isServed = true
  await catalog.ready
})
