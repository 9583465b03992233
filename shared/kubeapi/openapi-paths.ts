import type { ApiKind } from './kinds.ts'
import { patchMediaTypes } from './patch.ts'
import type { Json } from './schema.ts'

/** One operation, before it is put into the words of OpenAPI v2 or v3. */
export interface Operation {
  kind: ApiKind
  path: string
  method: 'get' | 'post' | 'put' | 'patch' | 'delete'
  id: string
  /** As `x-kubernetes-action` says it. */
  action: string
  description: string
  query: Parameter[]
  /** Names in the path. */
  inPath: string[]
  body: 'object' | 'patch' | 'deleteOptions' | undefined
  mediaTypes: string[]
  answer: 'object' | 'list' | 'status'
}

interface Parameter {
  name: string
  type: 'string' | 'boolean' | 'integer'
  description: string
}

function parameter(name: string, description: string, type: Parameter['type'] = 'string'): Parameter {
  return { name, type, description }
}

const pretty = parameter('pretty', 'Whether the answer is indented.')
const dryRun = parameter('dryRun', 'With the value All, everything happens but the writing.')
const fieldManager = parameter('fieldManager', 'Who makes the change.')
const fieldValidation = parameter(
  'fieldValidation',
  'What to do about unknown fields: Ignore, Warn (by default) or Strict, which refuses the object.',
)
const force = parameter('force', 'Only for server-side apply.', 'boolean')

const selecting = [
  parameter('labelSelector', 'Only objects whose labels match.'),
  parameter('fieldSelector', 'Only objects whose fields match.'),
  parameter('limit', 'The most items to answer; the rest follows with continue.', 'integer'),
  parameter('continue', 'From an earlier answer, for its rest.'),
  parameter('resourceVersion', 'The state to read, or to watch from.'),
  parameter('resourceVersionMatch', 'How resourceVersion is meant: Exact or NotOlderThan.'),
  parameter('timeoutSeconds', 'How long to watch.', 'integer'),
]
const listing = [
  ...selecting,
  parameter('watch', 'Stay and hear of changes.', 'boolean'),
  parameter('allowWatchBookmarks', 'Whether the stream may hold bookmarks.', 'boolean'),
  parameter('sendInitialEvents', 'Whether a watch begins with the objects that there are.', 'boolean'),
]
const deleting = [
  dryRun,
  parameter('gracePeriodSeconds', 'Seconds that the object gets to stop in order.', 'integer'),
  parameter('propagationPolicy', 'What becomes of what belongs to it: Orphan, Background or Foreground.'),
  parameter('orphanDependents', 'Older form of propagationPolicy.', 'boolean'),
]

type Draft = Omit<Operation, 'kind' | 'path' | 'inPath' | 'id' | 'mediaTypes'>

const json = ['application/json']

/** What the verbs of a kind are as operations. */
const onCollection: Record<string, Draft> = {
  list: draft('get', 'list', 'List or watch objects.', listing, undefined, 'list'),
  create: draft('post', 'post', 'Create an object.', [dryRun, fieldManager, fieldValidation], 'object'),
  deletecollection: draft(
    'delete',
    'deletecollection',
    'Delete objects.',
    [...selecting, ...deleting],
    'deleteOptions',
    'status',
  ),
}
const onObject: Record<string, Draft> = {
  get: draft('get', 'get', 'Read the object.', [], undefined),
  update: draft('put', 'put', 'Replace the object.', [dryRun, fieldManager, fieldValidation], 'object'),
  patch: draft('patch', 'patch', 'Change the object.', [dryRun, fieldManager, fieldValidation, force], 'patch'),
  delete: draft('delete', 'delete', 'Delete the object.', deleting, 'deleteOptions', 'status'),
}

function draft(
  method: Draft['method'],
  action: string,
  description: string,
  query: Parameter[],
  body: Draft['body'],
  answer: Draft['answer'] = 'object',
): Draft {
  return { method, action, description, query: [pretty, ...query], body, answer }
}

/** All operations on a kind. */
export function operationsOf(kind: ApiKind): Operation[] {
  const root = kind.group === '' ? `/api/${kind.version}` : `/apis/${kind.group}/${kind.version}`
  const scope = kind.namespaced ? `${root}/namespaces/{namespace}` : root
  const inScope = kind.namespaced ? ['namespace'] : []
  const collection = `${scope}/${kind.plural}`
  const object = { path: `${collection}/{name}`, inPath: ['name', ...inScope] }
  const everywhere = `${root}/${kind.plural}`
  const all = [
    ...drafted(kind, onCollection, { path: collection, inPath: inScope }, kind.verbs, ''),
    ...drafted(kind, onObject, object, kind.verbs, ''),
    ...kind.subresources.flatMap(({ name, verbs, kind: other }) => {
      const there = { path: `${object.path}/${name}`, inPath: object.inPath }
      if (other === undefined) return drafted(kind, onObject, there, verbs, capital(name))
      // A subresource of another kind is created under the object.
      const { create } = onCollection
      return create === undefined ? [] : drafted({ ...kind, ...other }, { create }, there, verbs, capital(name))
    }),
  ]
  if (!kind.namespaced) return all
  const { list } = onCollection
  return list === undefined
    ? all
    : [...all, ...drafted(kind, { list }, { path: everywhere, inPath: [] }, kind.verbs, 'ForAllNamespaces')]
}

function drafted(
  kind: ApiKind,
  drafts: Record<string, Draft>,
  { path, inPath }: { path: string; inPath: string[] },
  verbs: readonly string[],
  suffix: string,
): Operation[] {
  return Object.entries(drafts)
    .filter(([verb]) => verbs.includes(verb))
    .map(([verb, one]) => ({
      ...one,
      kind,
      path,
      inPath,
      id: `${verb}${capital(groupName(kind))}${capital(kind.version)}${path.includes('{namespace}') ? 'Namespaced' : ''}${kind.kind}${suffix}`,
      mediaTypes: one.body === 'patch' ? patchMediaTypes(kind) : json,
    }))
}

function groupName({ group }: ApiKind): string {
  return group === '' ? 'core' : group.split('.').map(capital).join('')
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

/** What both versions of OpenAPI say of an operation in the same words. */
export function common({ id, action, description, kind }: Operation): Json {
  const { group, version } = kind
  return {
    description,
    operationId: id,
    tags: [`${groupName(kind)}_${version}`],
    'x-kubernetes-action': action,
    'x-kubernetes-group-version-kind': { group, kind: kind.kind, version },
  }
}
