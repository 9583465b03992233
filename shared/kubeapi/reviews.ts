import type { Attributes, Authorize, User } from './access.ts'
import { administrators } from './access.ts'
import { type Cause, invalid as invalidField } from './causes.ts'
import { ageColumn, nameColumn } from './columns.ts'
import { type ApiKind, apiVersionOf } from './kinds.ts'
import { asArray, asObject, isObject, type Json } from './schema.ts'
import { invalid } from './status.ts'

/**
 * Kinds that are asked and never stored: who am I, may I, may they. `kubectl auth` speaks them.
 */
function reviewKind(group: string, kind: string): ApiKind {
  const plural = `${kind.toLowerCase()}s`
  return {
    group,
    version: 'v1',
    kind,
    listKind: `${kind}List`,
    plural,
    singular: kind.toLowerCase(),
    shortNames: [],
    categories: [],
    namespaced: false,
    verbs: ['create'],
    subresources: [],
    storage: `${plural}.${group}`,
    storageApiVersion: `${group}/v1`,
    custom: false,
    schema: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true },
    columns: [nameColumn, ageColumn],
    selectableFields: [],
  }
}

export const reviewKinds: readonly ApiKind[] = [
  reviewKind('authentication.k8s.io', 'SelfSubjectReview'),
  reviewKind('authorization.k8s.io', 'SelfSubjectAccessReview'),
  reviewKind('authorization.k8s.io', 'SelfSubjectRulesReview'),
  reviewKind('authorization.k8s.io', 'SubjectAccessReview'),
]

export function isReview(kind: ApiKind): boolean {
  return reviewKinds.includes(kind)
}

/** The answer to a review: what was sent, with its status. Throws a 422 `StatusError`. */
export function review(kind: ApiKind, sent: unknown, { user, authorize }: { user: User; authorize: Authorize }): Json {
  const body = asObject(sent)
  const spec = asObject(body.spec)
  const causes = faultsOf(kind.kind, spec)
  if (causes.length > 0) throw invalid({ group: kind.group, resource: kind.plural, kind: '' }, causes)
  return {
    kind: kind.kind,
    apiVersion: apiVersionOf(kind),
    metadata: { creationTimestamp: null },
    ...(kind.kind === 'SelfSubjectReview' ? {} : { spec }),
    status: statusOf(kind.kind, spec, { user, authorize }),
  }
}

/** What about, and who, must be clear. */
function faultsOf(kind: string, { resourceAttributes, nonResourceAttributes, user, groups }: Json): Cause[] {
  if (!kind.endsWith('SubjectAccessReview')) return []
  const both = isObject(resourceAttributes) && isObject(nonResourceAttributes)
  const neither = !isObject(resourceAttributes) && !isObject(nonResourceAttributes)
  const detail = 'exactly one of nonResourceAttributes or resourceAttributes must be specified'
  const field = both ? 'spec.nonResourceAttributes' : 'spec.resourceAttributes'
  const subject = kind === 'SelfSubjectAccessReview' || text(user) !== '' || asArray(groups).length > 0
  return [
    ...(both || neither ? [invalidField(field, null, detail)] : []),
    ...(subject ? [] : [invalidField('spec.user', '', 'at least one of user or group must be specified')]),
  ]
}

function statusOf(kind: string, spec: Json, { user, authorize }: { user: User; authorize: Authorize }): Json {
  switch (kind) {
    case 'SelfSubjectReview':
      return { userInfo: { username: user.name, uid: user.uid, groups: user.groups } }
    case 'SelfSubjectRulesReview':
      return rulesOf(user)
    case 'SubjectAccessReview':
      return { ...authorize(subjectOf(spec), attributesOf(spec)) }
    default:
      return { ...authorize(user, attributesOf(spec)) }
  }
}

function subjectOf(spec: Json): User {
  return { name: text(spec.user), uid: text(spec.uid), groups: asArray(spec.groups).map(text) }
}

function attributesOf(spec: Json): Attributes {
  const resource = asObject(spec.resourceAttributes)
  const path = asObject(spec.nonResourceAttributes)
  return {
    verb: text(resource.verb ?? path.verb),
    group: text(resource.group),
    resource: text(resource.resource),
    subresource: text(resource.subresource),
    namespace: text(resource.namespace),
    name: text(resource.name),
    fields: text(asObject(resource.fieldSelector).rawSelector),
    path: text(path.path),
  }
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}

/** Only an administrator's rights can be listed as rules; a node's depend on the objects. */
function rulesOf(user: User): Json {
  const all = user.groups.includes(administrators)
  return {
    resourceRules: all ? [{ verbs: ['*'], apiGroups: ['*'], resources: ['*'] }] : [],
    nonResourceRules: all ? [{ verbs: ['*'], nonResourceURLs: ['*'] }] : [],
    incomplete: !all,
  }
}
