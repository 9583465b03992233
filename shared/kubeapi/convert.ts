import type { KubeObject } from '../objects.ts'
import { asDefined } from './definition.ts'
import { type ApiKind, apiVersionOf } from './kinds.ts'

/** Names of the same field in core/v1 and in events.k8s.io/v1. */
const eventFields: readonly [string, string][] = [
  ['involvedObject', 'regarding'],
  ['message', 'note'],
  ['reportingComponent', 'reportingController'],
  ['source', 'deprecatedSource'],
  ['count', 'deprecatedCount'],
  ['firstTimestamp', 'deprecatedFirstTimestamp'],
  ['lastTimestamp', 'deprecatedLastTimestamp'],
]
const toEvents = new Map(eventFields)
const fromEvents = new Map(eventFields.map(([core, events]) => [events, core]))

/**
 * `object`, stored in `kind.storageApiVersion`, as `kind` shows it. A custom resource is read with the defaults and
 * without the fields that its schema has gained and lost since it was written; its versions differ in apiVersion and
 * schema only (conversion strategy None). Core and events.k8s.io Events differ in the names of their fields. The object is not
 * changed; one of a built-in kind that needs no conversion comes back as it is.
 */
export function fromStorage(kind: ApiKind, object: KubeObject): KubeObject {
  return convert(asDefined(kind, object), apiVersionOf(kind), kind.storage === 'events' ? toEvents : none)
}

/** The reverse of `fromStorage`. */
export function toStorage(kind: ApiKind, object: KubeObject): KubeObject {
  return convert(object, kind.storageApiVersion, kind.storage === 'events' ? fromEvents : none)
}

const none: ReadonlyMap<string, string> = new Map()

function convert(object: KubeObject, apiVersion: string, renamed: ReadonlyMap<string, string>): KubeObject {
  if (object.apiVersion === apiVersion) return object
  const fields = Object.entries(object).map(([name, value]) => [renamed.get(name) ?? name, value])
  return { ...(Object.fromEntries(fields) as KubeObject), apiVersion }
}
