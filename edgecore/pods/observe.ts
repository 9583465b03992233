import type { Key, KubeObject } from '@kedge/shared/objects'
import type { Objects } from '../store/objects.ts'
import type { PodRow } from '../store/pods.ts'
import { type Admission, isRejection, type Rejection } from './admission.ts'
import type { PodCare } from './care.ts'
import { setUp } from './container-setup.ts'
import type { Capacity } from './field-refs.ts'
import { isOnHold } from './hold-upgrade.ts'
import type { Images } from './images.ts'
import { lastWordsOf } from './last-words.ts'
import type { Lookup } from './lookup.ts'
import type { Mounts } from './mounts.ts'
import type { ImageInfo, PodName, Runtime, Sandbox } from './runtime.ts'
import { dependsOnImageUser } from './security.ts'
import type { Failure, ImageState, Situation } from './situation.ts'
import { readPod, type Wanted, type WantedSpec } from './spec.ts'
import type { PodStatus } from './status.ts'
import { noVolumes, type Volumes, volumesOf } from './volumes.ts'

export interface Look {
  situation: Situation
  /** The pod as the cloud sent it. */
  content?: KubeObject
  /** What its volumes should hold. */
  volumes: Volumes
  /** Who the images want to run as, where that decides on a container; by image. */
  users: ReadonlyMap<string, ImageInfo['user']>
  /** What was reported last of the wanted uid. */
  previous?: PodStatus
  /** Whether it was reported, too, that it has stopped for good. */
  toldStopped: boolean
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
  /** What pods can have of this node. */
  capacity: Capacity
  hostIP: string
  /** Whether somebody runs what is in the pods. */
  real: boolean
  now: () => number
  /** What a time that this process wrote down is by the clock of now; itself, unless given. */
  corrected?: (time: number) => number
}

export interface Subject {
  name: PodName
  key: Key
  row?: PodRow
  failures: ReadonlyMap<string, Failure>
  /** Who looks after its running containers. */
  care?: PodCare
  /** Called once when something that was looked at changes by itself. */
  changed: () => void
}

/** Looks at everything that concerns one pod. */
export async function observe(observer: Observer, subject: Subject): Promise<Look> {
  const { name, key, row, failures, care, changed } = subject
  const { objects, runtime, now, corrected = (time) => time } = observer
  const lookup: Lookup = (one) => objects.get(one)?.content
  const held = objects.get(key)
  // The key says which pod it is, also when the content claims another name (and is refused for it).
  const wanted = held && judged({ ...readPod(held.content, held.refused), ...name }, runtime)
  const content = held?.content
  const spec = wanted?.spec
  const files =
    content && spec ? volumesOf({ pod: content, spec: spec.of, lookup, capacity: observer.capacity }) : noVolumes
  const previous = row !== undefined && row.uid === wanted?.uid ? (row.status as unknown as PodStatus) : undefined
  const volumes = wanted === undefined ? ({ is: 'ready' } as const) : await stateOfVolumes(observer, wanted, files)
  const images = wanted === undefined ? new Map<string, ImageState>() : await imagesOf(observer, wanted, changed)
  const users = spec === undefined ? new Map<string, ImageInfo['user']>() : await usersOf(runtime, spec, images)
  const missing =
    content && spec ? unconfigured(observer, { pod: content, spec, lookup, users }) : new Map<string, string>()
  // The engine comes last: what it says is what the plan is about.
  const seen = await runtime.list(name)
  const rejection = wanted && held && rejectionOf(observer, { wanted, content: held.content, previous, seen })
  const ended = previous?.phase === 'Succeeded' ? 'succeeded' : previous?.phase === 'Failed' ? 'failed' : undefined
  const deadlineMs = wanted?.spec?.deadlineMs
  const startedAt = previous === undefined ? now() : corrected(Date.parse(previous.startTime))
  const unsupported = spec?.unsupported ?? []
  const lastWords = observer.real && spec ? await lastWordsOf(observer, spec, seen) : new Map<string, string>()
  const onHold = wanted !== undefined && content !== undefined && isOnHold(content, { uid: wanted.uid, seen, previous })
  care?.attend(wanted, seen, previous)
  return {
    situation: {
      ...(wanted && { wanted }),
      ...(ended && { ended }),
      ...(rejection && { rejection }),
      ...((onHold || observer.held?.(name)) && { held: true }),
      ...(onHold && { onHold }),
      ...(deadlineMs !== undefined && { expiresAt: startedAt + deadlineMs }),
      ...{ seen, images, volumes, unconfigured: missing, failures, lastWords, unsupported, now: now() },
      ...(care?.facts() ?? untended),
    },
    volumes: files,
    users,
    ...(content && { content }),
    ...(previous && { previous }),
    toldStopped: previous !== undefined && row?.stopped === true,
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

/** Of containers that nobody looks after nothing is known. */
const untended = { tended: new Map(), killed: new Set<string>(), downSince: new Map() }

/** Asks for the users of images where nothing else says whether a container runs as root. */
async function usersOf(
  runtime: Runtime,
  { containers, of }: WantedSpec,
  images: ReadonlyMap<string, ImageState>,
): Promise<Map<string, ImageInfo['user']>> {
  const users = new Map<string, ImageInfo['user']>()
  for (const container of containers) {
    const { image } = container
    const state = images.get(image)
    const isHere = state?.is === 'present' || (state?.is === 'failed' && state.id !== undefined)
    if (isHere && !users.has(image) && dependsOnImageUser(container.of, of.securityContext)) {
      users.set(image, (await runtime.imageInfo(image))?.user)
    }
  }
  return users
}

interface Configured {
  pod: KubeObject
  spec: WantedSpec
  lookup: Lookup
  users: ReadonlyMap<string, ImageInfo['user']>
}

/** Why containers cannot be configured, by their names. */
function unconfigured(
  { capacity, hostIP, real }: Observer,
  { pod, spec, lookup, users }: Configured,
): Map<string, string> {
  const faults = new Map<string, string>()
  for (const container of spec.containers) {
    const { image, of } = container
    // A user that nobody asked for yet is not held against anybody.
    const imageUser = real && users.has(image) ? users.get(image) : { uid: 1 }
    const addresses = { podIPs: [], hostIP }
    const made = setUp({ pod, spec, container, lookup, addresses, capacity, imageUser })
    if (!made.ok) faults.set(of.name, made.fault)
  }
  return faults
}

async function stateOfVolumes({ mounts }: Observer, wanted: Wanted, files: Volumes): Promise<Situation['volumes']> {
  if (files.missing !== undefined) return { is: 'missing', why: files.missing }
  if (wanted.refusal !== undefined || wanted.deletion !== undefined) return { is: 'ready' }
  return { is: (await mounts.holds(wanted.uid, files)) ? 'ready' : 'stale' }
}

async function imagesOf({ images }: Observer, wanted: Wanted, changed: () => void): Promise<Map<string, ImageState>> {
  const states = new Map<string, ImageState>()
  for (const { image } of wanted.spec?.containers ?? []) {
    if (!states.has(image)) states.set(image, await images.look(image, changed))
  }
  return states
}
