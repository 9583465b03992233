import { canonical } from '../canonical.ts'
import { type Cause, forbidden, invalid, required, tooLong } from './causes.ts'
import {
  dnsLabelFaults,
  dnsSubdomainFaults,
  labelValueFaults,
  pathSegmentFaults,
  qualifiedNameFaults,
} from './names.ts'
import { asArray, asObject, type Json } from './schema.ts'

/** `segment`: whatever may stand in a URL path. */
export type NameRule = 'label' | 'subdomain' | 'segment'

const nameRules: Record<NameRule, (text: string) => string[]> = {
  label: dnsLabelFaults,
  subdomain: dnsSubdomainFaults,
  segment: pathSegmentFaults,
}

/** What is wrong with the metadata of an object, whatever its kind. */
export function checkMetadata(metadata: Json, rule: NameRule): Cause[] {
  return [
    ...checkName(metadata, rule),
    ...checkLabels(metadata.labels),
    ...checkAnnotations(metadata.annotations),
    ...asArray(metadata.finalizers).flatMap((one, index) =>
      qualifiedNameFaults(String(one)).map((fault) => invalid(`metadata.finalizers[${index}]`, one, fault)),
    ),
    ...checkOwners(asArray(metadata.ownerReferences).map(asObject)),
  ]
}

function checkName({ name, generateName }: Json, rule: NameRule): Cause[] {
  if (typeof name === 'string' && name !== '') {
    return nameRules[rule](name).map((fault) => invalid('metadata.name', name, fault))
  }
  if (typeof generateName !== 'string' || generateName === '') {
    return [required('metadata.name', 'name or generateName is required')]
  }
  // The end of a generated name is made of letters and digits.
  return nameRules[rule](`${generateName}x`).map((fault) => invalid('metadata.generateName', generateName, fault))
}

/** Keys and values of labels; `field` is where they stand. */
export function checkLabels(labels: unknown, field = 'metadata.labels'): Cause[] {
  return Object.entries(asObject(labels)).flatMap(([key, value]) => [
    ...qualifiedNameFaults(key).map((fault) => invalid(field, key, fault)),
    ...labelValueFaults(String(value)).map((fault) => invalid(field, value, fault)),
  ])
}

const maxAnnotationBytes = 256 * 1024

function checkAnnotations(annotations: unknown): Cause[] {
  const entries = Object.entries(asObject(annotations))
  const causes = entries.flatMap(([key]) =>
    qualifiedNameFaults(key.toLowerCase()).map((fault) => invalid('metadata.annotations', key, fault)),
  )
  const size = entries.reduce((sum, [key, value]) => sum + Buffer.byteLength(key) + Buffer.byteLength(String(value)), 0)
  if (size > maxAnnotationBytes) causes.push(tooLong('metadata.annotations', maxAnnotationBytes))
  return causes
}

function checkOwners(owners: Json[]): Cause[] {
  const causes = owners.flatMap((owner, index) =>
    ['apiVersion', 'kind', 'name', 'uid']
      .filter((field) => owner[field] === undefined || owner[field] === '')
      .map((field) => {
        const fault = field === 'apiVersion' ? 'version must not be empty' : 'must not be empty'
        return invalid(`metadata.ownerReferences[${index}].${field}`, '', fault)
      }),
  )
  const managing = owners.filter(({ controller }) => controller === true)
  if (managing.length > 1) {
    const [one, other] = managing
    const detail = `Only one reference can have Controller set to true. Found "true" in references for ${one?.kind}/${one?.name} and ${other?.kind}/${other?.name}`
    causes.push(invalid('metadata.ownerReferences', owners, detail))
  }
  return causes
}

/** The metadata that a create starts with: what only the server may say is left out. */
export function metadataForCreate(metadata: Json): Json {
  const {
    uid: _uid,
    resourceVersion: _resourceVersion,
    generation: _generation,
    creationTimestamp: _creationTimestamp,
    deletionTimestamp: _deletionTimestamp,
    deletionGracePeriodSeconds: _deletionGracePeriodSeconds,
    selfLink: _selfLink,
    managedFields: _managedFields,
    ...rest
  } = metadata
  return withoutEmpty(rest)
}

const fixed = ['uid', 'creationTimestamp', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generation'] as const

/** The metadata that an update leads to: what only the server may say stays as it was. */
export function metadataForUpdate(metadata: Json, old: Json): Json {
  const { selfLink: _selfLink, managedFields: _managedFields, ...next } = metadata
  for (const field of fixed) {
    if (field === 'uid' && next.uid !== undefined && next.uid !== '') continue
    if (old[field] === undefined) delete next[field]
    else next[field] = old[field]
  }
  return withoutEmpty(next)
}

function withoutEmpty(metadata: Json): Json {
  const entries = Object.entries(metadata).filter(([, value]) => {
    if (Array.isArray(value)) return value.length > 0
    return typeof value === 'object' && value !== null ? Object.keys(value).length > 0 : value !== null && value !== ''
  })
  return Object.fromEntries(entries)
}

/** What an update may not do to metadata. */
export function checkMetadataUpdate(metadata: Json, old: Json): Cause[] {
  const causes = (['name', 'namespace', 'uid'] as const)
    .filter((field) => canonical(metadata[field] ?? '') !== canonical(old[field] ?? ''))
    .map((field) => invalid(`metadata.${field}`, metadata[field] ?? '', 'field is immutable'))
  if (old.deletionTimestamp !== undefined) {
    const before = new Set(asArray(old.finalizers))
    const added = asArray(metadata.finalizers).filter((one) => !before.has(one))
    if (added.length > 0) {
      const shown = added.map((one) => JSON.stringify(one)).join(', ')
      const detail = `no new finalizers can be added if the object is being deleted, found new finalizers []string{${shown}}`
      causes.push(forbidden('metadata.finalizers', detail))
    }
  }
  return causes
}
