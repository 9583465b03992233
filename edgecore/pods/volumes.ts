import { amountOf } from '@kedge/shared/kubeapi/quantity'
import type { PodSpec } from './pod-schema.ts'
import { type VolumeFile, type VolumeInput, volumeFiles } from './volume-files.ts'
import type { HostPath } from './volume-schema.ts'

/** What a volume of a pod is made of. */
export type VolumeContent =
  /** Files that Kedge keeps up to date. `secret`: they are not for the disk. */
  | { is: 'files'; files: ReadonlyMap<string, VolumeFile>; secret: boolean }
  /** An empty folder, on disk or in memory, there at most `bytes` large. */
  | { is: 'empty'; memory: boolean; bytes?: number }
  /** A path of the node. */
  | { is: 'host'; path: string; type: HostPath['type'] }

export interface PodVolumes {
  contents: ReadonlyMap<string, VolumeContent>
  /** The group that files of the pod belong to. */
  group?: number
}

export interface Volumes extends PodVolumes {
  /** What keeps the pod from starting, in kubelet's words: the first object or key that is missing. */
  missing?: string
}

export const noVolumes: Volumes = { contents: new Map() }

/** The volumes of a pod, given the objects that the node holds. Pure; never throws: what is wrong is `missing`. */
export function volumesOf(input: VolumeInput): Volumes {
  const { spec } = input
  const { volumes, missing } = volumeFiles(input)
  const contents = new Map<string, VolumeContent>()
  for (const { name, emptyDir, hostPath } of spec.volumes) {
    const files = volumes.get(name)
    if (files) contents.set(name, { is: 'files', ...files })
    else if (hostPath) contents.set(name, { is: 'host', ...hostPath })
    else if (emptyDir) contents.set(name, emptyOf(emptyDir, spec))
  }
  const { fsGroup } = spec.securityContext
  return { contents, ...(fsGroup !== undefined && { group: fsGroup }), ...(missing !== undefined && { missing }) }
}

function emptyOf({ medium, sizeLimit }: { medium: string; sizeLimit?: string | number | undefined }, spec: PodSpec) {
  const memory = medium === 'Memory'
  const bounds = [amountOf(sizeLimit) ?? 0, memoryLimit(spec)].filter((bytes) => bytes > 0)
  return { is: 'empty', memory, ...(memory && bounds.length > 0 && { bytes: Math.min(...bounds) }) } as const
}

/** What all containers of a pod may use together, 0 for no bound: a volume in memory takes no more. */
function memoryLimit({ containers }: PodSpec): number {
  const limits = containers.map(({ resources }) => amountOf(resources.limits.memory) ?? 0)
  return limits.some((limit) => limit === 0) ? 0 : limits.reduce((sum, limit) => sum + limit, 0)
}
