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
  const { tended, lastWords } = input.situation
  const told = { engine, initial, lastWords }
  const state = waiting ?? (latest ? stateOf(latest, told) : undefined) ?? previous?.state ?? initial
  const last = waiting && latest?.state.is === 'exited' ? latest : past.previous
  const running = 'running' in state
  const { started = true, ready = true } = (latest && tended.get(latest.id)) ?? {}
  const containerID = latest ? `${engine}://${latest.id}` : previous?.containerID
  return {
    name: container.name,
    state,
    lastState: last ? stateOf(last, { ...told, initial: {} }) : latest ? {} : (previous?.lastState ?? {}),
    // A regular init container is ready once it has ended well; the others when nothing speaks against it.
    ready: container.kind === 'init' ? 'terminated' in state && state.terminated.exitCode === 0 : running && ready,
    started: running && started,
    restartCount: latest?.attempt ?? previous?.restartCount ?? 0,
    image: latest?.image ?? container.image,
    imageID: latest?.imageId ?? previous?.imageID ?? '',
    ...(containerID === undefined ? {} : { containerID }),
  }
}

/** What a container says before there is anything to say of it. */
function initialOf({ wanted, own, situation }: ContainerInput): State {
  const initializes = wanted.spec?.containers.some(({ kind }) => kind !== 'main') === true
  const reason = initializes ? 'PodInitializing' : 'ContainerCreating'
  const { failures } = situation
  const trouble = own.sandbox === undefined ? (failures.get('sandbox') ?? failures.get('mount')) : undefined
  return { waiting: trouble === undefined ? { reason } : { reason, message: trouble.message } }
}

/** Why the container does not run although it should, or undefined when its own state says all there is. */
function waitingOf(input: ContainerInput): State | undefined {
  const { container, wanted, own, situation, fate } = input
  const { spec, refusal, deletion } = wanted
  const { latest, current } = pastOf(own, container.name)
  if (spec === undefined || fate !== 'open' || deletion || (current && isRunning(latest))) return undefined
  if (refusal) return latest ? undefined : { waiting: refusal }
  if (own.sandbox === undefined) return initialOf(input)
  if (!turnsOf(spec, own, situation).some(({ name }) => name === container.name))
    return current ? undefined : initialOf(input)
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

interface Telling {
  engine: string
  /** Of a container that was made and not started. */
  initial: State
  lastWords: ReadonlyMap<string, string>
}

function stateOf({ id, state }: Container, { engine, initial, lastWords }: Telling): State {
  switch (state.is) {
    case 'created':
      return initial
    case 'running':
    case 'stopping':
      return { running: { startedAt: rfc3339(state.startedAt) } }
    case 'exited': {
      const { exitCode, reason, startedAt, finishedAt } = state
      const message = [state.message, lastWords.get(id)].filter((text) => text).join(': ')
      const times = { startedAt: rfc3339(startedAt), finishedAt: rfc3339(finishedAt) }
      const said = message === '' ? {} : { message }
      return { terminated: { exitCode, reason, ...said, ...times, containerID: `${engine}://${id}` } }
    }
  }
}
