import type { Key, KubeObject } from '@kedge/shared/objects'
import type { Objects } from '../store/objects.ts'
import type { PodRow } from '../store/pods.ts'
import { type Admission, isRejection, type Rejection } from './admission.ts'
import type { Images } from './images.ts'
import type { Mounts } from './mounts.ts'
import type { PodName, Runtime, Sandbox } from './runtime.ts'
import type { Failure, ImageState, Situation } from './situation.ts'
import { readPod, type Wanted } from './spec.ts'
import type { PodStatus } from './status.ts'
import { type Lookup, unconfigured } from './unconfigured.ts'
import { type VolumeFiles, volumeFiles } from './volume-files.ts'

export interface Look {
  situation: Situation
  /** The pod as the cloud sent it. */
  content?: KubeObject
  /** What its volumes should hold. */
  files: VolumeFiles
  /** What was reported last of the wanted uid. */
  previous?: PodStatus
}

export interface Observer {
  objects: Pick<Objects, 'get' | 'list'>
  /** Who has room on this node; without it, everyone. */
  admission?: Admission
  /** Whether a pod is to be down for now. */
  held?: (pod: PodName) => boolean
  runtime: Runtime
  images: Images
  mounts: Mounts
  now: () => number
  /** What a time that this process wrote down is by the clock of now; itself, unless given. */
  corrected?: (time: number) => number
}

export interface Subject {
  name: PodName
  key: Key
  row?: PodRow
  failures: ReadonlyMap<string, Failure>
  /** Called once when something that was looked at changes by itself. */
  changed: () => void
}

/** Looks at everything that concerns one pod. */
export async function observe(observer: Observer, { name, key, row, failures, changed }: Subject): Promise<Look> {
  const { objects, runtime, now, corrected = (time) => time } = observer
  const lookup: Lookup = (one) => objects.get(one)?.content
  const held = objects.get(key)
  // The key says which pod it is, also when the content claims another name (and is refused for it).
  const wanted = held && judged({ ...readPod(held.content, held.refused), ...name }, runtime)
  const files: VolumeFiles = held ? volumeFiles(held.content, lookup) : { volumes: new Map(), unsupported: [] }
  const missing = held ? unconfigured(held.content, lookup) : new Map<string, string>()
  const previous = row !== undefined && row.uid === wanted?.uid ? (row.status as unknown as PodStatus) : undefined
  const volumes = wanted === undefined ? ({ is: 'ready' } as const) : await volumesOf(observer, wanted, files)
  const images = wanted === undefined ? new Map<string, ImageState>() : await imagesOf(observer, wanted, changed)
  // The engine comes last: what it says is what the plan is about.
  const seen = await runtime.list(name)
  const rejection = wanted && held && rejectionOf(observer, { wanted, content: held.content, previous, seen })
  const ended = previous?.phase === 'Succeeded' ? 'succeeded' : previous?.phase === 'Failed' ? 'failed' : undefined
  const deadlineMs = wanted?.spec?.deadlineMs
  const startedAt = previous === undefined ? now() : corrected(Date.parse(previous.startTime))
  const unsupported = [...(wanted?.spec?.unsupported ?? []), ...files.unsupported]
  return {
    situation: {
      ...(wanted && { wanted }),
      ...(ended && { ended }),
      ...(rejection && { rejection }),
      ...(observer.held?.(name) && { held: true }),
      ...(deadlineMs !== undefined && { expiresAt: startedAt + deadlineMs }),
      ...{ seen, images, volumes, unconfigured: missing, failures, unsupported, now: now() },
    },
    files,
    ...(held && { content: held.content }),
    ...(previous && { previous }),
  }
}

interface Candidate {
  wanted: Wanted
  content: KubeObject
  previous: PodStatus | undefined
  seen: readonly Sandbox[]
}

/** Why the node does not take the pod: asked once, before anything is made of it, and remembered in its status. */
function rejectionOf({ admission }: Observer, { wanted, content, previous, seen }: Candidate): Rejection | undefined {
  const { phase, reason = '', message = '' } = previous ?? {}
  if (phase === 'Failed' && isRejection(reason)) return { reason, message }
  const known = previous !== undefined || seen.some(({ pod }) => pod.uid === wanted.uid)
  if (wanted.refusal !== undefined || (wanted.deletion !== undefined && !known)) return undefined
  const ended = phase === 'Failed' || phase === 'Succeeded'
  return admission?.judge({ uid: wanted.uid, content, known, ended })
}

/** The pod with what its engine has against it. */
function judged(wanted: Wanted, runtime: Runtime): Wanted {
  if (wanted.refusal !== undefined || wanted.spec === undefined) return wanted
  const message = runtime.refusal(wanted.spec.config)
  return message === undefined ? wanted : { ...wanted, refusal: { reason: 'RefusedByRuntime', message } }
}

async function volumesOf({ mounts }: Observer, wanted: Wanted, files: VolumeFiles): Promise<Situation['volumes']> {
  if (files.missing !== undefined) return { is: 'missing', why: files.missing }
  if (wanted.refusal !== undefined || wanted.deletion !== undefined) return { is: 'ready' }
  return { is: (await mounts.holds(wanted.uid, files.volumes)) ? 'ready' : 'stale' }
}

async function imagesOf({ images }: Observer, wanted: Wanted, changed: () => void): Promise<Map<string, ImageState>> {
  const states = new Map<string, ImageState>()
  for (const { image } of wanted.spec?.containers ?? []) {
    if (!states.has(image)) states.set(image, await images.look(image, changed))
  }
  return states
}
