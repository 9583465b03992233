import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseTarget } from '@kedge/shared/kubeapi/request'
import { parseAllDocuments } from 'yaml'
import { root } from '../../scripts/build.ts'
import type { Asked } from './faulty-kube.ts'
import type { Body } from './kube.ts'

/** One verb on one resource, as a rule of RBAC allows it and as a request needs it. */
export interface Right {
  verb: string
  /** With its group and subresource: `pods/status`, `leases.coordination.k8s.io`. */
  resource: string
  /** Undefined for all of them, and for what no namespace holds. */
  namespace?: string
}

/** The objects of the files in `deploy/kubernetes`. */
export function manifests(...files: string[]): Body[] {
  const text = (file: string) => readFileSync(join(root, 'deploy/kubernetes', file), 'utf8')
  return files.flatMap((file) => parseAllDocuments(text(file)).map((document) => document.toJS()))
}

/** What a ServiceAccount may do by these objects: the rules of every role that is bound to it, one right each. */
export function rightsOf(objects: readonly Body[], account: string): Right[] {
  const bindings = objects.filter(({ kind, subjects = [] }) => {
    const isSubject = subjects.some((one: Body) => one.kind === 'ServiceAccount' && one.name === account)
    return isSubject && (kind === 'RoleBinding' || kind === 'ClusterRoleBinding')
  })
  return bindings.flatMap(({ metadata: { namespace }, roleRef }) => {
    const isNamed = ({ kind, metadata }: Body) => kind === roleRef.kind && metadata.name === roleRef.name
    // A Role is one of the namespace of its binding: others may have its name.
    const role = objects.find((one) => isNamed(one) && (one.kind !== 'Role' || one.metadata.namespace === namespace))
    return role.rules.flatMap((rule: Body) => rightsOfRule(rule, namespace))
  })
}

function rightsOfRule({ apiGroups, resources, verbs }: Body, namespace: string | undefined): Right[] {
  const named = apiGroups.flatMap((group: string) => resources.map((resource: string) => qualified(resource, group)))
  return named.flatMap((resource: string) => verbs.map((verb: string) => ({ verb, resource, namespace })))
}

function qualified(resource: string, group: string): string {
  return group === '' ? resource : `${resource}.${group}`
}

/** The right that a request needs; undefined for discovery and the like, which every account may do. */
export function needed({ method, path, query }: Asked): Right | undefined {
  const target = parseTarget(path)
  if (target.is === 'other') return undefined
  const { resource, subresource, group, namespace, name } = target
  const whole = subresource === '' ? resource : `${resource}/${subresource}`
  return { verb: verbOf(method, name, query), resource: qualified(whole, group), namespace: namespace || undefined }
}

function verbOf(method: string, name: string, query: URLSearchParams): string {
  if (method === 'GET') return name !== '' ? 'get' : query.has('watch') ? 'watch' : 'list'
  if (method === 'DELETE') return name === '' ? 'deletecollection' : 'delete'
  return { POST: 'create', PUT: 'update', PATCH: 'patch' }[method] ?? method
}

export function covers(right: Right, { verb, resource, namespace }: Right): boolean {
  const isThere = right.namespace === undefined || right.namespace === namespace
  return right.verb === verb && right.resource === resource && isThere
}
