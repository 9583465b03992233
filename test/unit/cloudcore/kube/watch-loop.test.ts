import { WatchLoop } from '@kedge/cloudcore/kube/watch-loop'
import { systemClock } from '@kedge/shared/clock'
import { openLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { expect, onTestFinished, test } from 'vitest'
import { eventually } from '../../../support/eventually.ts'
import { configMap, inDefault, type KubeRig, kubeRig } from '../../../support/kube-rig.ts'

const path = inDefault('configmaps')

/** A loop over one collection; the names that it knows of, and what it says. */
function startLoop({ kube }: KubeRig, of: string, selector = {}) {
  const names = new Set<string>()
  const told: string[] = []
  const to = { write: (line: string) => void told.push(JSON.parse(line).msg) }
  const log = openLog({ level: 'info', program: 'test', version: '0', to })
  const sink = {
    trim: (object: KubeObject) => object,
    replace(objects: KubeObject[]) {
      names.clear()
      for (const { metadata } of objects) names.add(metadata.name)
    },
    put: ({ metadata }: KubeObject) => void names.add(metadata.name),
    remove: ({ metadata }: KubeObject) => void names.delete(metadata.name),
  }
  const loop = new WatchLoop({ kube, path: of, selector, sink, log, clock: systemClock, random: () => 0.01 })
  onTestFinished(() => loop.stop())
  loop.start()
  return { names, told }
}

test('says that it is back as soon as its watch is taken up, though nothing happens', async () => {
  const rig = await kubeRig()
  const { told } = startLoop(rig, path)
  await eventually(() => rig.server.watches(path) === 1)
  let faults = 3
  rig.server.fault = () => (faults-- > 0 ? { is: 'reset' } : undefined)
  rig.server.resetWatches()
  await eventually(() => told.includes('watch resumed'))
  expect(told).toEqual(['watch interrupted', 'watch resumed'])
})

test('hears of what it selects and of nothing else, also of what comes later', async () => {
  const rig = await kubeRig()
  const labelled = (name: string, labels: Record<string, string>) => {
    const object = configMap(name)
    return { ...object, metadata: { ...object.metadata, labels } }
  }
  await rig.kube.create(path, labelled('before', { of: 'us' }))
  await rig.kube.create(path, labelled('foreign-before', { of: 'them' }))
  const { names } = startLoop(rig, path, { labelSelector: 'of=us' })
  await eventually(() => names.has('before') && rig.server.watches(path) === 1)
  await rig.kube.create(path, labelled('foreign', { of: 'them' }))
  await rig.kube.create(path, labelled('after', { of: 'us' }))
  await eventually(() => names.has('after'))
  expect([...names].sort()).toEqual(['after', 'before'])
})

test('follows a kind whose definition comes, goes, and comes again', async () => {
  const rig = await kubeRig()
  const { names, told } = startLoop(rig, '/apis/late.example/v1/namespaces/default/guests')
  await eventually(() => told.includes('kind not served yet'))
  const schema = { openAPIV3Schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } }
  const definition: KubeObject = {
    apiVersion: 'apiextensions.k8s.io/v1',
    kind: 'CustomResourceDefinition',
    metadata: { name: 'guests.late.example' },
    spec: {
      group: 'late.example',
      scope: 'Namespaced',
      names: { plural: 'guests', kind: 'Guest' },
      versions: [{ name: 'v1', served: true, storage: true, schema }],
    },
  }
  const definitions = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  const guests = '/apis/late.example/v1/namespaces/default/guests'
  const guest = (name: string) => ({ apiVersion: 'late.example/v1', kind: 'Guest', metadata: { name } })
  await rig.kube.create(definitions, definition)
  await rig.kube.create(guests, guest('first'))
  await eventually(() => names.has('first'))
  await rig.kube.delete(`${definitions}/guests.late.example`)
  await eventually(() => told.filter((one) => one === 'kind not served yet').length === 2)
  await rig.kube.create(definitions, definition)
  await rig.kube.create(guests, guest('second'))
  await eventually(() => names.has('second'))
  expect([...names]).toEqual(['second'])
})

test('goes on after an answer that its token has expired, with the version that it had', async () => {
  const rig = await kubeRig()
  const { names, told } = startLoop(rig, path)
  await eventually(() => rig.server.watches(path) === 1)
  const unauthorized = { kind: 'Status', code: 401, reason: 'Unauthorized', message: 'Unauthorized' }
  let refusals = 4
  rig.server.fault = () => (refusals-- > 0 ? { is: 'answer', code: 401, body: unauthorized } : undefined)
  rig.server.asked.splice(0)
  rig.server.resetWatches()
  await eventually(() => told.includes('watch resumed'))
  await rig.kube.create(path, configMap('after'))
  await eventually(() => names.has('after'))
  const lists = rig.server.asked.filter(({ query, method }) => method === 'GET' && !query.has('resourceVersion'))
  expect(lists).toEqual([])
})
