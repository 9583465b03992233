import { type KubeObject, keyOf } from '@kedge/shared/objects'
import type { ContainerSpec } from './container-schema.ts'
import { type Capacity, fieldValue, resourceValue } from './field-refs.ts'
import { bytesOf, type Lookup } from './lookup.ts'
import type { PodSpec } from './pod-schema.ts'
import type { ObjectSource, Source, Volume } from './volume-schema.ts'

export interface VolumeFile {
  data: Buffer
  mode: number
}

/** The files of each volume that ConfigMaps, Secrets and the pod itself fill. */
export interface VolumeFiles {
  volumes: Map<string, FilesVolume>
  /** What keeps the pod from starting, in kubelet's words: the first object or key that is missing. */
  missing?: string
}

export interface FilesVolume {
  /** Path in the volume → file. */
  files: Map<string, VolumeFile>
  /** Something in it is not for the disk. */
  secret: boolean
}

export interface VolumeInput {
  pod: KubeObject
  spec: PodSpec
  lookup: Lookup
  capacity: Capacity
}

type Part = Source & { defaultMode: number }

/** What lies in the volumes of a pod, given the objects that the node holds. Never throws: what is wrong is `missing`. */
export function volumeFiles(input: VolumeInput): VolumeFiles {
  const out: VolumeFiles = { volumes: new Map() }
  const { fsGroup } = input.spec.securityContext
  for (const volume of input.spec.volumes) {
    const parts = partsOf(volume)
    if (parts === undefined) continue
    const files = new Map<string, VolumeFile>()
    for (const part of parts) {
      const fault = fill(files, part, input)
      if (fault !== undefined) out.missing ??= `MountVolume.SetUp failed for volume "${volume.name}" : ${fault}`
    }
    // The group that the pod shares its volumes with can read them.
    if (fsGroup !== undefined) for (const file of files.values()) file.mode |= 0o440
    out.volumes.set(volume.name, { files, secret: parts.some(({ secret }) => secret !== undefined) })
  }
  return out
}

function partsOf({ configMap, secret, downwardAPI, projected }: Volume): Part[] | undefined {
  if (configMap) return [{ configMap, defaultMode: configMap.defaultMode }]
  if (secret) return [{ secret: { ...secret, name: secret.secretName }, defaultMode: secret.defaultMode }]
  if (downwardAPI) return [{ downwardAPI, defaultMode: downwardAPI.defaultMode }]
  return projected?.sources.map((source) => ({ ...source, defaultMode: projected.defaultMode }))
}

/** Adds the files of one source; gives back what is wrong with it. */
function fill(files: Map<string, VolumeFile>, part: Part, input: VolumeInput): string | undefined {
  const { configMap, secret, downwardAPI, defaultMode } = part
  if (configMap) return fromObject(files, 'configMap', configMap, { ...input, defaultMode })
  if (secret) return fromObject(files, 'secret', secret, { ...input, defaultMode })
  for (const { path, mode = defaultMode, fieldRef, resourceFieldRef } of downwardAPI?.items ?? []) {
    const value = fieldRef
      ? fieldValue(input.pod, fieldRef.fieldPath)
      : resourceFieldRef && ofContainer(resourceFieldRef, input)
    if (value === undefined) {
      const what = fieldRef
        ? `field ${fieldRef.fieldPath}`
        : `resource ${resourceFieldRef?.resource} of container "${resourceFieldRef?.containerName ?? ''}"`
      return `downwardAPI: there is no ${what} to write to "${path}"`
    }
    if (!isSafe(path)) return `path "${path}" leaves the volume`
    files.set(path, { data: Buffer.from(value), mode })
  }
  return undefined
}

interface ResourceRef {
  containerName?: string | undefined
  resource: string
  divisor?: string | number | undefined
}

function ofContainer(ref: ResourceRef, { spec, capacity }: VolumeInput): string | undefined {
  const all: ContainerSpec[] = [...spec.initContainers, ...spec.containers]
  const container = all.find(({ name }) => name === ref.containerName)
  return container && resourceValue(container, ref, capacity)
}

function fromObject(
  files: Map<string, VolumeFile>,
  kind: 'configMap' | 'secret',
  { name, items, optional }: ObjectSource,
  { pod, lookup, defaultMode }: VolumeInput & { defaultMode: number },
): string | undefined {
  const resource = kind === 'configMap' ? 'configmaps' : 'secrets'
  const object = name.includes('/') ? undefined : lookup(keyOf(resource, pod.metadata.namespace ?? 'default', name))
  const called = kind.toLowerCase()
  if (object === undefined) return optional ? undefined : `${called} "${name}" not found`
  const contents = bytesOf(kind, object)
  for (const { key, path, mode = defaultMode } of items ??
    [...contents.keys()].map((key) => ({ key, path: key, mode: undefined }))) {
    const data = contents.get(key)
    if (data === undefined && optional) continue
    if (data === undefined) return `${called} "${name}" references non-existent key: ${key}`
    if (!isSafe(path)) return `${called} "${name}": path "${path}" leaves the volume`
    files.set(path, { data, mode })
  }
  return undefined
}

/** Relative, and never up: also nothing that begins with two dots, which is where the writer keeps its own. */
function isSafe(path: string): boolean {
  return (
    path !== '' &&
    !path.includes('\0') &&
    path.split('/').every((part) => part !== '' && part !== '.' && !part.startsWith('..'))
  )
}
