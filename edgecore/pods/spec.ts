import type { KubeObject } from '@kedge/shared/objects'
import * as z from 'zod'
import type { ContainerKind, PodConfig, PodId } from './runtime.ts'

/** What Kedge reads of a pod spec. The rest is kept as it came. */
const Container = z.looseObject({
  name: z.string().min(1),
  image: z.string().min(1),
  imagePullPolicy: z.enum(['Always', 'IfNotPresent', 'Never']).optional(),
  restartPolicy: z.literal('Always').optional(),
})

const PodSpec = z.looseObject({
  containers: z.array(Container).min(1),
  initContainers: z.array(Container).default([]),
  restartPolicy: z.enum(['Always', 'OnFailure', 'Never']).default('Always'),
  terminationGracePeriodSeconds: z.number().nonnegative().default(30),
  hostNetwork: z.boolean().default(false),
  activeDeadlineSeconds: z.int().positive().optional(),
  ephemeralContainers: z.array(z.unknown()).default([]),
})

export interface WantedContainer {
  name: string
  kind: ContainerKind
  image: string
  pull: 'Always' | 'IfNotPresent' | 'Never'
}

/** What is wanted of one pod. */
export interface Wanted extends PodId {
  /** Somebody asked to delete it: its containers have `graceMs` to end. */
  deletion?: { graceMs: number }
  /** Why nothing new is made of it, naming the field. */
  refusal?: { reason: string; message: string }
  /** Absent when the spec cannot be read; then there is a refusal. */
  spec?: WantedSpec
}

export interface WantedSpec {
  /** Init containers and sidecars in their order, then the others in theirs. */
  containers: WantedContainer[]
  restartPolicy: 'Always' | 'OnFailure' | 'Never'
  hostNetwork: boolean
  /** How long the pod may be active on the node. */
  deadlineMs?: number
  /** What of the spec is not done, each by name. */
  unsupported: string[]
  config: PodConfig
}

/** Reads the content of a Pod; whatever is wrong with it is a refusal, never an error. */
export function readPod(content: KubeObject, refused: string | null): Wanted {
  const { name, namespace = 'default', uid = '', deletionTimestamp, deletionGracePeriodSeconds } = content.metadata
  const parsed = PodSpec.safeParse(content.spec)
  const spec = parsed.success ? specOf(content, parsed.data) : undefined
  const fault = refused ?? (parsed.success ? faultOf(uid, parsed.data) : faultsOf(parsed.error))
  const graceMs = deletionGracePeriodSeconds === undefined ? undefined : deletionGracePeriodSeconds * 1000
  return {
    namespace,
    name,
    uid,
    ...(deletionTimestamp === undefined ? {} : { deletion: { graceMs: graceMs ?? spec?.config.graceMs ?? 30_000 } }),
    ...(fault === undefined ? {} : { refusal: { reason: 'InvalidPod', message: fault } }),
    ...(spec === undefined ? {} : { spec }),
  }
}

type Spec = z.infer<typeof PodSpec>

function specOf({ metadata }: KubeObject, spec: Spec): WantedSpec {
  const { name, namespace = 'default', uid = '', labels = {}, annotations = {} } = metadata
  const init = spec.initContainers.map((one) =>
    wantedContainer(one, one.restartPolicy === undefined ? 'init' : 'sidecar'),
  )
  const containers = [...init, ...spec.containers.map((one) => wantedContainer(one, 'main'))]
  const graceMs = spec.terminationGracePeriodSeconds * 1000
  return {
    containers,
    restartPolicy: spec.restartPolicy,
    hostNetwork: spec.hostNetwork,
    ...(spec.activeDeadlineSeconds !== undefined && { deadlineMs: spec.activeDeadlineSeconds * 1000 }),
    unsupported:
      spec.ephemeralContainers.length > 0 ? ['spec.ephemeralContainers: not supported, none is started.'] : [],
    config: { namespace, name, uid, labels, annotations, containers, graceMs },
  }
}

function wantedContainer(one: z.infer<typeof Container>, kind: ContainerKind): WantedContainer {
  const { name, image, imagePullPolicy } = one
  return { name, kind, image, pull: imagePullPolicy ?? (isLatest(image) ? 'Always' : 'IfNotPresent') }
}

/** Kubernetes' default: what names no version, or `latest`, is asked for each time. */
function isLatest(image: string): boolean {
  if (image.includes('@')) return false
  const last = image.slice(image.lastIndexOf('/') + 1)
  return !last.includes(':') || last.endsWith(':latest')
}

function faultOf(uid: string, spec: Spec): string | undefined {
  if (uid === '') return 'metadata.uid: is missing'
  const names = [...spec.initContainers, ...spec.containers].map(({ name }) => name)
  const twice = names.find((name, index) => names.indexOf(name) !== index)
  return twice === undefined ? undefined : `spec.containers: two containers are named "${twice}"`
}

function faultsOf(error: z.ZodError): string {
  return error.issues
    .slice(0, 5)
    .map(({ path, message }) => `${['spec', ...path].join('.')}: ${message}`)
    .join('; ')
}
