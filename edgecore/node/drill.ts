import { explain } from '@kedge/shared/errors'
import { asArray, asObject } from '@kedge/shared/kubeapi/schema'
import type { KubeObject } from '@kedge/shared/objects'
import type { Pods } from '../pods/pods.ts'
import type { PodName, Runtime, Sandbox } from '../pods/runtime.ts'
import { isRunning } from '../pods/situation.ts'
import type { Objects } from '../store/objects.ts'
import type { PodStatuses } from '../store/pods.ts'
import { type OfflineFacts, type Unready, unreadiness } from './offline-ready.ts'
import type { PodControl } from './pod-control.ts'

/** One line of what a drill tells. */
export type DrillEvent =
  /** What it is about to do, and what is expected to go wrong. `skipped` says why a pod is left alone. */
  | { is: 'plan'; engine: string; pods: { pod: string; skipped?: string }[]; unready: Unready[] }
  /** The link is down, if there is one, and no registry is asked. */
  | { is: 'alone'; linked: boolean }
  | { is: 'down'; pods: number; ms: number }
  | { is: 'back'; pod: string; ms: number }
  | { is: 'missing'; pod: string; why: string }
  | { is: 'failed'; why: string }
  | { is: 'done'; ok: boolean; ms: number }

export interface DrillParts {
  objects: Pick<Objects, 'list'>
  statuses: Pick<PodStatuses, 'get'>
  runtime: Pick<Runtime, 'list' | 'name'>
  pods: Pick<Pods, 'release' | 'images'>
  control: Pick<PodControl, 'down'>
  facts: () => Promise<OfflineFacts>
  /** The link to the cloud; absent on a node without one. */
  link?: { pause(): Promise<void>; resume(): void } | undefined
  monotonic: () => number
}

export interface DrillWish {
  /** Only say what would be done. */
  dryRun: boolean
  /** How long the pods have to come back, milliseconds. */
  timeoutMs: number
  signal: AbortSignal
}

interface Candidate {
  name: PodName
  pod: string
  skipped?: string
  content: KubeObject
}

const lookMs = 100

/**
 * Does what a power cut without the cloud would do, as gently as that goes: the link is put down, no registry is asked,
 * every pod is taken down by its grace and has to come back from what is on this node.
 *
 * Invariant: however it ends, the link is put up again, registries are asked again, and no pod stays held.
 */
export async function* drill(parts: DrillParts, wish: DrillWish): AsyncGenerator<DrillEvent> {
  const began = parts.monotonic()
  const since = () => Math.round(parts.monotonic() - began)
  const candidates = candidatesOf(parts)
  const chosen = candidates.filter(({ skipped }) => skipped === undefined)
  const unready = unreadiness(await parts.facts())
  const pods = candidates.map(({ pod, skipped }) => ({ pod, ...(skipped !== undefined && { skipped }) }))
  yield { is: 'plan', engine: parts.runtime.name, pods, unready }
  if (wish.dryRun) return yield { is: 'done', ok: unready.length === 0, ms: since() }
  let ok = true
  try {
    await parts.link?.pause()
    parts.pods.images.goOffline()
    yield { is: 'alone', linked: parts.link !== undefined }
    const before = new Set((await parts.runtime.list()).map(({ id }) => id))
    const enough = AbortSignal.any([wish.signal, AbortSignal.timeout(wish.timeoutMs)])
    await Promise.all(chosen.map(({ name }) => parts.control.down(name, enough)))
    yield { is: 'down', pods: chosen.length, ms: since() }
    for (const { name } of chosen) parts.pods.release(name)
    for await (const event of returning(parts, { chosen, before, wish, since })) {
      if (event.is === 'missing') ok = false
      yield event
    }
  } catch (error) {
    ok = false
    yield { is: 'failed', why: explain(error) }
  } finally {
    for (const { name } of chosen) parts.pods.release(name)
    parts.pods.images.goOnline()
    parts.link?.resume()
  }
  yield { is: 'done', ok: ok && !wish.signal.aborted, ms: since() }
}

/** One drill at a time: another one would let the pods come up that this one waits to see down. */
export function drillsOf(parts: () => DrillParts): (wish: DrillWish) => AsyncGenerator<DrillEvent> {
  let underWay = false
  return async function* (wish) {
    if (underWay) {
      yield { is: 'failed', why: 'another drill is under way; wait for its end' }
      return yield { is: 'done', ok: false, ms: 0 }
    }
    underWay = true
    try {
      yield* drill(parts(), wish)
    } finally {
      underWay = false
    }
  }
}

/** The pods of this node, and why some are not drilled: what would not be started again is left to run. */
function candidatesOf({ objects, statuses }: DrillParts): Candidate[] {
  return objects.list('pods').map(({ content, refused }) => {
    const { namespace = 'default', name, deletionTimestamp } = content.metadata
    const pod = `${namespace}/${name}`
    const policy = asObject(content.spec).restartPolicy ?? 'Always'
    const status = statuses.get(pod)?.status ?? {}
    const { phase = 'Pending' } = status
    const skipped =
      refused !== null
        ? `refused: ${refused}`
        : deletionTimestamp !== undefined
          ? 'it is being deleted'
          : phase !== 'Running'
            ? `it does not run (${phase})`
            : policy !== 'Always'
              ? `restartPolicy ${policy}: it would not be started again`
              : // What is not well before cannot show by being unwell that the drill has failed.
                isReady(status)
                ? undefined
                : `it is not ready before: ${whyNot(status)}`
    return { name: { namespace, name }, pod, content, ...(skipped !== undefined && { skipped }) }
  })
}

interface Returning {
  chosen: readonly Candidate[]
  /** Sandboxes from before the drill. */
  before: ReadonlySet<string>
  wish: DrillWish
  since: () => number
}

async function* returning(
  parts: DrillParts,
  { chosen, before, wish, since }: Returning,
): AsyncGenerator<DrillEvent, void> {
  const deadline = since() + wish.timeoutMs
  let waiting = [...chosen]
  while (waiting.length > 0) {
    const seen = await parts.runtime.list()
    const back = waiting.filter((one) => isBack(parts, one, seen, before))
    for (const { pod } of back) yield { is: 'back', pod, ms: since() }
    waiting = waiting.filter((one) => !back.includes(one))
    if (wish.signal.aborted || since() > deadline) break
    if (waiting.length > 0) await new Promise((resolve) => setTimeout(resolve, lookMs))
  }
  for (const { pod } of waiting) yield { is: 'missing', pod, why: whyNot(parts.statuses.get(pod)?.status ?? {}) }
}

function isBack(
  { statuses }: DrillParts,
  { name, pod, content }: Candidate,
  seen: readonly Sandbox[],
  before: ReadonlySet<string>,
): boolean {
  const sandbox = seen.find(
    (one) => one.ready && one.pod.namespace === name.namespace && one.pod.name === name.name && !before.has(one.id),
  )
  if (sandbox === undefined) return false
  const wanted = asArray(content.spec?.containers).map((one) => asObject(one).name)
  const runs = wanted.every((each) => sandbox.containers.some((one) => one.name === each && isRunning(one)))
  return runs && isReady(statuses.get(pod)?.status ?? {})
}

function isReady({ conditions }: Record<string, unknown>): boolean {
  return asArray(conditions)
    .map(asObject)
    .some(({ type, status }) => type === 'Ready' && status === 'True')
}

/** What the pod's status says of why it is not ready. */
function whyNot(status: Record<string, unknown>): string {
  const containers = [...asArray(status.initContainerStatuses), ...asArray(status.containerStatuses)].map(asObject)
  for (const { name, state } of containers) {
    const { reason, message } = asObject(asObject(state).waiting)
    if (reason !== undefined) return `container ${name}: ${reason}${message === undefined ? '' : `: ${message}`}`
  }
  const unready = containers.flatMap(({ name, ready }) => (ready === true ? [] : [name]))
  const said = typeof status.message === 'string' ? `: ${status.message}` : ''
  return unready.length > 0 ? `not ready: ${unready.join(', ')}` : `${status.phase ?? 'Pending'}${said}`
}
