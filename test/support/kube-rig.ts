import { Catalog } from '@kedge/cloudcore/kube/catalog'
import { type Kube, openKube } from '@kedge/cloudcore/kube/client'
import { Counters } from '@kedge/cloudcore/kube/counters'
import { ensureCrds } from '@kedge/cloudcore/kube/crds'
import { systemClock } from '@kedge/shared/clock'
import { silentLog } from '@kedge/shared/log'
import type { KubeObject } from '@kedge/shared/objects'
import { onTestFinished } from 'vitest'
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
