import { rfc3339 } from '@kedge/shared/clock'
import type { QosClass } from '@kedge/shared/kubeapi/qos'
import { type ContainerStatus, containerStatus } from './container-status.ts'
import { holdMessage } from './hold-upgrade.ts'
import { letsPass } from './plan.ts'
import type { Notice } from './runtime.ts'
import { type Fate, fateOf, isRunning, type Own, ownOf, pastOf, type Situation } from './situation.ts'
import type { Wanted, WantedContainer } from './spec.ts'

/** `Pod.status` as Kedge reports it. */
export interface PodStatus {
  phase: 'Pending' | 'Running' | 'Succeeded' | 'Failed'
  conditions: Condition[]
  message?: string
  reason?: string
  hostIP: string
  hostIPs: { ip: string }[]
  podIP?: string
  podIPs?: { ip: string }[]
  /** When this node took the pod, RFC 3339. */
  startTime: string
  qosClass: QosClass
  initContainerStatuses?: ContainerStatus[]
  containerStatuses: ContainerStatus[]
}

export interface Condition {
  type: string
  status: 'True' | 'False'
  reason?: string
  message?: string
  lastTransitionTime: string
}

export interface StatusInput {
  wanted: Wanted
  situation: Situation
  /** What was reported last of the same pod: where nothing changed, its times stay. */
  previous?: PodStatus
  hostIP: string
  qosClass: QosClass
  runtime: { name: string; notice?: Notice }
}

/** `Pod.status` as kubelet would give it. Equal situations give equal statuses, whatever the time. */
export function podStatus(input: StatusInput): PodStatus {
  const { wanted, situation, previous, hostIP, runtime } = input
  const own = ownOf(situation)
  const fate = wanted.spec ? fateOf(wanted.spec, own, situation) : 'open'
  // Of a pod that the node did not take there are no containers.
  const listed = situation.rejection ? [] : (wanted.spec?.containers ?? [])
  const statuses = listed.map((container) => ({
    kind: container.kind,
    status: containerStatus({
      container,
      wanted,
      own,
      situation,
      engine: runtime.name,
      fate,
      ...before(input, container),
    }),
  }))
  const containerStatuses = statuses.filter(({ kind }) => kind === 'main').map(({ status }) => status)
  const initContainerStatuses = statuses.filter(({ kind }) => kind !== 'main').map(({ status }) => status)
  const phase = phaseOf(wanted, own, fate)
  const ip = own.sandbox?.ip ?? (wanted.spec?.hostNetwork && own.sandbox ? hostIP : undefined)
  const ips = own.sandbox?.ips ?? (ip === undefined ? [] : [ip])
  return {
    phase,
    conditions: conditionsOf(input, { own, phase, statuses: [...initContainerStatuses, ...containerStatuses] }),
    ...saying(input, fate),
    hostIP,
    hostIPs: [{ ip: hostIP }],
    ...(ip === undefined ? {} : { podIP: ip, podIPs: ips.map((one) => ({ ip: one })) }),
    startTime: previous?.startTime ?? rfc3339(situation.now),
    qosClass: input.qosClass,
    ...(initContainerStatuses.length > 0 ? { initContainerStatuses } : {}),
    containerStatuses,
  }
}

function before({ previous }: StatusInput, { name, kind }: WantedContainer): { previous?: ContainerStatus } {
  const list = kind === 'main' ? previous?.containerStatuses : previous?.initContainerStatuses
  const status = list?.find((one) => one.name === name)
  return status === undefined ? {} : { previous: status }
}

/** What the status says in words: why it was refused, ended or is held up, else what everyone should know. */
function saying({ wanted, situation, runtime }: StatusInput, fate: Fate): { reason?: string; message?: string } {
  const { volumes, expiresAt, now } = situation
  if (situation.rejection) return situation.rejection
  if (wanted.refusal) return wanted.refusal
  if (fate === 'failed' && expiresAt !== undefined && expiresAt <= now) {
    return { reason: 'DeadlineExceeded', message: 'Pod was active on the node longer than the specified deadline' }
  }
  if (volumes.is === 'missing') return { message: volumes.why }
  const said = [runtime.notice?.message, ...situation.unsupported].filter((text) => text !== undefined)
  return said.length > 0 ? { message: said.join(' ') } : {}
}

function phaseOf({ spec, deletion }: Wanted, own: Own, fate: Fate): PodStatus['phase'] {
  const runs = own.sandboxes.some((sandbox) => sandbox.containers.some(isRunning))
  // While anything of it runs a pod has not come to its end: whoever replaces it must not begin too early.
  if (fate !== 'open' && !runs) return fate === 'succeeded' ? 'Succeeded' : 'Failed'
  const mains = (spec?.containers ?? [])
    .filter(({ kind }) => kind === 'main')
    .map(({ name }) => pastOf(own, name).latest)
  // A pod that was deleted has come to its end once nothing of it runs: kubelet reports a phase that is final.
  if (deletion && !own.sandboxes.some((sandbox) => sandbox.ready || sandbox.containers.some(isRunning))) {
    const well =
      mains.length > 0 && mains.every((latest) => latest?.state.is === 'exited' && latest.state.exitCode === 0)
    return well ? 'Succeeded' : 'Failed'
  }
  return mains.some((latest) => latest !== undefined && latest.state.is !== 'created') ? 'Running' : 'Pending'
}

interface Outline {
  own: Own
  phase: PodStatus['phase']
  statuses: ContainerStatus[]
}

function conditionsOf({ wanted, situation, previous, runtime }: StatusInput, outline: Outline): Condition[] {
  const { own, phase, statuses } = outline
  const over = phase === 'Succeeded' || phase === 'Failed'
  const ended = phase === 'Succeeded' ? 'PodCompleted' : 'PodFailed'
  const unready = named(
    'unready',
    statuses.filter(({ ready }) => !ready),
  )
  const containersReady = over
    ? no(ended)
    : judge(wanted.spec !== undefined && unready === undefined, 'ContainersNotReady', unready)
  const gates = containersReady.status === 'True' ? closedGates(wanted) : undefined
  const ready = judge(gates === undefined, 'ReadinessGatesNotReady', gates)
  const waiting = (wanted.spec?.containers ?? []).filter(
    (one) => one.kind !== 'main' && !initialized(one, own, { wanted, situation }),
  )
  const incomplete = named('incomplete', waiting)
  const facts: [string, Fact][] = [
    ['PodReadyToStartContainers', own.sandbox === undefined ? no() : yes()],
    [
      'Initialized',
      phase === 'Succeeded' ? yes(ended) : judge(incomplete === undefined, 'ContainersNotInitialized', incomplete),
    ],
    ['Ready', containersReady.status === 'True' ? ready : containersReady],
    ['ContainersReady', containersReady],
    ['PodScheduled', yes()],
  ]
  const { notice } = runtime
  if (situation.onHold) facts.push(['HeldUpgrade', { status: 'True', reason: 'HeldUpgrade', message: holdMessage }])
  // What was said once stays at the API until something else is said.
  else if (previous?.conditions.some(({ type }) => type === 'HeldUpgrade')) facts.push(['HeldUpgrade', no()])
  if (notice) facts.push([notice.type, { status: 'True', reason: notice.reason, message: notice.message }])
  return facts.map(([type, fact]) => {
    const old = previous?.conditions.find((condition) => condition.type === type)
    const lastTransitionTime = old?.status === fact.status ? old.lastTransitionTime : rfc3339(situation.now)
    return { type, ...fact, lastTransitionTime }
  })
}

function initialized(
  one: WantedContainer,
  own: Own,
  { wanted, situation }: Pick<StatusInput, 'wanted' | 'situation'>,
): boolean {
  const begun = wanted.spec?.containers.some(({ kind, name }) => kind === 'main' && pastOf(own, name).current)
  return begun === true || letsPass(one, own, situation)
}

/** Which of the conditions that the pod waits for are not true, in kubelet's words. */
function closedGates({ spec }: Wanted): string | undefined {
  const closed = (spec?.gates ?? []).filter(({ status }) => status !== 'True')
  const said = closed.map(({ type, status }) =>
    status === undefined
      ? `corresponding condition of pod readiness gate "${type}" does not exist.`
      : `the status of pod readiness gate "${type}" is not "True", but ${status}`,
  )
  return said.length === 0 ? undefined : said.join(', ')
}

type Fact = Pick<Condition, 'status' | 'reason' | 'message'>

function yes(reason?: string): Fact {
  return reason === undefined ? { status: 'True' } : { status: 'True', reason }
}

function no(reason?: string): Fact {
  return reason === undefined ? { status: 'False' } : { status: 'False', reason }
}

function judge(good: boolean, reason: string, message: string | undefined): Fact {
  if (good) return yes()
  return message === undefined ? no(reason) : { status: 'False', reason, message }
}

/** In kubelet's words: `containers with unready status: [web db]`. */
function named(what: string, containers: readonly { name: string }[]): string | undefined {
  if (containers.length === 0) return undefined
  return `containers with ${what} status: [${containers.map(({ name }) => name).join(' ')}]`
}
