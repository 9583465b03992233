import { type ApiKind, apiVersionOf, type Subresource } from './kinds.ts'
import type { Json } from './schema.ts'

/** A group with its versions, the preferred one first. */
interface Group {
  name: string
  versions: { version: string; kinds: ApiKind[] }[]
}

function groupsOf(kinds: readonly ApiKind[]): Group[] {
  const groups = new Map<string, Map<string, ApiKind[]>>()
  for (const kind of kinds) {
    const versions = groups.get(kind.group) ?? new Map<string, ApiKind[]>()
    groups.set(kind.group, versions)
    versions.set(kind.version, [...(versions.get(kind.version) ?? []), kind])
  }
  return [...groups].map(([name, versions]) => ({
    name,
    versions: [...versions]
      .map(([version, members]) => ({ version, kinds: members }))
      .sort((a, b) => compareVersions(a.version, b.version)),
  }))
}

/** Kubernetes' version priority: v2 before v1 before v1beta2 before v1alpha1 before anything else by name. */
export function compareVersions(a: string, b: string): number {
  const [left, right] = [rank(a), rank(b)]
  for (let i = 0; i < left.length; i++) {
    const difference = (right[i] ?? 0) - (left[i] ?? 0)
    if (difference !== 0) return difference
  }
  return a < b ? -1 : Number(a > b)
}

function rank(version: string): number[] {
  const match = /^v(\d+)(?:(alpha|beta)(\d+))?$/.exec(version)
  if (!match) return [0, 0, 0]
  const stability = match[2] === undefined ? 3 : match[2] === 'beta' ? 2 : 1
  return [stability, Number(match[1]), Number(match[3] ?? 0)]
}

/** `/api` */
export function apiVersions(address: string): Json {
  const serverAddressByClientCIDRs = [{ clientCIDR: '0.0.0.0/0', serverAddress: address }]
  return { kind: 'APIVersions', versions: ['v1'], serverAddressByClientCIDRs }
}

/** `/apis` */
export function groupList(kinds: readonly ApiKind[]): Json {
  const groups = groupsOf(kinds).filter(({ name }) => name !== '')
  return { kind: 'APIGroupList', apiVersion: 'v1', groups: groups.map(describe) }
}

/** `/apis/<group>`; undefined when there is no such group. */
export function groupDocument(kinds: readonly ApiKind[], name: string): Json | undefined {
  const group = groupsOf(kinds).find((one) => one.name === name && name !== '')
  return group === undefined ? undefined : { kind: 'APIGroup', apiVersion: 'v1', ...describe(group) }
}

function describe({ name, versions }: Group): Json {
  const told = versions.map(({ version }) => ({ groupVersion: `${name}/${version}`, version }))
  return { name, versions: told, preferredVersion: told[0] }
}

/** `/api/v1` and `/apis/<group>/<version>`; undefined when there is no such version. */
export function resourceList(kinds: readonly ApiKind[], group: string, version: string): Json | undefined {
  const members = kinds.filter((kind) => kind.group === group && kind.version === version)
  if (members.length === 0) return undefined
  const resources = members.flatMap((kind) => [resource(kind), ...kind.subresources.map((one) => child(kind, one))])
  return {
    kind: 'APIResourceList',
    apiVersion: 'v1',
    groupVersion: apiVersionOf({ group, version }),
    resources,
  }
}

function resource(kind: ApiKind): Json {
  return {
    name: kind.plural,
    singularName: kind.singular,
    namespaced: kind.namespaced,
    kind: kind.kind,
    verbs: kind.verbs,
    ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
  }
}

function child(parent: ApiKind, { name, kind, verbs }: Subresource): Json {
  return {
    name: `${parent.plural}/${name}`,
    singularName: '',
    namespaced: parent.namespaced,
    ...(kind === undefined || kind.group === parent.group ? {} : { group: kind.group, version: kind.version }),
    kind: kind?.kind ?? parent.kind,
    verbs,
  }
}

/** Everything at once: `/api` and `/apis` for clients that accept `APIGroupDiscoveryList` in `v2` or `v2beta1`. */
export function aggregated(kinds: readonly ApiKind[], { core, version }: { core: boolean; version: string }): Json {
  const items = groupsOf(kinds)
    .filter(({ name }) => (name === '') === core)
    .map(({ name, versions }) => ({
      metadata: { ...(name === '' ? {} : { name }), creationTimestamp: null },
      versions: versions.map((one) => ({
        version: one.version,
        resources: one.kinds.map(aggregatedResource),
        freshness: 'Current',
      })),
    }))
  return { kind: 'APIGroupDiscoveryList', apiVersion: `apidiscovery.k8s.io/${version}`, metadata: {}, items }
}

function aggregatedResource(kind: ApiKind): Json {
  const { group, version } = kind
  const subresources = kind.subresources.map((one) => ({
    subresource: one.name,
    responseKind: one.kind ?? { group, version, kind: kind.kind },
    verbs: one.verbs,
  }))
  return {
    resource: kind.plural,
    responseKind: { group, version, kind: kind.kind },
    scope: kind.namespaced ? 'Namespaced' : 'Cluster',
    singularResource: kind.singular,
    verbs: kind.verbs,
    ...(kind.shortNames.length > 0 ? { shortNames: kind.shortNames } : {}),
    ...(kind.categories.length > 0 ? { categories: kind.categories } : {}),
    ...(subresources.length > 0 ? { subresources } : {}),
  }
}

/** `/` */
export function paths(kinds: readonly ApiKind[]): Json {
  const groups = groupsOf(kinds).filter(({ name }) => name !== '')
  const versions = groups.flatMap(({ name, versions }) => [
    `/apis/${name}`,
    ...versions.map(({ version }) => `/apis/${name}/${version}`),
  ])
  const others = ['/healthz', '/livez', '/openapi/v2', '/openapi/v3', '/readyz', '/version']
  return { paths: ['/api', '/api/v1', '/apis', ...versions.sort(), ...others] }
}
