import { type Attributes, type Authorize, administrators, type Verdict } from '@kedge/shared/kubeapi/access'
import type { Storage } from '@kedge/shared/kubeapi/storage'
import { podRefs } from '@kedge/shared/pod-refs'
import { nodeNameOf } from './node-user.ts'

const yes: Verdict = { allowed: true, reason: '' }

function no(reason: string): Verdict {
  return { allowed: false, reason }
}

/**
 * Who may do what. Administrators may do everything; everyone known may look around and ask about themselves; a node may
 * touch what is its own, and no more:
 * - its Node: read, and write its status;
 * - the Pods bound to it: read, write their status, delete;
 * - the ConfigMaps and Secrets that those Pods refer to: read, one by one;
 * - its Lease in kube-node-lease: read and write;
 * - Events: create and patch.
 */
export function authorizer(storage: Storage): Authorize {
  return (user, attributes) => {
    if (user.groups.includes(administrators)) return yes
    if (isLookingAround(attributes) || isAboutSelf(attributes)) return yes
    const node = nodeNameOf(user)
    return node === undefined ? no('only administrators may') : forNode(storage, node, attributes)
  }
}

function isLookingAround({ resource, verb, path }: Attributes): boolean {
  if (resource !== '' || (verb !== 'get' && verb !== 'head')) return false
  return path === '/' || /^\/(api|apis|openapi|version|healthz|livez|readyz)(\/|$)/.test(path)
}

function isAboutSelf({ group, resource, verb }: Attributes): boolean {
  const asks = group === 'authorization.k8s.io' || group === 'authentication.k8s.io'
  return asks && verb === 'create' && resource.startsWith('selfsubject')
}

const reads = new Set(['get', 'list', 'watch'])
const writes = new Set(['update', 'patch'])

type Rule = (storage: Storage, node: string, attributes: Attributes) => Verdict

/** By resource and group. */
const rules: Record<string, Rule> = {
  'nodes.': ownNode,
  'pods.': ownPods,
  'configmaps.': referredTo,
  'secrets.': referredTo,
  'leases.coordination.k8s.io': ownLease,
  'events.': ownEvents,
  'events.events.k8s.io': ownEvents,
}

function forNode(storage: Storage, node: string, attributes: Attributes): Verdict {
  const rule = rules[`${attributes.resource}.${attributes.group}`]
  return rule === undefined ? no('nodes have nothing to do with it') : rule(storage, node, attributes)
}

/** A list or watch is of one's own when its field selector says so. */
function selects({ fields }: Attributes, requirement: string): boolean {
  return fields.split(',').some((one) => one.replace('==', '=') === requirement)
}

function ownNode(_storage: Storage, node: string, attributes: Attributes): Verdict {
  const { verb, name, subresource } = attributes
  const own = name === node || (name === '' && selects(attributes, `metadata.name=${node}`))
  if (!own) return no('it is another node')
  if (reads.has(verb)) return yes
  return writes.has(verb) && subresource === 'status' ? yes : no('nodes write only the status of their node')
}

function ownPods(storage: Storage, node: string, attributes: Attributes): Verdict {
  const { verb, namespace, name, subresource } = attributes
  if (name === '') {
    const own = (verb === 'list' || verb === 'watch') && selects(attributes, `spec.nodeName=${node}`)
    return own ? yes : no(`nodes list pods with the field selector spec.nodeName=${node}`)
  }
  const pod = storage.get({ resource: 'pods', namespace, name })
  if (pod?.object.spec?.nodeName !== node) return no('the pod is not bound to this node')
  const allowed = verb === 'get' || verb === 'delete' || (writes.has(verb) && subresource === 'status')
  return allowed ? yes : no('nodes write only the status of their pods')
}

function referredTo(storage: Storage, node: string, attributes: Attributes): Verdict {
  const { verb, resource, namespace, name, fields } = attributes
  if (!reads.has(verb)) return no('nodes only read it')
  const wanted = name === '' ? (/^metadata\.name==?([^,]+)$/.exec(fields)?.[1] ?? '') : name
  if (wanted === '' || namespace === '') return no('nodes read one at a time')
  const found = storage.list({ resource: 'pods', namespace }).some(({ object }) => {
    if (object.spec?.nodeName !== node) return false
    const { configMaps, secrets } = podRefs(object)
    return (resource === 'secrets' ? secrets : configMaps).includes(wanted)
  })
  return found ? yes : no('no pod of this node refers to it')
}

function ownEvents(_storage: Storage, _node: string, { verb }: Attributes): Verdict {
  return verb === 'create' || verb === 'patch' ? yes : no('nodes only report events')
}

function ownLease(_storage: Storage, node: string, { verb, namespace, name }: Attributes): Verdict {
  const own = namespace === 'kube-node-lease' && name === node
  return own && (verb === 'get' || verb === 'delete' || writes.has(verb)) ? yes : no('it is not the lease of this node')
}
