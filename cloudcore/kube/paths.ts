import { parseKey, type Resource } from '@kedge/shared/objects'

/** The kinds that cloudcore watches: those that travel, and the nodes. */
export type WatchedResource = Resource | 'nodes'

const roots: Record<WatchedResource, string> = {
  pods: '/api/v1',
  configmaps: '/api/v1',
  secrets: '/api/v1',
  nodes: '/api/v1',
  devices: '/apis/devices.kubeedge.io/v1beta1',
  devicemodels: '/apis/devices.kubeedge.io/v1beta1',
}

export const watchedResources = Object.keys(roots) as WatchedResource[]

/** Every object of a kind, in all namespaces: what is listed and watched. */
export function collectionPath(resource: WatchedResource): string {
  return `${roots[resource]}/${resource}`
}

/** The objects of a kind in one namespace: where one is created. */
export function collectionIn(resource: Resource, namespace: string): string {
  return `${roots[resource]}/namespaces/${segment(namespace)}/${resource}`
}

export function configMapPath(namespace: string, name: string): string {
  return `${collectionIn('configmaps', namespace)}/${segment(name)}`
}

/** One object, by its key. Throws on what is not a key. */
export function objectPath(key: string): string {
  const parts = parseKey(key)
  if (parts === undefined) throw new Error(`not a key such as pods/default/web: ${key}`)
  const { resource, namespace, name } = parts
  return `${roots[resource]}/namespaces/${segment(namespace)}/${resource}/${segment(name)}`
}

/** KubeEdge's DeviceStatus: all, those of a namespace, or one. */
export function deviceStatusPath(namespace?: string, name?: string): string {
  if (namespace === undefined) return `${roots.devices}/devicestatuses`
  const all = `${roots.devices}/namespaces/${segment(namespace)}/devicestatuses`
  return name === undefined ? all : `${all}/${segment(name)}`
}

export function nodePath(name: string): string {
  return `/api/v1/nodes/${segment(name)}`
}

export function leasePath(name?: string): string {
  const leases = '/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases'
  return name === undefined ? leases : `${leases}/${segment(name)}`
}

export function eventsPath(namespace: string): string {
  return `/api/v1/namespaces/${segment(namespace)}/events`
}

export function crdPath(name?: string): string {
  const crds = '/apis/apiextensions.k8s.io/v1/customresourcedefinitions'
  return name === undefined ? crds : `${crds}/${segment(name)}`
}

/** Names come from reports too: a segment never becomes two, nor walks up. */
function segment(text: string): string {
  if (text === '' || text === '.' || text === '..') throw new Error(`"${text}" is not a name`)
  return encodeURIComponent(text)
}
