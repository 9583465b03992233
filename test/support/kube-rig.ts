import type { Kube } from '@kedge/cloudcore/kube/api'
import { Catalog } from '@kedge/cloudcore/kube/catalog'
import { openKube } from '@kedge/cloudcore/kube/client'
import { Counters } from '@kedge/cloudcore/kube/counters'
import { ensureCrds } from '@kedge/cloudcore/kube/crds'
import { DeviceWatch } from '@kedge/cloudcore/kube/device-watch'
import { Freshest } from '@kedge/cloudcore/kube/freshest'
import { Limiter } from '@kedge/cloudcore/kube/limiter'
import { StatusWriter } from '@kedge/cloudcore/kube/status-writer'
import { NodeKeeper } from '@kedge/cloudcore/nodes/node-keeper'
import { Presence } from '@kedge/cloudcore/nodes/presence'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { Key, KubeObject } from '@kedge/shared/objects'
import { stopAll } from '@kedge/shared/service'
import { expect, onTestFinished } from 'vitest'
import { type FaultyKube, startFaultyKube } from './faulty-kube.ts'

export interface KubeRig {
  server: FaultyKube
  kube: Kube
  catalog: Catalog
  counters: Counters
}

/** cloudcore's client and catalog before an API server that can be broken; the catalog is not started. */
export async function kubeRig(options = {}): Promise<KubeRig> {
  const server = await startFaultyKube()
  const kube = openKube({ kubeconfig: server.kubeconfig, ...options })
  onTestFinished(() => kube.close())
  await ensureCrds({ kube, log: silentLog, clock: systemClock, random: () => 0, install: true })
  const counters = new Counters()
  // Waits between tries are as short as chance can make them.
  const catalog = new Catalog({ kube, log: silentLog, clock: systemClock, counters, random: () => 0.01 })
  onTestFinished(() => catalog.stop())
  return { server, kube, catalog, counters }
}

export interface WriterRig extends KubeRig {
  writer: StatusWriter
  nodes: NodeKeeper
  presence: Presence
  /** Nodes that were asked to report themselves again. */
  asked: string[]
}

/** All of cloudcore's way to Kubernetes, started; `edge-1` and `edge-2` are registered. */
export async function writerRig({
  statusInterval = 0,
  defaultAutonomy = 3_600_000,
  grace = 0,
} = {}): Promise<WriterRig> {
  const rig = await kubeRig()
  const { kube, catalog, counters } = rig
  for (const name of ['edge-1', 'edge-2']) await kube.create('/api/v1/nodes', edgeNode(name))
  const clock = systemClock
  const presence = new Presence({ clock, graces: [grace], startGrace: 60_000 })
  const freshest = new Freshest((key) =>
    key.startsWith('nodes/') ? catalog.node(key.slice('nodes/'.length)) : catalog.get(key as Key)?.object,
  )
  const log = silentLog
  const asked: string[] = []
  const ask = (node: string) => void asked.push(node)
  const parts = { kube, freshest, limiter: new Limiter(16), counters, clock, log, random: () => 0.1, catalog }
  const nodes = new NodeKeeper({ ...parts, presence, grace, defaultAutonomy, leaseInterval: 50, ask })
  const devices = new DeviceWatch({ catalog, presence, grace, log })
  const conditionsFor = devices.conditionsFor.bind(devices)
  const writer = new StatusWriter({ ...parts, nodes, statusInterval, conditionsFor })
  onTestFinished(() => stopAll([presence, nodes, devices, writer], (error) => expect(error).toBeUndefined()))
  catalog.start()
  await nodes.start()
  await devices.start((key) => writer.touch(key))
  return { ...rig, writer, nodes, presence, asked }
}

export const inDefault = (resource: 'pods' | 'configmaps' | 'secrets' | 'events') =>
  `/api/v1/namespaces/default/${resource}`
export const devicesPath = '/apis/devices.kubeedge.io/v1beta1/namespaces/default/devices'
export const modelsPath = '/apis/devices.kubeedge.io/v1beta1/namespaces/default/devicemodels'

export function edgeNode(name: string): KubeObject {
  return { apiVersion: 'v1', kind: 'Node', metadata: { name, labels: { 'node-role.kubernetes.io/edge': '' } } }
}

export function podOn(nodeName: string | undefined, name: string): KubeObject {
  const containers = [{ name: 'main', image: 'busybox' }]
  return { apiVersion: 'v1', kind: 'Pod', metadata: { name }, spec: { nodeName, containers } }
}

export function configMap(name: string, data: Record<string, string> = {}): KubeObject {
  return { apiVersion: 'v1', kind: 'ConfigMap', metadata: { name }, data }
}

export function deviceOn(nodeName: string, name: string, properties: unknown[] = []): KubeObject {
  const spec = { deviceModelRef: { name: 'thermostat' }, nodeName, properties }
  return { apiVersion: 'devices.kubeedge.io/v1beta1', kind: 'Device', metadata: { name }, spec }
}

export function thermostat(): KubeObject {
  const properties = [{ name: 'target', type: 'FLOAT', accessMode: 'ReadWrite', minimum: '5', maximum: '30' }]
  const metadata = { name: 'thermostat' }
  return { apiVersion: 'devices.kubeedge.io/v1beta1', kind: 'DeviceModel', metadata, spec: { properties } }
}
