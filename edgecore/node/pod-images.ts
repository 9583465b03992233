import { asArray, asObject } from '@kedge/shared/kubeapi/schema'
import type { KubeObject } from '@kedge/shared/objects'

/** The images that a pod names. */
export function imagesOf({ spec = {} }: KubeObject): string[] {
  const containers = [...asArray(spec.initContainers), ...asArray(spec.containers)].map(asObject)
  const volumes = asArray(spec.volumes).map((volume) => asObject(asObject(volume).image).reference)
  const names = [...containers.map(({ image }) => image), ...volumes]
  return [...new Set(names.filter((one): one is string => typeof one === 'string' && one !== ''))]
}
