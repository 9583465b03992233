import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { keyOf } from '@kedge/shared/objects'
import { PodCare } from './care.ts'
import { doersOf } from './doers.ts'
import type { PodEvent } from './events.ts'
import { type Look, type Observer, observe } from './observe.ts'
import { type Doers, type Due, type DueName, plan, type Step, type StepOf, subjectOf } from './plan.ts'
import { PodReporting, type ReportingTools } from './reporting.ts'
import type { PodName, Runtime } from './runtime.ts'
import type { Scheduler } from './scheduler.ts'
import type { Failure } from './situation.ts'
import { reasonOf } from './step-fault.ts'
import { TakedownTimes } from './takedown-times.ts'

/** What every worker works with. */
export interface Workshop extends Observer, ReportingTools {
  runtime: Runtime
  scheduler: Scheduler
  log: Log
  /** Whether the state that this node holds was verified with the cloud: before that, nothing is taken down. */
  verified: () => boolean
  /** Told that a worker has nothing left to look after. */
  gone: (worker: PodWorker) => void
}

/** A container that is to end. */
export interface Ending {
  id: string
  name: string
  graceMs: number
}

/** A pod that still has work to do after so many rounds waits a moment: others have their turn, and the log shows it. */
const mostRounds = 50
const firstRetry = 1000
const longestRetry = 60_000
/** What cannot even be looked at is looked at this often: an engine that comes back late must not find a board asleep. */
const longestBlind = 10_000
/** No timer rings sooner than this after a look; what is overdue is looked at again after a second. */
const shortestWait = 50
const overdueWait = 1000

/**
 * Looks after one pod name: observes, plans, does, and observes again until nothing is left to do but wait.
 *
 * Invariants:
 * - There is one worker per name, and it makes one pass at a time.
 * - A wake during a pass leads to another pass: no change is missed.
 * - Trouble with one step leaves the others alone; trouble with one pod leaves the others alone.
 */
export class PodWorker {
  readonly name: PodName
  readonly #shop: Workshop
  readonly #doers: Doers
  readonly #care: PodCare
  /** `dueAt` by the monotonic clock: the wall time may jump while it is waited for. */
  readonly #failures = new Map<string, Omit<Failure, 'retryAt'> & { dueAt: number }>()
  readonly #reporting: PodReporting
  #look: Look | undefined
  #again = false
  #running: Promise<void> | undefined
  #stopped = false
  #tries = 0
  #cancelTimer: () => void = () => {}

  constructor(name: PodName, shop: Workshop) {
    this.name = name
    this.#shop = shop
    const { runtime, images, mounts, scheduler, clock, hostIP, capacity, real, objects } = shop
    this.#reporting = new PodReporting(shop)
    const tell = (event: PodEvent) => this.#reporting.note(event)
    const wake = () => this.wake()
    const tellSoon = (event: PodEvent) => {
      tell(event)
      wake()
    }
    const takedowns = new TakedownTimes(shop.store)
    this.#care = new PodCare({ runtime, scheduler, clock, takedowns, hostIP, tell: tellSoon, changed: wake })
    this.#doers = doersOf({
      ...{ runtime, images, mounts, capacity, hostIP, real, tell, wake, care: this.#care },
      lookup: (key) => objects.get(key)?.content,
      look: () => this.#look,
    })
  }

  get pod(): string {
    return `${this.name.namespace}/${this.name.name}`
  }

  /** Something about the pod may have changed. Never throws, never waits. */
  wake(): void {
    if (this.#stopped) return
    this.#again = true
    this.#running ??= this.#run()
  }

  /** Ends one container at a person's wish, by its hook and its grace. Rejects when the engine is away. */
  async end({ id, name, graceMs }: Ending): Promise<void> {
    this.#reporting.note({ type: 'Normal', reason: 'Killing', message: `Stopping container ${name}` })
    await this.#care.end(id, graceMs)
    this.wake()
  }

  /** The pass under way, if any. */
  get running(): Promise<void> | undefined {
    return this.#running
  }

  /** Resolves once no pass is under way, and none begins any more. */
  async stop(): Promise<void> {
    this.#stopped = true
    this.#cancelTimer()
    this.#care.stop()
    await this.#running
  }

  async #run(): Promise<void> {
    let over = false
    while (this.#again && !this.#stopped) {
      this.#again = false
      this.#cancelTimer()
      over = await this.#pass().catch((error) => this.#failed(error))
    }
    this.#running = undefined
    if (!over) return
    // Who still holds this worker may not bring it back beside its successor.
    this.#stopped = true
    this.#care.stop()
    this.#shop.gone(this)
  }

  #failed(error: unknown): false {
    const { log } = this.#shop
    const wait = Math.min(firstRetry * 2 ** Math.min(this.#tries, 10), longestBlind)
    this.#tries += 1
    // An outage of the engine is told by whoever watches it; here it would be a line for each pod and try.
    const level = this.#tries === 4 ? 'warn' : this.#tries < 4 ? 'info' : 'debug'
    log[level]({ pod: this.pod, reason: explain(error), retryMs: wait }, 'pod pass failed')
    this.#wakeAfter(wait)
    return false
  }

  /** One pass until the pod has settled; true when there is nothing of it left. */
  async #pass(): Promise<boolean> {
    for (let round = 0; round < mostRounds; round += 1) {
      const look = await this.#observe()
      if (look.situation.wanted === undefined && !this.#shop.verified()) return false
      const steps = plan(look.situation)
      const due = steps.filter((step): step is Due => step.is !== 'wait')
      if (due.length === 0) return this.#settle(look, steps)
      for (const step of due) await this.#do(step)
      if (this.#stopped) return false
    }
    throw new Error(`the pod has not settled after ${mostRounds} rounds`)
  }

  async #observe(): Promise<Look> {
    const { namespace, name } = this.name
    const row = this.#shop.statuses.get(this.pod)
    this.#look = await observe(this.#shop, {
      name: this.name,
      key: keyOf('pods', namespace, name),
      ...(row && { row }),
      failures: this.#failuresNow(),
      ...(this.#shop.real && { care: this.#care }),
      changed: () => this.wake(),
    })
    return this.#look
  }

  #failuresNow(): Map<string, Failure> {
    const { clock } = this.#shop
    const ahead = clock.now() - clock.monotonic()
    return new Map(
      [...this.#failures].map(([subject, { dueAt, ...rest }]) => [subject, { ...rest, retryAt: dueAt + ahead }]),
    )
  }

  async #do(step: Due): Promise<void> {
    const { log, clock } = this.#shop
    const subject = subjectOf(step)
    try {
      await carryOut(this.#doers, step)
      this.#failures.delete(subject)
      // Not the step itself: it has the environment as the pod's spec spells it.
      log.debug({ pod: this.pod, step: step.is }, 'pod step')
    } catch (error) {
      const tries = (this.#failures.get(subject)?.tries ?? 0) + 1
      const dueAt = clock.monotonic() + Math.min(firstRetry * 2 ** Math.min(tries - 1, 10), longestRetry)
      const failure = { reason: reasonOf(error) ?? failureReasons[step.is], message: explain(error), tries, dueAt }
      this.#failures.set(subject, failure)
      if (tries === 1 && !subject.startsWith('container/')) {
        this.#reporting.note({ type: 'Warning', reason: failure.reason, message: failure.message })
      }
      log[tries < 4 ? 'info' : 'warn']({ pod: this.pod, step: step.is, reason: failure.message }, 'pod step failed')
    }
  }

  async #settle(look: Look, waits: readonly Step[]): Promise<boolean> {
    this.#tries = 0
    if (look.situation.wanted === undefined && look.situation.seen.length === 0) {
      await this.#forget()
      return true
    }
    await this.#reporting.report(look)
    await this.#releaseEnded(look)
    const untils = waits.flatMap((step) => (step.is === 'wait' && step.until !== undefined ? [step.until] : []))
    if (untils.length > 0) this.#wakeAfter(Math.min(...untils) - this.#shop.clock.now())
    return false
  }

  /** Who has come to its end, as was reported, needs its volumes in memory no more. */
  async #releaseEnded({ situation }: Look): Promise<void> {
    const { statuses, mounts, log } = this.#shop
    const row = statuses.get(this.pod)
    if (row === undefined || row.uid !== situation.wanted?.uid) return
    if (row.status.phase !== 'Succeeded' && row.status.phase !== 'Failed') return
    const failed = (error: unknown) => log.debug({ pod: this.pod, reason: explain(error) }, 'volumes not released')
    await mounts.release(row.uid).catch(failed)
  }

  /** Removes what is kept of a pod that is neither wanted nor seen. */
  async #forget(): Promise<void> {
    const row = this.#shop.statuses.get(this.pod)
    if (row === undefined) return
    await this.#shop.mounts.remove(row.uid)
    await this.#reporting.forget({ ...this.name, uid: row.uid })
  }

  #wakeAfter(ms: number): void {
    this.#cancelTimer()
    if (this.#stopped) return
    const wait = ms > 0 ? Math.max(ms, shortestWait) : overdueWait
    this.#cancelTimer = this.#shop.scheduler.after(wait, () => this.wake())
  }
}

/** The reason of the Event, and of the container's state, when a step fails. */
const failureReasons: Record<DueName, string> = {
  mount: 'FailedMount',
  unmount: 'FailedUnmount',
  createSandbox: 'FailedCreatePodSandBox',
  stopSandbox: 'FailedKillPod',
  removeSandbox: 'FailedKillPod',
  pull: 'Failed',
  run: 'CreateContainerError',
  start: 'RunContainerError',
  stop: 'FailedKillPod',
  remove: 'FailedKillPod',
}

function carryOut<Is extends DueName>(doers: Doers, step: StepOf<Is>): Promise<void> {
  return doers[step.is](step)
}
