import * as z from 'zod'
import { FieldRef, Quantity, ResourceFieldRef } from './container-schema.ts'

/** What Kedge reads of a volume in a pod spec. Other sources are judged by `unsupported.ts`. */

const Mode = z.int().min(0).max(0o777)
const Items = z.array(z.object({ key: z.string(), path: z.string(), mode: Mode.optional() })).optional()
const ObjectSource = z.object({ name: z.string(), items: Items, optional: z.boolean().default(false) })
export type ObjectSource = z.infer<typeof ObjectSource>

const DownwardItem = z.object({
  path: z.string(),
  mode: Mode.optional(),
  fieldRef: FieldRef.optional(),
  resourceFieldRef: ResourceFieldRef.optional(),
})
const Downward = z.object({ items: z.array(DownwardItem).default([]) })

const Source = z.object({
  configMap: ObjectSource.optional(),
  secret: ObjectSource.optional(),
  downwardAPI: Downward.optional(),
})
/** One thing that puts files into a volume. */
export type Source = z.infer<typeof Source>

const withDefaultMode = { defaultMode: Mode.default(0o644) }

export const hostPathTypes = [
  '',
  'DirectoryOrCreate',
  'Directory',
  'FileOrCreate',
  'File',
  'Socket',
  'CharDevice',
  'BlockDevice',
] as const
const HostPath = z.object({
  path: z.string().regex(/^\//, 'is not an absolute path'),
  type: z.enum(hostPathTypes).default(''),
})
export type HostPath = z.infer<typeof HostPath>

export const Volume = z.object({
  // A name is a folder: nothing but a DNS label, as Kubernetes demands.
  name: z.string().regex(/^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/, 'is not a DNS label'),
  configMap: ObjectSource.extend(withDefaultMode).optional(),
  secret: ObjectSource.omit({ name: true })
    .extend({ ...withDefaultMode, secretName: z.string() })
    .optional(),
  downwardAPI: Downward.extend(withDefaultMode).optional(),
  projected: z.object({ sources: z.array(Source).default([]), ...withDefaultMode }).optional(),
  emptyDir: z.object({ medium: z.string().default(''), sizeLimit: Quantity.optional() }).optional(),
  hostPath: HostPath.optional(),
})
export type Volume = z.infer<typeof Volume>
