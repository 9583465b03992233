import type { Container } from './runtime.ts'
import type { ImageState, Past, Situation } from './situation.ts'
import { isRunning, staysDown } from './situation.ts'
import type { WantedContainer, WantedSpec } from './spec.ts'

/** What one container of the spec needs next, once its turn has come. */
export type Need =
  | { is: 'nothing' }
  | { is: 'start'; id: string }
  | { is: 'create'; attempt: number; backoffMs: number; imageId: string }
  | { is: 'pull' }
  /** `graceMs`: what it gets to end, if not what the pod says. */
  | { is: 'stop'; id: string; why: string; graceMs?: number }
  /** Nothing can be done before `until`, or before something else happens. Reason and message as kubelet gives them. */
  | { is: 'wait'; reason: string; message?: string; until?: number }

const firstBackoff = 10_000
const longestBackoff = 300_000
/** Who ran this long has recovered: its next restart is at once. */
const recovered = 2 * longestBackoff

export interface Turn {
  spec: WantedSpec
  wanted: WantedContainer
  past: Past
  /** When the sandbox that is in use was made. */
  since: number
}

/**
 * What a container needs, given that its turn has come: restarts by the pod's policy, at once the first time, then after
 * 10 s doubling to 5 min, as kubelet does. The delay is kept with the container itself, so it outlives edgecore.
 */
export function needOf(turn: Turn, situation: Situation): Need {
  const { spec, wanted, past } = turn
  const { latest, current } = past
  if (latest !== undefined && current) {
    if (isRunning(latest)) return whileRunning(latest, wanted, situation)
    if (latest.state.is === 'created') return failed(wanted, situation) ?? { is: 'start', id: latest.id }
    if (wanted.kind === 'init' && latest.state.is === 'exited' && latest.state.exitCode === 0) return { is: 'nothing' }
  }
  if (wanted.kind !== 'init' || current) {
    if (staysDown(spec, wanted, { container: latest, killed: situation.killed })) return { is: 'nothing' }
  }
  return backoffWait(turn, situation.now) ?? toCreate(turn, situation)
}

function whileRunning({ id, image, state }: Container, wanted: WantedContainer, { tended }: Situation): Need {
  const { endsBy, doomed } = tended.get(id) ?? {}
  if (state.is === 'stopping' || endsBy !== undefined) return { is: 'nothing' }
  if (image !== wanted.image) return { is: 'stop', id, why: `Container ${wanted.name} definition changed` }
  return doomed === undefined ? { is: 'nothing' } : { is: 'stop', id, ...doomed }
}

function backoffWait({ spec, wanted, past: { latest, current } }: Turn, now: number): Need | undefined {
  // Whoever went down with its sandbox, in a power cut for instance, has not crashed.
  if (latest?.state.is !== 'exited' || !current || latest.image !== wanted.image) return undefined
  const { startedAt, finishedAt } = latest.state
  const delay = finishedAt - startedAt > recovered ? 0 : latest.backoffMs
  // A clock that was set back must not turn seconds into years.
  if (now < finishedAt || now - finishedAt >= delay) return undefined
  const { namespace, name, uid } = spec.config
  const message = `back-off ${delay / 1000}s restarting failed container=${wanted.name} pod=${name}_${namespace}(${uid})`
  return { is: 'wait', reason: 'CrashLoopBackOff', message, until: finishedAt + delay }
}

function nextBackoff({ image }: WantedContainer, { latest, current }: Past): number {
  if (latest === undefined || latest.image !== image) return 0
  if (latest.state.is !== 'exited' || !current) return latest.backoffMs
  const { startedAt, finishedAt } = latest.state
  if (latest.backoffMs === 0 || finishedAt - startedAt > recovered) return firstBackoff
  return Math.min(2 * latest.backoffMs, longestBackoff)
}

function toCreate({ wanted, past, since }: Turn, situation: Situation): Need {
  const neededSince = Math.max(since, past.latest?.state.is === 'exited' ? past.latest.state.finishedAt : 0)
  const image = imageFor(wanted, situation, neededSince)
  if ('is' in image) return image
  const unconfigured = situation.unconfigured.get(wanted.name)
  if (unconfigured !== undefined) return { is: 'wait', reason: 'CreateContainerConfigError', message: unconfigured }
  const attempt = past.latest === undefined ? 0 : past.latest.attempt + 1
  return failed(wanted, situation) ?? { is: 'create', attempt, backoffMs: nextBackoff(wanted, past), imageId: image.id }
}

function failed({ name }: WantedContainer, { failures, now }: Situation): Need | undefined {
  const failure = failures.get(`container/${name}`)
  if (failure === undefined || failure.retryAt <= now) return undefined
  return { is: 'wait', reason: failure.reason, message: failure.message, until: failure.retryAt }
}

/**
 * The image to use, or what to do first. "Always" asks the registry before each start; when it cannot be asked, the copy
 * on the node is used: a node without its uplink must come back from what it has.
 */
function imageFor(
  { image, pull }: WantedContainer,
  { images, now }: Situation,
  neededSince: number,
): { id: string } | Need {
  const state = images.get(image) ?? { is: 'absent' }
  switch (state.is) {
    case 'pulling':
      return { is: 'wait', reason: 'ContainerCreating' }
    case 'absent':
      return pull === 'Never' ? neverPull(image) : { is: 'pull' }
    case 'present': {
      const asked = state.pulledAt !== undefined && state.pulledAt >= neededSince
      return pull === 'Always' && !asked ? { is: 'pull' } : { id: state.id }
    }
    case 'failed':
      if (state.id !== undefined && (state.failedAt >= neededSince || pull !== 'Always')) return { id: state.id }
      if (state.retryAt <= now) return { is: 'pull' }
      return state.id === undefined ? pullWait(image, state) : { id: state.id }
  }
}

function neverPull(image: string): Need {
  const message = `Container image "${image}" is not present with pull policy of Never`
  return { is: 'wait', reason: 'ErrImageNeverPull', message }
}

function pullWait(image: string, { message, retryAt, tries }: Extract<ImageState, { is: 'failed' }>): Need {
  if (tries === 1) return { is: 'wait', reason: 'ErrImagePull', message, until: retryAt }
  const text = `Back-off pulling image "${image}": ${message}`
  return { is: 'wait', reason: 'ImagePullBackOff', message: text, until: retryAt }
}
