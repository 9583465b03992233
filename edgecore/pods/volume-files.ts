import { type KubeObject, keyOf } from '@kedge/shared/objects'
import * as z from 'zod'
import type { Lookup } from './unconfigured.ts'

export interface VolumeFile {
  data: Buffer
  mode: number
}

/** The files of each volume that ConfigMaps, Secrets and the pod itself fill: path in the volume → file. */
export interface VolumeFiles {
  volumes: Map<string, Map<string, VolumeFile>>
  /** What keeps the pod from starting, in kubelet's words: the first object or key that is missing. */
  missing?: string
  /** What the pod asks for and this version does not write, each by name. */
  unsupported: string[]
}

const Mode = z.int().min(0).max(0o777)
const Items = z.array(z.object({ key: z.string(), path: z.string(), mode: Mode.optional() })).optional()
const ConfigMapSource = z.object({ name: z.string(), items: Items, optional: z.boolean().default(false) })
const DownwardItem = z.object({
  path: z.string(),
  mode: Mode.optional(),
  fieldRef: z.object({ fieldPath: z.string() }).optional(),
})
const Downward = z.object({ items: z.array(DownwardItem).default([]) })
const Source = z.object({
  configMap: ConfigMapSource.optional(),
  secret: ConfigMapSource.optional(),
  downwardAPI: Downward.optional(),
  serviceAccountToken: z.unknown().optional(),
})
const withDefaultMode = { defaultMode: Mode.default(0o644) }
const Volume = z.object({
  // A name is a folder: nothing but a DNS label, as Kubernetes demands.
  name: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'is not a DNS label'),
  configMap: ConfigMapSource.extend(withDefaultMode).optional(),
  secret: ConfigMapSource.omit({ name: true })
    .extend({ ...withDefaultMode, secretName: z.string() })
    .optional(),
  downwardAPI: Downward.extend(withDefaultMode).optional(),
  projected: z.object({ sources: z.array(Source).default([]), ...withDefaultMode }).optional(),
})

type Part = z.infer<typeof Source> & { defaultMode: number }

/** What lies in the volumes of a pod, given the objects that the node holds. Never throws: what is wrong is `missing`. */
export function volumeFiles(pod: KubeObject, lookup: Lookup): VolumeFiles {
  const out: VolumeFiles = { volumes: new Map(), unsupported: [] }
  const parsed = z.array(Volume).default([]).safeParse(pod.spec?.volumes)
  if (!parsed.success) {
    const [issue] = parsed.error.issues
    return { ...out, missing: `spec.volumes.${issue?.path.join('.')}: ${issue?.message}` }
  }
  for (const volume of parsed.data) {
    const parts = partsOf(volume)
    if (parts === undefined) continue
    const files = new Map<string, VolumeFile>()
    for (const part of parts) {
      const fault = fill(files, part, {
        pod,
        lookup,
        unsupported: (what) => out.unsupported.push(`volume ${volume.name}: ${what}`),
      })
      if (fault !== undefined) out.missing ??= `MountVolume.SetUp failed for volume "${volume.name}" : ${fault}`
    }
    out.volumes.set(volume.name, files)
  }
  return out
}

function partsOf({ configMap, secret, downwardAPI, projected }: z.infer<typeof Volume>): Part[] | undefined {
  if (configMap) return [{ configMap, defaultMode: configMap.defaultMode }]
  if (secret) return [{ secret: { ...secret, name: secret.secretName }, defaultMode: secret.defaultMode }]
  if (downwardAPI) return [{ downwardAPI, defaultMode: downwardAPI.defaultMode }]
  return projected?.sources.map((source) => ({ ...source, defaultMode: projected.defaultMode }))
}

interface Context {
  pod: KubeObject
  lookup: Lookup
  unsupported: (what: string) => void
}

/** Adds the files of one source; gives back what is wrong with it. */
function fill(files: Map<string, VolumeFile>, part: Part, context: Context): string | undefined {
  const { configMap, secret, downwardAPI, defaultMode } = part
  if (configMap) return fromObject(files, 'configmaps', configMap, { ...context, defaultMode })
  if (secret) return fromObject(files, 'secrets', secret, { ...context, defaultMode })
  if (part.serviceAccountToken !== undefined)
    context.unsupported('serviceAccountToken is not supported, no token is written.')
  for (const { path, mode = defaultMode, fieldRef } of downwardAPI?.items ?? []) {
    const value = fieldRef && fieldOf(context.pod, fieldRef.fieldPath)
    if (value === undefined)
      context.unsupported(
        `downwardAPI ${fieldRef?.fieldPath ?? 'resourceFieldRef'} is not supported, no file is written.`,
      )
    else if (!isSafe(path)) return `path "${path}" leaves the volume`
    else files.set(path, { data: Buffer.from(value), mode })
  }
  return undefined
}

function fromObject(
  files: Map<string, VolumeFile>,
  resource: 'configmaps' | 'secrets',
  { name, items, optional }: z.infer<typeof ConfigMapSource>,
  { pod, lookup, defaultMode }: Context & { defaultMode: number },
): string | undefined {
  const object = name.includes('/') ? undefined : lookup(keyOf(resource, pod.metadata.namespace ?? 'default', name))
  const kind = resource === 'configmaps' ? 'configmap' : 'secret'
  if (object === undefined) return optional ? undefined : `${kind} "${name}" not found`
  const contents = contentsOf(resource, object)
  for (const { key, path, mode = defaultMode } of items ??
    [...contents.keys()].map((key) => ({ key, path: key, mode: undefined }))) {
    const data = contents.get(key)
    if (data === undefined && optional) continue
    if (data === undefined) return `${kind} "${name}" references non-existent key: ${key}`
    if (!isSafe(path)) return `${kind} "${name}": path "${path}" leaves the volume`
    files.set(path, { data, mode })
  }
  return undefined
}

function contentsOf(resource: 'configmaps' | 'secrets', object: KubeObject): Map<string, Buffer> {
  const encoding = resource === 'secrets' ? 'base64' : 'utf8'
  const contents = new Map<string, Buffer>()
  for (const [key, value] of texts(object.data)) contents.set(key, Buffer.from(value, encoding))
  for (const [key, value] of texts(object.binaryData)) contents.set(key, Buffer.from(value, 'base64'))
  return contents
}

function texts(map: unknown): [string, string][] {
  if (typeof map !== 'object' || map === null) return []
  return Object.entries(map).filter((entry): entry is [string, string] => typeof entry[1] === 'string')
}

/** Relative, and never up: also nothing that begins with two dots, which is where the writer keeps its own. */
function isSafe(path: string): boolean {
  return (
    path !== '' &&
    !path.includes('\0') &&
    path.split('/').every((part) => part !== '' && part !== '.' && !part.startsWith('..'))
  )
}

function fieldOf({ metadata }: KubeObject, path: string): string | undefined {
  const [, map, key] = /^metadata\.(labels|annotations)\['(.+)'\]$/.exec(path) ?? []
  if (map !== undefined && key !== undefined) return metadata[map as 'labels' | 'annotations']?.[key] ?? ''
  switch (path) {
    case 'metadata.name':
    case 'metadata.namespace':
    case 'metadata.uid':
      return metadata[path.slice('metadata.'.length) as 'name' | 'namespace' | 'uid'] ?? ''
    case 'metadata.labels':
    case 'metadata.annotations': {
      const entries = Object.entries(metadata[path.slice('metadata.'.length) as 'labels' | 'annotations'] ?? {})
      return entries
        .map(([name, value]) => `${name}=${JSON.stringify(value)}`)
        .sort()
        .join('\n')
    }
    default:
      return undefined
  }
}
