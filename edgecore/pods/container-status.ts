import { rfc3339 } from '@kedge/shared/clock'
import { needOf } from './container.ts'
import { turnsOf } from './plan.ts'
import type { Container } from './runtime.ts'
import { type Fate, isRunning, type Own, pastOf, type Situation } from './situation.ts'
import type { Wanted, WantedContainer } from './spec.ts'

/** `ContainerStatus` of a Pod. */
export interface ContainerStatus {
  name: string
  state: State
  lastState: State
  ready: boolean
  started: boolean
  restartCount: number
  image: string
  imageID: string
  containerID?: string
}

type State =
  | { waiting: { reason: string; message?: string } }
  | { running: { startedAt: string } }
  | { terminated: Terminated }
  | Record<string, never>

interface Terminated {
  exitCode: number
  reason: string
  message?: string
  startedAt: string
  finishedAt: string
  containerID: string
}

export interface ContainerInput {
  container: WantedContainer
  wanted: Wanted
  own: Own
  situation: Situation
  /** Name of the engine: the scheme of container ids. */
  engine: string
  fate: Fate
  /** What was reported last: what the engine has forgotten since stays true. */
  previous?: ContainerStatus
}

/** How one container of the spec is doing, in kubelet's words. */
export function containerStatus(input: ContainerInput): ContainerStatus {
  const { container, own, engine, previous } = input
  const past = pastOf(own, container.name)
  const { latest } = past
  const waiting = waitingOf(input)
  const initial = initialOf(input)
  const state = waiting ?? (latest ? stateOf(latest, engine, initial) : undefined) ?? previous?.state ?? initial
  const last = waiting && latest?.state.is === 'exited' ? latest : past.previous
  const running = 'running' in state
  const containerID = latest ? `${engine}://${latest.id}` : previous?.containerID
  return {
    name: container.name,
    state,
    lastState: last ? stateOf(last, engine, {}) : latest ? {} : (previous?.lastState ?? {}),
    // A regular init container is ready once it has ended well; nothing probes the others.
    ready: container.kind === 'init' ? 'terminated' in state && state.terminated.exitCode === 0 : running,
    started: running,
    restartCount: latest?.attempt ?? previous?.restartCount ?? 0,
    image: latest?.image ?? container.image,
    imageID: latest?.imageId ?? previous?.imageID ?? '',
    ...(containerID === undefined ? {} : { containerID }),
  }
}

/** What a container says before there is anything to say of it. */
function initialOf({ wanted }: ContainerInput): State {
  const initializes = wanted.spec?.containers.some(({ kind }) => kind !== 'main') === true
  return { waiting: { reason: initializes ? 'PodInitializing' : 'ContainerCreating' } }
}

/** Why the container does not run although it should, or undefined when its own state says all there is. */
function waitingOf(input: ContainerInput): State | undefined {
  const { container, wanted, own, situation, fate } = input
  const { spec, refusal, deletion } = wanted
  const { latest, current } = pastOf(own, container.name)
  if (spec === undefined || fate !== 'open' || deletion || (current && isRunning(latest))) return undefined
  if (refusal) return latest ? undefined : { waiting: refusal }
  if (own.sandbox === undefined) return initialOf(input)
  if (!turnsOf(spec, own).some(({ name }) => name === container.name)) return current ? undefined : initialOf(input)
  const need = needOf(
    { spec, wanted: container, past: pastOf(own, container.name), since: own.sandbox.createdAt },
    situation,
  )
  if (need.is === 'nothing') return undefined
  if (need.is !== 'wait') return latest?.state.is === 'exited' ? undefined : initialOf(input)
  const { reason, message } = need
  if (reason === 'ContainerCreating') return initialOf(input)
  return { waiting: message === undefined ? { reason } : { reason, message } }
}

function stateOf({ id, state }: Container, engine: string, initial: State): State {
  switch (state.is) {
    case 'created':
      return initial
    case 'running':
    case 'stopping':
      return { running: { startedAt: rfc3339(state.startedAt) } }
    case 'exited': {
      const { exitCode, reason, message, startedAt, finishedAt } = state
      const times = { startedAt: rfc3339(startedAt), finishedAt: rfc3339(finishedAt) }
      const said = message === undefined ? {} : { message }
      return { terminated: { exitCode, reason, ...said, ...times, containerID: `${engine}://${id}` } }
    }
  }
}
