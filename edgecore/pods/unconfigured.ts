import { type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import { podRefsInDetail } from '@kedge/shared/pod-refs'

/** Finds an object that this node holds. */
export type Lookup = (key: Key) => KubeObject | undefined

/**
 * Which containers of a pod cannot be configured, and why, in kubelet's words: a ConfigMap, a Secret or a key that their
 * environment needs is not there.
 */
export function unconfigured(pod: KubeObject, lookup: Lookup): Map<string, string> {
  const { namespace = 'default' } = pod.metadata
  const faults = new Map<string, string>()
  for (const { resource, name, key, optional, by } of podRefsInDetail(pod)) {
    if (by.is !== 'container' || optional || faults.has(by.name)) continue
    const object = lookup(keyOf(resource, namespace, name))
    const kind = resource === 'configmaps' ? 'ConfigMap' : 'Secret'
    if (object === undefined) faults.set(by.name, `${kind.toLowerCase()} "${name}" not found`)
    else if (key !== undefined && !hasKey(object, key)) {
      faults.set(by.name, `couldn't find key ${key} in ${kind} ${namespace}/${name}`)
    }
  }
  return faults
}

function hasKey({ data, binaryData }: KubeObject, key: string): boolean {
  return [data, binaryData].some((map) => typeof map === 'object' && map !== null && Object.hasOwn(map, key))
}
