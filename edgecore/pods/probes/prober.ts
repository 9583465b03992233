import type { ContainerSpec, Probe } from '../container-schema.ts'
import type { PodEvent } from '../events.ts'
import type { Scheduler } from '../scheduler.ts'
import { afterOutcome, initially, type Outcome, type ProbeKind, type ProbeState } from './probe-state.ts'

export interface ProberOptions {
  container: ContainerSpec
  scheduler: Scheduler
  /** Milliseconds of a clock that never goes back. */
  monotonic: () => number
  /** Milliseconds that the container has run. */
  age: number
  /** What an earlier edgecore had found out of this very container. */
  known?: { started: boolean; ready: boolean }
  /** From 0 to 1: where in its period a container that was adopted is probed. */
  share: number
  attempt: (probe: Probe) => Promise<Outcome>
  /** A verdict changed. */
  changed: () => void
  tell: (event: PodEvent) => void
}

/** A failure that goes on is told again after so long: one line for each attempt would drown the others. */
const tellAgain = 300_000

/**
 * Probes one running container, on timers of its own: what it does needs no cloud.
 *
 * Invariants:
 * - While the startup probe has not succeeded, no other probe runs.
 * - Once the container is doomed nothing is probed any more: it is about to be restarted.
 * - Containers that are adopted together are not probed together: a hundred commands at once are late, all of them, and who
 *   is late too often is restarted.
 */
export class Prober {
  readonly #options: ProberOptions
  readonly #probes: Partial<Record<ProbeKind, Probe>>
  readonly #states: Record<ProbeKind, ProbeState>
  /** Without its numbers, a time or a port among them, a message is the same as that of before. */
  readonly #told = new Map<ProbeKind, { gist: string; at: number }>()
  readonly #cancel = new Map<ProbeKind, () => void>()
  #stopped = false

  constructor(options: ProberOptions) {
    this.#options = options
    const { container, known } = options
    const { startupProbe: startup, livenessProbe: liveness, readinessProbe: readiness } = container
    this.#probes = { ...(startup && { startup }), ...(liveness && { liveness }), ...(readiness && { readiness }) }
    this.#states = { ...initially }
    if (known?.started) this.#states.startup = { verdict: 'success', inRow: 0 }
    if (known?.ready) this.#states.readiness = { verdict: 'success', inRow: 0 }
    this.#begin()
  }

  get started(): boolean {
    return this.#probes.startup === undefined || this.#states.startup.verdict === 'success'
  }

  get ready(): boolean {
    return this.started && (this.#probes.readiness === undefined || this.#states.readiness.verdict === 'success')
  }

  /** Why the container has to be restarted, by which probe. */
  get doomed(): { kind: ProbeKind; probe: Probe } | undefined {
    for (const kind of ['startup', 'liveness'] as const) {
      const probe = this.#probes[kind]
      if (probe && this.#states[kind].verdict === 'failure') return { kind, probe }
    }
    return undefined
  }

  stop(): void {
    this.#stopped = true
    for (const cancel of this.#cancel.values()) cancel()
  }

  #begin(): void {
    const { age, known, share } = this.#options
    const due: readonly ProbeKind[] = this.started ? ['liveness', 'readiness'] : ['startup']
    for (const kind of due) {
      const probe = this.#probes[kind]
      if (probe === undefined) continue
      // What was not found well before is asked for at once.
      const isWell = known?.started === true && (kind === 'liveness' || known.ready)
      const spread = isWell ? share * probe.periodSeconds * 1000 : 0
      this.#after(kind, Math.max(spread, probe.initialDelaySeconds * 1000 - age), probe)
    }
  }

  #after(kind: ProbeKind, ms: number, probe: Probe): void {
    this.#cancel.set(
      kind,
      this.#options.scheduler.after(ms, () => void this.#round(kind, probe)),
    )
  }

  async #round(kind: ProbeKind, probe: Probe): Promise<void> {
    const { monotonic, attempt } = this.#options
    const begun = monotonic()
    const outcome = await attempt(probe)
    if (this.#stopped) return
    const before = { doomed: this.doomed !== undefined, started: this.started, ready: this.ready }
    this.#states[kind] = afterOutcome(this.#states[kind], outcome, probe)
    this.#speak(kind, outcome)
    const doomed = this.doomed !== undefined
    if (doomed) this.stop()
    else if (kind === 'startup' && this.started) this.#begin()
    else this.#after(kind, Math.max(0, probe.periodSeconds * 1000 - (monotonic() - begun)), probe)
    if (doomed !== before.doomed || this.started !== before.started || this.ready !== before.ready) {
      this.#options.changed()
    }
  }

  #speak(kind: ProbeKind, outcome: Outcome): void {
    if (outcome.is === 'success') {
      this.#told.delete(kind)
      return
    }
    const { monotonic, tell } = this.#options
    const title = kind.charAt(0).toUpperCase() + kind.slice(1)
    const message = `${title} probe ${outcome.is === 'failure' ? 'failed' : 'errored'}: ${outcome.message}`
    const told = this.#told.get(kind)
    const gist = message.replace(/\d+/g, '0')
    if (told?.gist === gist && monotonic() - told.at < tellAgain) return
    this.#told.set(kind, { gist, at: monotonic() })
    tell({ type: 'Warning', reason: 'Unhealthy', message })
  }

  /** Whether there is anything to probe. */
  static needed({ startupProbe, livenessProbe, readinessProbe }: ContainerSpec): boolean {
    return (startupProbe ?? livenessProbe ?? readinessProbe) !== undefined
  }
}
