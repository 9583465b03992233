import { canonical } from '../canonical.ts'
import type { KubeObject } from '../objects.ts'
import { customColumns } from './columns-custom.ts'
import type { Definition } from './definition.ts'
import { type ApiKind, byVersionPriority } from './kinds.ts'
import { asArray, asObject, type Json, type Schema } from './schema.ts'
import { objectMeta } from './schemas-meta.ts'

const verbs = ['create', 'delete', 'deletecollection', 'get', 'list', 'patch', 'update', 'watch']

/** The kinds that an established CustomResourceDefinition declares, one per served version, the preferred one first. */
export function kindsOf(crd: KubeObject): ApiKind[] {
  if (!isEstablished(crd)) return []
  const definition = definitionOf(crd)
  const served = asArray(crd.spec?.versions)
    .map(asObject)
    .filter((version) => version.served === true)
  return served
    .map((version) => kindOf(crd, version, definition))
    .sort((a, b) => byVersionPriority(a.version, b.version))
}

function isEstablished({ status }: KubeObject): boolean {
  return asArray(status?.conditions)
    .map(asObject)
    .some(({ type, status: state }) => type === 'Established' && state === 'True')
}

function definitionOf({ spec, metadata }: KubeObject): Definition {
  const versions = asArray(spec?.versions).map(asObject)
  const schemas = versions.map((version) => asObject(version.schema).openAPIV3Schema as Schema)
  return {
    rv: Number(metadata.resourceVersion),
    schemas: new Map(versions.map(({ name }, index) => [`${spec?.group}/${name}`, wholeObject(schemas[index] ?? {})])),
    uniform: schemas.length === 1 || new Set(schemas.map(canonical)).size === 1,
  }
}

function kindOf({ spec, status, metadata }: KubeObject, version: Json, definition: Definition): ApiKind {
  const names = asObject(status?.acceptedNames)
  const group = String(spec?.group)
  const storage = asArray(spec?.versions)
    .map(asObject)
    .find((one) => one.storage === true)
  const subresources = asObject(version.subresources)
  return {
    group,
    version: String(version.name),
    kind: String(names.kind),
    listKind: String(names.listKind),
    plural: String(names.plural),
    singular: String(names.singular),
    shortNames: asArray(names.shortNames).map(String),
    categories: asArray(names.categories).map(String),
    namespaced: spec?.scope === 'Namespaced',
    verbs,
    subresources: subresources.status === undefined ? [] : [{ name: 'status', verbs: ['get', 'patch', 'update'] }],
    storage: metadata.name,
    storageApiVersion: `${group}/${storage?.name}`,
    custom: true,
    schema: definition.schemas.get(`${group}/${version.name}`) ?? {},
    definition,
    naming: namingOf(version),
    columns: customColumns(asArray(version.additionalPrinterColumns)),
    deprecated: version.deprecated === true ? deprecation(group, version, names.kind) : undefined,
    selectableFields: asArray(version.selectableFields).map((one) => String(asObject(one).jsonPath).replace(/^\./, '')),
  }
}

function deprecation(group: string, { name, deprecationWarning }: Json, kind: unknown): string {
  return typeof deprecationWarning === 'string' ? deprecationWarning : `${group}/${name} ${kind} is deprecated`
}

function namingOf({ schema }: Json): Schema | undefined {
  const { metadata } = asObject(asObject(asObject(schema).openAPIV3Schema).properties)
  return Object.keys(asObject(asObject(metadata).properties)).length === 0 ? undefined : (metadata as Schema)
}

/** The schema of a version with what every object has. */
function wholeObject(schema: Schema): Schema {
  return {
    ...schema,
    properties: {
      ...schema.properties,
      apiVersion: { type: 'string', description: 'Version of the schema that this object is written in.' },
      kind: { type: 'string', description: 'Kind of the object.' },
      metadata: objectMeta,
    },
  }
}

/**
 * A CustomResourceDefinition with the status that it has now: acceptedNames, the conditions NamesAccepted and
 * Established, storedVersions. `taken` are all kinds that are served, its own may be among them; `now` is RFC 3339.
 */
export function establish(crd: KubeObject, taken: readonly ApiKind[], now: string): KubeObject {
  const spec = asObject(crd.spec)
  const names = asObject(spec.names)
  const clash = clashOf(
    names,
    taken.filter((kind) => kind.group === spec.group && kind.storage !== crd.metadata.name),
  )
  const before = asArray(crd.status?.conditions).map(asObject)
  const accepted = clash ?? { status: 'True', reason: 'NoConflicts', message: 'no conflicts found' }
  const wasEstablished = isEstablished(crd)
  const established =
    clash === undefined || wasEstablished
      ? { status: 'True', reason: 'InitialNamesAccepted', message: 'the initial names have been accepted' }
      : { status: 'False', reason: 'NotAccepted', message: 'not all names are accepted' }
  return {
    ...crd,
    status: {
      ...crd.status,
      acceptedNames: clash === undefined ? names : (crd.status?.acceptedNames ?? { plural: '', kind: '' }),
      conditions: [
        ...before.filter(({ type }) => type !== 'NamesAccepted' && type !== 'Established'),
        since({ type: 'NamesAccepted', ...accepted }, before, now),
        since({ type: 'Established', ...established }, before, now),
      ],
      storedVersions: storedVersions(spec, asArray(crd.status?.storedVersions)),
    },
  }
}

interface Clash {
  status: 'False'
  reason: string
  message: string
}

/** The first of its names that another kind of the group has. */
function clashOf(names: Json, others: readonly ApiKind[]): Clash | undefined {
  const resources = new Set(others.flatMap(({ plural, singular, shortNames }) => [plural, singular, ...shortNames]))
  const kinds = new Set(others.flatMap(({ kind, listKind }) => [kind, listKind]))
  const wanted: [string, unknown, Set<string>][] = [
    ['PluralConflict', names.plural, resources],
    ['SingularConflict', names.singular, resources],
    ...asArray(names.shortNames).map((name): [string, unknown, Set<string>] => ['ShortNamesConflict', name, resources]),
    ['KindConflict', names.kind, kinds],
    ['ListKindConflict', names.listKind, kinds],
  ]
  const clash = wanted.find(([, name, taken]) => typeof name === 'string' && taken.has(name))
  if (clash === undefined) return undefined
  return { status: 'False', reason: clash[0], message: `${JSON.stringify(clash[1])} is already in use` }
}

/** A condition keeps its time as long as its status stays. */
function since(condition: Json, before: Json[], now: string): Json {
  const old = before.find(({ type }) => type === condition.type)
  return { ...condition, lastTransitionTime: old?.status === condition.status ? old?.lastTransitionTime : now }
}

/** Every version that objects may still be stored in. */
function storedVersions(spec: Json, before: unknown[]): unknown[] {
  const storage = asArray(spec.versions)
    .map(asObject)
    .find((version) => version.storage === true)?.name
  return before.includes(storage) ? before : [...before, storage]
}
