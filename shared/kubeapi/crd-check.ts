import type { KubeObject } from '../objects.ts'
import { type Cause, forbidden, invalid, notSupported, required } from './causes.ts'
import { parseJsonPath } from './jsonpath.ts'
import { dnsSubdomainFaults } from './names.ts'
import { asArray, asObject, type Json } from './schema.ts'
import { checkStructural } from './structural-check.ts'

/** What is wrong with a CustomResourceDefinition, and what of it this server does not do. */
export function checkCrd(crd: KubeObject, old?: KubeObject): { causes: Cause[]; warnings: string[] } {
  const spec = asObject(crd.spec)
  const versions = asArray(spec.versions).map(asObject)
  const schemas = versions.map((version, index) => checkVersion(version, `spec.versions[${index}]`))
  return {
    causes: [
      ...checkNaming(crd, spec),
      ...checkNames(asObject(spec.names), 'spec.names'),
      ...checkVersions(versions),
      ...checkConversion(asObject(spec.conversion), spec.preserveUnknownFields),
      ...schemas.flatMap(({ causes }) => causes),
      ...(old === undefined ? [] : checkUpdate(spec, old)),
    ],
    warnings: schemas.flatMap(({ warnings }) => warnings),
  }
}

function checkNaming({ metadata }: KubeObject, spec: Json): Cause[] {
  const { group, scope } = spec
  const causes: Cause[] = []
  if (typeof group === 'string' && group !== '') {
    causes.push(...dnsSubdomainFaults(group).map((fault) => invalid('spec.group', group, fault)))
    if (!group.includes('.')) causes.push(invalid('spec.group', group, 'should be a domain with at least one dot'))
    const isProtected = /(^|\.)(k8s|kubernetes)\.io$/.test(group)
    if (isProtected && !metadata.annotations?.['api-approved.kubernetes.io']) {
      const detail = 'protected groups must have approval annotation "api-approved.kubernetes.io"'
      causes.push(required('metadata.annotations[api-approved.kubernetes.io]', detail))
    }
  }
  if (scope !== undefined && scope !== '' && scope !== 'Cluster' && scope !== 'Namespaced') {
    causes.push(notSupported('spec.scope', scope, ['Cluster', 'Namespaced']))
  }
  const expected = `${asObject(spec.names).plural}.${group}`
  if (metadata.name !== undefined && metadata.name !== expected) {
    causes.push(invalid('metadata.name', metadata.name, 'must be spec.names.plural+"."+spec.group'))
  }
  return causes
}

const dns1035 = /^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$/
const dns1035Fault =
  "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character (e.g. 'my-name',  or 'abc-123', regex used for validation is '[a-z]([-a-z0-9]*[a-z0-9])?')"

function checkNames(names: Json, at: string): Cause[] {
  const causes: Cause[] = []
  const lower: [string, unknown][] = [
    ['plural', names.plural],
    ['singular', names.singular],
    ...asArray(names.shortNames).map((name, index): [string, unknown] => [`shortNames[${index}]`, name]),
    ...asArray(names.categories).map((name, index): [string, unknown] => [`categories[${index}]`, name]),
  ]
  for (const [field, name] of lower) {
    if (typeof name === 'string' && name !== '' && !dns1035.test(name))
      causes.push(invalid(`${at}.${field}`, name, dns1035Fault))
  }
  for (const field of ['kind', 'listKind']) {
    const name = names[field]
    if (typeof name === 'string' && name !== '' && !dns1035.test(name.toLowerCase())) {
      causes.push(invalid(`${at}.${field}`, name, `may have mixed case, but should otherwise match: ${dns1035Fault}`))
    }
  }
  if (names.kind !== undefined && names.kind === names.listKind) {
    causes.push(invalid(`${at}.listKind`, names.listKind, 'kind and listKind may not be the same'))
  }
  return causes
}

function checkVersions(versions: Json[]): Cause[] {
  if (versions.length === 0) return []
  const causes: Cause[] = []
  const names = versions.map(({ name }) => name)
  const stored = versions.filter(({ storage }) => storage === true)
  if (stored.length !== 1)
    causes.push(invalid('spec.versions', names, 'must have exactly one version marked as storage version'))
  if (new Set(names).size < names.length)
    causes.push(invalid('spec.versions', names, 'must contain unique version names'))
  for (const [index, name] of names.entries()) {
    if (typeof name === 'string' && name !== '' && !dns1035.test(name)) {
      causes.push(invalid(`spec.versions[${index}].name`, name, dns1035Fault))
    }
  }
  return causes
}

function checkConversion({ strategy }: Json, preserveUnknownFields: unknown): Cause[] {
  const causes: Cause[] = []
  if (strategy === 'Webhook') {
    causes.push(
      forbidden(
        'spec.conversion.strategy',
        'this server calls no webhooks; use None, with versions that have the same schema',
      ),
    )
  } else if (strategy !== undefined && strategy !== 'None') {
    causes.push(notSupported('spec.conversion.strategy', strategy, ['None', 'Webhook']))
  }
  if (preserveUnknownFields === true) {
    causes.push(
      invalid(
        'spec.preserveUnknownFields',
        true,
        'cannot set to true, set x-kubernetes-preserve-unknown-fields to true in spec.versions[*].schema instead',
      ),
    )
  }
  return causes
}

const columnTypes = ['boolean', 'date', 'integer', 'number', 'string']

function checkVersion(version: Json, at: string): { causes: Cause[]; warnings: string[] } {
  const schema = asObject(version.schema).openAPIV3Schema
  const where = `${at}.schema.openAPIV3Schema`
  const { causes, warnings } =
    schema === undefined
      ? { causes: [required(where, 'schemas are required')], warnings: [] }
      : checkStructural(schema, where)
  for (const [index, one] of asArray(version.additionalPrinterColumns).map(asObject).entries()) {
    causes.push(...checkColumn(one, `${at}.additionalPrinterColumns[${index}]`))
  }
  if (asObject(version.subresources).scale !== undefined) {
    warnings.push(`${at}.subresources.scale: this server does not serve the scale subresource`)
  }
  return { causes, warnings }
}

function checkColumn({ type, jsonPath }: Json, at: string): Cause[] {
  const causes: Cause[] = []
  if (type !== undefined && !columnTypes.includes(String(type)))
    causes.push(notSupported(`${at}.type`, type, columnTypes))
  if (typeof jsonPath !== 'string' || jsonPath === '') return causes
  try {
    if (!/^[.[{$]/.test(jsonPath)) throw new TypeError('must start with a dot')
    parseJsonPath(jsonPath)
  } catch (error) {
    causes.push(invalid(`${at}.jsonPath`, jsonPath, error instanceof Error ? error.message : String(error)))
  }
  return causes
}

/** Objects are stored under the names and scope that the definition was established with. */
function checkUpdate(spec: Json, old: KubeObject): Cause[] {
  const before = asObject(old.spec)
  const causes: Cause[] = []
  if (spec.scope !== before.scope) causes.push(invalid('spec.scope', spec.scope, 'field is immutable'))
  if (spec.group !== before.group) causes.push(invalid('spec.group', spec.group, 'field is immutable'))
  for (const field of ['plural', 'kind']) {
    const name = asObject(spec.names)[field]
    if (name !== asObject(before.names)[field]) causes.push(invalid(`spec.names.${field}`, name, 'field is immutable'))
  }
  const names = asArray(spec.versions).map((version) => asObject(version).name)
  for (const [index, stored] of asArray(old.status?.storedVersions).entries()) {
    if (!names.includes(stored))
      causes.push(invalid(`status.storedVersions[${index}]`, stored, 'must appear in spec.versions'))
  }
  return causes
}
