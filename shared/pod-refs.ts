import type { KubeObject } from './objects.ts'

/** One mention of a ConfigMap or Secret in a pod spec; the name is one in the pod's own namespace. */
export interface PodRef {
  resource: 'configmaps' | 'secrets'
  name: string
  /** The only key that is asked for; absent when all of the object is. */
  key?: string
  /** The pod starts without it. */
  optional: boolean
  /** Who mentions it: a container, a volume, or the pod as a whole. */
  by: { is: 'container' | 'volume'; name: string } | { is: 'pod' }
}

/** The ConfigMaps and Secrets that a pod refers to, optional ones included: names in its namespace, sorted, unique. */
export function podRefs(pod: KubeObject): { configMaps: string[]; secrets: string[] } {
  const refs = podRefsInDetail(pod)
  return { configMaps: namesOf(refs, 'configmaps'), secrets: namesOf(refs, 'secrets') }
}

/**
 * Every mention of a ConfigMap or Secret in a pod spec, in the order of the spec. What is not shaped as the Kubernetes
 * API shapes it is passed over: saying so is the business of whoever validates the pod.
 */
export function podRefsInDetail(pod: KubeObject): PodRef[] {
  const spec = record(pod.spec)
  return [
    ...records(spec.imagePullSecrets).flatMap((secret) =>
      ref('secrets', secret.name, { is: 'pod' }, { optional: true }),
    ),
    ...records(spec.volumes).flatMap(ofVolume),
    ...['initContainers', 'containers', 'ephemeralContainers'].flatMap((list) =>
      records(spec[list]).flatMap(ofContainer),
    ),
  ]
}

function ofVolume(volume: Fields): PodRef[] {
  const by = { is: 'volume', name: text(volume.name) } as const
  const configMap = record(volume.configMap)
  const secret = record(volume.secret)
  return [
    ...ref('configmaps', configMap.name, by, configMap),
    ...ref('secrets', secret.secretName, by, secret),
    ...records(record(volume.projected).sources).flatMap((source) => [
      ...ref('configmaps', record(source.configMap).name, by, record(source.configMap)),
      ...ref('secrets', record(source.secret).name, by, record(source.secret)),
    ]),
    ...ref('secrets', record(record(volume.csi).nodePublishSecretRef).name, by),
    ...ref('secrets', record(volume.azureFile).secretName, by),
    // cephfs, cinder, flexVolume, iscsi, rbd, scaleIO and storageos all name their credentials `secretRef`.
    ...Object.values(volume).flatMap((source) => ref('secrets', record(record(source).secretRef).name, by)),
  ]
}

function ofContainer(container: Fields): PodRef[] {
  const by = { is: 'container', name: text(container.name) } as const
  return [
    ...records(container.envFrom).flatMap((from) => [
      ...ref('configmaps', record(from.configMapRef).name, by, record(from.configMapRef)),
      ...ref('secrets', record(from.secretRef).name, by, record(from.secretRef)),
    ]),
    ...records(container.env).flatMap((variable) => {
      const { configMapKeyRef, secretKeyRef } = record(variable.valueFrom)
      return [
        ...ref('configmaps', record(configMapKeyRef).name, by, record(configMapKeyRef)),
        ...ref('secrets', record(secretKeyRef).name, by, record(secretKeyRef)),
      ]
    }),
  ]
}

function ref(resource: PodRef['resource'], name: unknown, by: PodRef['by'], source: Fields = {}): PodRef[] {
  // No name of Kubernetes holds a slash: it would make another object's key.
  if (typeof name !== 'string' || name === '' || name.includes('/')) return []
  const key = by.is === 'container' && typeof source.key === 'string' ? { key: source.key } : {}
  return [{ resource, name, ...key, optional: source.optional === true, by }]
}

function namesOf(refs: readonly PodRef[], resource: PodRef['resource']): string[] {
  return [...new Set(refs.filter((one) => one.resource === resource).map(({ name }) => name))].sort()
}

type Fields = Record<string, unknown>

function record(value: unknown): Fields {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Fields) : {}
}

function records(value: unknown): Fields[] {
  return Array.isArray(value) ? value.map(record) : []
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : ''
}
