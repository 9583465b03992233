import { envNameFaults } from '@kedge/shared/kubeapi/names'
import { type KubeObject, keyOf } from '@kedge/shared/objects'
import type { ContainerSpec, EnvVar } from './container-schema.ts'
import { expand } from './expansion.ts'
import { type Addresses, type Capacity, fieldValue, resourceValue } from './field-refs.ts'
import { type Lookup, textsOf } from './lookup.ts'

export interface EnvInput {
  pod: KubeObject
  container: ContainerSpec
  /** All containers of the pod, for references to another one's resources. */
  containers: readonly ContainerSpec[]
  lookup: Lookup
  addresses: Addresses
  capacity: Capacity
}

export type Environment =
  | { ok: true; env: Map<string, string>; skipped: Skipped[] }
  /** In kubelet's words: the first object or key that is missing. */
  | { ok: false; fault: string }

/** Entries of a whole ConfigMap or Secret that cannot be the names of variables. */
export interface Skipped {
  kind: 'configMap' | 'secret'
  name: string
  keys: string[]
}

/**
 * The environment of a container as kubelet makes it: whole ConfigMaps and Secrets first, then the variables in their
 * order, each of which may refer to those before it. There are no variables for Services: a node that may be alone has
 * none to name.
 */
export function environment(input: EnvInput): Environment {
  const env = new Map<string, string>()
  const skipped: Skipped[] = []
  for (const { prefix, configMapRef, secretRef } of input.container.envFrom) {
    for (const [kind, ref] of [
      ['configMap', configMapRef],
      ['secret', secretRef],
    ] as const) {
      if (ref === undefined) continue
      const object = find(input, kind, ref.name)
      if (object === undefined && !ref.optional) return { ok: false, fault: notFound(kind, ref.name) }
      const keys = object === undefined ? [] : takeAll(env, textsOf(kind, object), prefix)
      if (keys.length > 0) skipped.push({ kind, name: ref.name, keys })
    }
  }
  for (const variable of input.container.env) {
    const value = variableOf(variable, env, input)
    if (value.is === 'fault') return { ok: false, fault: value.fault }
    if (value.is === 'text') env.set(variable.name, value.text)
  }
  return { ok: true, env, skipped }
}

/** Gives back the names that are none. */
function takeAll(env: Map<string, string>, texts: ReadonlyMap<string, string>, prefix: string): string[] {
  const bad: string[] = []
  for (const [key, value] of texts) {
    const name = prefix + key
    if (envNameFaults(name).length > 0) bad.push(name)
    else env.set(name, value)
  }
  return bad.sort()
}

type Value = { is: 'text'; text: string } | { is: 'none' } | { is: 'fault'; fault: string }

function variableOf({ name, value, valueFrom }: EnvVar, env: ReadonlyMap<string, string>, input: EnvInput): Value {
  if (value !== '' || valueFrom === undefined) return { is: 'text', text: expand(value, (one) => env.get(one)) }
  const { fieldRef, resourceFieldRef, configMapKeyRef, secretKeyRef } = valueFrom
  if (fieldRef) {
    const text = fieldValue(input.pod, fieldRef.fieldPath, input.addresses)
    return text === undefined ? unknown(name, `fieldPath ${fieldRef.fieldPath}`) : { is: 'text', text }
  }
  if (resourceFieldRef) {
    const { containerName, resource } = resourceFieldRef
    const of = containerName ? input.containers.find((one) => one.name === containerName) : input.container
    const text = of && resourceValue(of, resourceFieldRef, input.capacity)
    return text === undefined
      ? unknown(name, `resource ${resource} of container ${containerName ?? input.container.name}`)
      : { is: 'text', text }
  }
  if (configMapKeyRef) return keyed(input, 'configMap', configMapKeyRef)
  if (secretKeyRef) return keyed(input, 'secret', secretKeyRef)
  return { is: 'text', text: '' }
}

function unknown(name: string, what: string): Value {
  return { is: 'fault', fault: `env ${name}: there is no ${what}` }
}

interface KeyRef {
  name: string
  key: string
  optional: boolean
}

function keyed(input: EnvInput, kind: 'configMap' | 'secret', { name, key, optional }: KeyRef): Value {
  const object = find(input, kind, name)
  if (object === undefined) return optional ? { is: 'none' } : { is: 'fault', fault: notFound(kind, name) }
  const text = textsOf(kind, object).get(key)
  if (text !== undefined) return { is: 'text', text }
  if (optional) return { is: 'none' }
  const { namespace = 'default' } = input.pod.metadata
  const called = kind === 'configMap' ? 'ConfigMap' : 'Secret'
  return { is: 'fault', fault: `couldn't find key ${key} in ${called} ${namespace}/${name}` }
}

function find({ pod, lookup }: EnvInput, kind: 'configMap' | 'secret', name: string): KubeObject | undefined {
  return lookup(keyOf(kind === 'configMap' ? 'configmaps' : 'secrets', pod.metadata.namespace ?? 'default', name))
}

function notFound(kind: 'configMap' | 'secret', name: string): string {
  return `${kind.toLowerCase()} "${name}" not found`
}
