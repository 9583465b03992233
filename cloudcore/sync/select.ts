import { type Key, type KubeObject, keyOf } from '@kedge/shared/objects'
import { podRefs } from '@kedge/shared/pod-refs'

/** What of the catalog decides which objects a node needs. */
export interface NodeObjects {
  podsOn(node: string): Iterable<KubeObject>
  devicesOn(node: string): Iterable<KubeObject>
}

/**
 * The keys that one node should have, whether the objects exist or not: the pods bound to it and the ConfigMaps and
 * Secrets that they refer to, the devices bound to it and their models. Nothing else ever reaches the node.
 */
export function select(objects: NodeObjects, node: string): Set<Key> {
  const keys = new Set<Key>()
  for (const pod of objects.podsOn(node)) for (const key of podKeys(pod)) keys.add(key)
  for (const device of objects.devicesOn(node)) for (const key of deviceKeys(device)) keys.add(key)
  return keys
}

/** The keys that a pod brings to its node. */
export function podKeys(pod: KubeObject): Key[] {
  const namespace = namespaceOf(pod)
  const { configMaps, secrets } = podRefs(pod)
  return [
    keyOf('pods', namespace, pod.metadata.name),
    ...configMaps.map((name) => keyOf('configmaps', namespace, name)),
    ...secrets.map((name) => keyOf('secrets', namespace, name)),
  ]
}

/** The keys that a device brings to its node. */
export function deviceKeys(device: KubeObject): Key[] {
  const namespace = namespaceOf(device)
  const model = (device.spec?.deviceModelRef as { name?: unknown } | undefined)?.name
  const keys: Key[] = [keyOf('devices', namespace, device.metadata.name)]
  if (typeof model === 'string' && model !== '') keys.push(keyOf('devicemodels', namespace, model))
  return keys
}

function namespaceOf(object: KubeObject): string {
  return object.metadata.namespace ?? 'default'
}
