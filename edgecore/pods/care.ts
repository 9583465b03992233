import { createHash } from 'node:crypto'
import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { PodEvent } from './events.ts'
import { attempt, runHook, type Target } from './probes/handlers.ts'
import { Prober } from './probes/prober.ts'
import type { Container, Runtime, Sandbox } from './runtime.ts'
import type { Scheduler } from './scheduler.ts'
import { isRunning, type Situation, type Tended } from './situation.ts'
import type { Wanted, WantedContainer } from './spec.ts'
import type { PodStatus } from './status.ts'
import { leastGrace } from './takedown.ts'
import type { TakedownTimes } from './takedown-times.ts'

export interface CareOptions {
  runtime: Runtime
  scheduler: Scheduler
  clock: Clock
  takedowns: Pick<TakedownTimes, 'get' | 'keep' | 'drop'>
  /** Address of this node. */
  hostIP: string
  /** What is known of a container changed. */
  changed: () => void
  tell: (event: PodEvent) => void
}

/** A hook that runs after the start and never ends is given up after so long: the node cannot know better. */
const longestPostStart = 24 * 3600_000

interface Patient {
  target: Target
  wanted: WantedContainer
  /** What an earlier edgecore had found out, of one that is not probed any more. */
  known?: { started: boolean; ready: boolean }
  prober?: Prober
  /** How the hook after the start is doing. */
  postStart?: 'running' | 'failed'
  /** It is to end: first by its own hook, then by the engine. */
  ending?: { until: number; abort: AbortController }
}

/**
 * Looks after the running containers of one pod: their probes and their hooks.
 *
 * Invariants:
 * - A container is looked after from its start, or its adoption, to its end, by one patient's record.
 * - A hook before the end uses up the grace that the container has; nobody waits longer for it.
 */
export class PodCare {
  readonly #options: CareOptions
  readonly #patients = new Map<string, Patient>()
  /** When the pod began to go down, for each sandbox that was seen; undefined while it is not going down. */
  readonly #downSince = new Map<string, number | undefined>()
  /** Those that were ended to be started anew. */
  readonly #killed = new Set<string>()

  constructor(options: CareOptions) {
    this.#options = options
  }

  /** Takes over what runs and is not known yet, and lets go of what has ended. */
  attend(wanted: Wanted | undefined, seen: readonly Sandbox[], previous?: PodStatus): void {
    const running = seen.flatMap((sandbox) =>
      sandbox.containers.filter(isRunning).map((container) => ({ sandbox, container })),
    )
    const ids = new Set(running.map(({ container }) => container.id))
    for (const [id, patient] of this.#patients) if (!ids.has(id)) this.#discharge(id, patient)
    this.#remember(seen)
    const there = new Set(seen.flatMap(({ containers }) => containers.map(({ id }) => id)))
    for (const id of this.#killed) if (!there.has(id)) this.#killed.delete(id)
    if (wanted?.spec === undefined) return
    for (const { sandbox, container } of running) {
      if (sandbox.pod.uid !== wanted.uid || this.#patients.has(container.id)) continue
      const own = wanted.spec.containers.find(({ name }) => name === container.name)
      if (own === undefined) continue
      const { id, state } = container
      const startedAt = 'startedAt' in state ? state.startedAt : this.#options.clock.now()
      const known = knownOf(container, previous)
      const found = { id, sandbox, hostNetwork: wanted.spec.hostNetwork, startedAt, ...(known && { known }) }
      // Who is about to end is not probed any more; the hook before the end is still to be run.
      this.#admit(own, found, state.is === 'running' && wanted.deletion === undefined)
    }
  }

  /** What an earlier edgecore began to take down goes on with the grace that is left. */
  #remember(seen: readonly Sandbox[]): void {
    const { clock, takedowns } = this.#options
    for (const id of this.#downSince.keys()) {
      if (seen.some((one) => one.id === id)) continue
      this.#notDown(id)
      this.#downSince.delete(id)
    }
    for (const { id } of seen) {
      if (this.#downSince.has(id)) continue
      const since = takedowns.get(id)
      this.#downSince.set(id, since && clock.monotonic() - Math.max(0, clock.now() - since))
    }
  }

  #notDown(sandbox: string): void {
    if (this.#downSince.get(sandbox) === undefined) return
    this.#downSince.set(sandbox, undefined)
    void this.#options.takedowns.drop(sandbox)
  }

  #admit(wanted: WantedContainer, found: Found, probing: boolean): Patient {
    const { runtime, scheduler, clock, hostIP, changed, tell } = this.#options
    const { id, sandbox, hostNetwork, startedAt, known } = found
    const ip = hostNetwork ? hostIP : (sandbox.ip ?? '')
    const target: Target = { id, ip, container: wanted.of, runtime }
    const patient: Patient = { target, wanted }
    this.#patients.set(id, patient)
    if (!Prober.needed(wanted.of)) return patient
    if (!probing) return Object.assign(patient, known && { known })
    patient.prober = new Prober({
      ...{ container: wanted.of, scheduler, changed, tell },
      monotonic: () => clock.monotonic(),
      age: Math.max(0, clock.now() - startedAt),
      share: shareOf(id),
      attempt: (probe) => attempt(probe, target),
      ...(known && { known }),
    })
    return patient
  }

  #discharge(id: string, { prober, ending }: Patient): void {
    prober?.stop()
    ending?.abort.abort()
    this.#patients.delete(id)
  }

  /** What is known of the containers by their ids. Times are of the wall clock. */
  facts(): Pick<Situation, 'tended' | 'killed' | 'downSince'> {
    const ahead = this.#options.clock.now() - this.#options.clock.monotonic()
    const downSince = new Map(
      [...this.#downSince].flatMap(([id, since]) => (since === undefined ? [] : [[id, since + ahead] as const])),
    )
    const tended = new Map(
      [...this.#patients].map(([id, { wanted, known, prober, postStart, ending }]) => {
        const doomed = doomedBy(wanted, prober, postStart)
        const tended: Tended = {
          started: prober?.started ?? known?.started ?? true,
          ready: prober?.ready ?? known?.ready ?? true,
          ...(postStart === 'running' && { settling: true }),
          ...(doomed && { doomed }),
          ...(ending && { endsBy: ending.until + ahead }),
        }
        return [id, tended]
      }),
    )
    return { tended, killed: new Set(this.#killed), downSince }
  }

  /** The container was started: its hook begins, and nobody waits for it here. */
  started(wanted: WantedContainer, found: Found): void {
    // A pod that was held and is released starts its containers in the sandbox that it has.
    this.#notDown(found.sandbox.id)
    const hook = wanted.of.lifecycle.postStart
    const patient = this.#patients.get(found.id) ?? this.#admit(wanted, found, true)
    if (hook === undefined) return
    patient.postStart = 'running'
    const time = { timeoutMs: longestPostStart, signal: new AbortController().signal }
    void runHook(hook, patient.target, time).then(
      () => {
        delete patient.postStart
        this.#options.changed()
      },
      (error) => {
        patient.postStart = 'failed'
        this.#options.tell({ type: 'Warning', reason: 'FailedPostStartHook', message: explain(error) })
        this.#options.changed()
      },
    )
  }

  /**
   * Ends a container: its own hook first, then the engine with what is left of the grace. Resolves once that is on its
   * way. `sandbox`: the whole pod goes down.
   */
  async end(id: string, graceMs: number, sandbox?: string): Promise<void> {
    const { clock, runtime, takedowns } = this.#options
    if (sandbox === undefined) this.#killed.add(id)
    else if (this.#downSince.get(sandbox) === undefined) {
      this.#downSince.set(sandbox, clock.monotonic())
      if (graceMs > leastGrace) await takedowns.keep(sandbox, clock.now())
    }
    const patient = this.#patients.get(id)
    patient?.prober?.stop()
    const hook = patient?.wanted.of.lifecycle.preStop
    const before = patient?.ending
    if (patient === undefined || hook === undefined || graceMs === 0) {
      before?.abort.abort()
      return runtime.stopContainer(id, graceMs)
    }
    const until = clock.monotonic() + graceMs
    if (before !== undefined) {
      // Already on its way out: only the end may come nearer.
      before.until = Math.min(before.until, until)
      return
    }
    const ending = { until, abort: new AbortController() }
    patient.ending = ending
    void this.#lastRites(patient, ending, graceMs)
  }

  async #lastRites(patient: Patient, ending: NonNullable<Patient['ending']>, graceMs: number): Promise<void> {
    const { clock, runtime, scheduler, tell, changed } = this.#options
    const { target, wanted } = patient
    const hook = wanted.of.lifecycle.preStop
    if (hook === undefined) return
    let cancel = () => {}
    const late = new Promise<void>((resolve) => {
      const look = () => {
        const left = ending.until - clock.monotonic()
        if (left <= 0 || ending.abort.signal.aborted) resolve()
        else cancel = scheduler.after(Math.min(left, 1000), look)
      }
      look()
    })
    const done = runHook(hook, target, { timeoutMs: graceMs, signal: ending.abort.signal }).catch((error) => {
      tell({ type: 'Warning', reason: 'FailedPreStopHook', message: explain(error) })
    })
    await Promise.race([done, late])
    cancel()
    if (ending.abort.signal.aborted) return
    ending.abort.abort()
    const left = Math.max(ending.until - clock.monotonic(), leastGrace)
    // The engine may be away: whoever looks next finds the container running, and stops it.
    await runtime.stopContainer(target.id, left).catch(() => {})
    delete patient.ending
    changed()
  }

  stop(): void {
    for (const [id, patient] of this.#patients) this.#discharge(id, patient)
  }
}

/** A container that runs, and what an earlier edgecore knew of it. */
export interface Found {
  id: string
  sandbox: Sandbox
  hostNetwork: boolean
  /** Milliseconds since the epoch. */
  startedAt: number
  known?: { started: boolean; ready: boolean }
}

/** From 0 to 1, another one for each container. */
function shareOf(id: string): number {
  return createHash('sha256').update(id).digest().readUInt32BE() / 2 ** 32
}

function knownOf({ id }: Container, previous: PodStatus | undefined) {
  const all = [...(previous?.initContainerStatuses ?? []), ...(previous?.containerStatuses ?? [])]
  const status = all.find(({ containerID }) => containerID?.endsWith(`//${id}`))
  return status && { started: status.started, ready: status.ready }
}

function doomedBy({ name }: WantedContainer, prober: Prober | undefined, postStart: Patient['postStart']) {
  if (postStart === 'failed') return { why: `Container ${name} failed its postStart hook (FailedPostStartHook)` }
  const doomed = prober?.doomed
  if (doomed === undefined) return undefined
  const seconds = doomed.probe.terminationGracePeriodSeconds
  const why = `Container ${name} failed ${doomed.kind} probe, will be restarted`
  return { why, ...(seconds !== undefined && { graceMs: seconds * 1000 }) }
}
