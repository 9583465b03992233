import { parseDevice, parseDeviceModel } from '@kedge/shared/devices'
import { type Key, type KubeObject, parseKey } from '@kedge/shared/objects'

/** Why this edge cannot use an object that it was sent, or undefined when it can. Pure. */
export function usable(key: Key, content: KubeObject): string | undefined {
  const { namespace, name, resource } = parseKey(key) ?? {}
  if (content.metadata.namespace !== namespace || content.metadata.name !== name) {
    return `metadata: names ${content.metadata.namespace}/${content.metadata.name}, the key ${key}`
  }
  switch (resource) {
    case 'devices': {
      const parsed = parseDevice(content)
      return parsed.ok ? undefined : parsed.reason
    }
    case 'devicemodels': {
      const parsed = parseDeviceModel(content)
      return parsed.ok ? undefined : parsed.reason
    }
    case 'pods':
      return Array.isArray(content.spec?.containers) ? undefined : 'spec.containers: missing, a list is needed'
    default:
      return undefined
  }
}
