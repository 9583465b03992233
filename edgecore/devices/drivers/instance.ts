import type { Clock } from '@kedge/shared/clock'
import { explain } from '@kedge/shared/errors'
import type { Log } from '@kedge/shared/log'
import { stateCycleOf } from '../state-cycle.ts'
import { cycleOf } from './cycles.ts'
import type { Driver, DriverDevice, DriverHost, LazyDriver, RunningDevice } from './driver.ts'
import { Gate } from './gate.ts'
import { Late, within } from './late.ts'
import type { Topics } from './topics.ts'
import { Voice } from './voice.ts'
import type { Webhooks } from './webhooks.ts'

/** What the engine does for one device. */
export interface BaseHost {
  /** Keeps values; resolves with the reasons for those that the model refuses, by property. */
  keep: (values: Readonly<Record<string, string>>) => Promise<ReadonlyMap<string, string>>
  state: (state: string) => Promise<void>
  failed: (reason: string) => void
  tell: (reason: string, message: string) => void
  random: () => number
  log: Log
}

/** What all drivers share. */
export interface Shared {
  topics: Topics
  webhooks: Webhooks
}

/** How long a driver may take, in milliseconds. */
export interface Patience {
  start: number
  desired: number
  stop: number
  /** How long the first restart after a failure waits; each further one twice as long, up to five minutes. */
  again: number
}

export const defaultPatience: Patience = { start: 30_000, desired: 30_000, stop: 10_000, again: 2000 }

export interface InstanceOptions {
  driver: Driver | LazyDriver
  device: DriverDevice
  host: BaseHost
  shared: Shared
  clock: Clock
  patience?: Partial<Patience> | undefined
  /** Called for every failure, to count them. */
  onFailure: () => void
  /** Called once, when this instance should be stopped and another be started. */
  onRestart: () => void
}

/** A state that has not changed is passed on at most once in this time, in milliseconds, or in its cycle if that is shorter. */
const stateInterval = 15_000

/**
 * One run of a driver for one device, and all that the driver can reach.
 *
 * Invariants:
 * - Whatever the driver throws, rejects with or never answers ends here.
 * - One `desired` call is under way at a time; changes that come meanwhile are handed over together.
 * - After `stop` nothing that the driver does has any effect, also when it would not stop.
 */
export class Instance {
  readonly #options: InstanceOptions
  readonly #patience: Patience
  readonly #gate: Gate
  readonly #voice: Voice
  #device: RunningDevice | undefined
  #starting: Promise<void> = Promise.resolve()
  /** Desired values that are to be handed over. */
  #changes: Record<string, string> = {}
  #handing = false
  /** Subscriptions and webhooks of the driver. */
  readonly #open = new Set<() => void>()
  #closed = false
  #ended: Promise<void> | undefined
  #restarting = false

  constructor(options: InstanceOptions) {
    this.#options = options
    this.#patience = { ...defaultPatience, ...options.patience }
    const { device, host, clock, onFailure } = options
    this.#voice = new Voice({
      ...{ host, clock, onFailure, stateInterval: Math.min(stateInterval, stateCycleOf(device)) },
      isClosed: () => this.#closed,
    })
    const cycles = new Map<string, number>()
    for (const { name, reportCycle } of device.spec.properties ?? []) {
      if (reportCycle !== undefined && reportCycle > 0)
        cycles.set(
          name,
          cycleOf('', reportCycle, () => undefined),
        )
    }
    const onFlood = (replaced: number) =>
      this.#voice.failed(`the device reports too fast: ${replaced} values were replaced by newer ones within a second`)
    this.#gate = new Gate({ keep: host.keep, cycles, clock, onFlood })
  }

  /** Starts the driver: at once when it is loaded and does not wait for anything. */
  start(): void {
    const { driver, device } = this.#options
    try {
      const started = 'load' in driver ? this.#load(driver) : driver.start(device, this.#host())
      if (!(started instanceof Promise)) return void this.#begun(started)
      this.#starting = within(started, this.#patience.start, 'the driver does not start').then(
        (running) => this.#begun(running),
        (error: unknown) => this.#broken(error),
      )
      // One that comes too late is not needed any more.
      started.then((running) => (this.#closed ? running.stop() : undefined)).catch(() => undefined)
    } catch (error) {
      this.#broken(error)
    }
  }

  desired(changes: Readonly<Record<string, string>>): void {
    Object.assign(this.#changes, changes)
    this.#hand()
  }

  /** Resolves when the driver has stopped, or would not within its time. */
  stop(): Promise<void> {
    this.#ended ??= this.#end()
    return this.#ended
  }

  async #load(driver: LazyDriver): Promise<RunningDevice> {
    const loaded = await driver.load()
    if (this.#closed) throw new Error('stopped while it was loaded')
    return await loaded.start(this.#options.device, this.#host())
  }

  #begun(running: RunningDevice): void {
    if (this.#closed) return
    this.#device = running
    this.#hand()
  }

  /** The start failed. */
  #broken(error: unknown): void {
    if (this.#closed) return
    this.#voice.failed(explain(error))
    this.#voice.state('unhealthy').catch((failed: unknown) => this.#voice.failed(explain(failed)))
    if (!(error instanceof Error) || error.name !== 'ConfigError') this.#restart()
  }

  #hand(): void {
    const device = this.#device
    if (device === undefined || this.#handing || this.#closed || this.#restarting) return
    if (Object.keys(this.#changes).length === 0) return
    const changes = this.#changes
    this.#changes = {}
    try {
      const done = device.desired(changes)
      if (done instanceof Promise) this.#await(done)
    } catch (error) {
      this.#voice.failed(explain(error))
    }
  }

  #await(done: Promise<void>): void {
    this.#handing = true
    const what = 'the driver does not finish a write'
    within(done, this.#patience.desired, what)
      .catch((error: unknown) => {
        this.#voice.failed(explain(error))
        if (error instanceof Late) this.#stuck()
      })
      .finally(() => {
        this.#handing = false
        this.#hand()
      })
      .catch(() => undefined)
  }

  #stuck(): void {
    this.#voice.state('unhealthy').catch((error: unknown) => this.#voice.failed(explain(error)))
    this.#restart()
  }

  #restart(): void {
    if (this.#restarting || this.#closed) return
    this.#restarting = true
    this.#options.onRestart()
  }

  async #end(): Promise<void> {
    const { host } = this.#options
    try {
      // What it says while it stops still counts.
      await within(this.#stopDevice(), this.#patience.stop, 'the driver does not stop')
    } catch (error) {
      this.#voice.failed(explain(error))
      host.log.error({ reason: explain(error) }, 'driver stop failed')
    } finally {
      this.#closed = true
      this.#gate.close()
      for (const close of this.#open) close()
    }
  }

  async #stopDevice(): Promise<void> {
    if (this.#device === undefined) {
      // It is starting, or it never did: what comes of it is not wanted.
      this.#closed = true
      return
    }
    await this.#starting
    await this.#device.stop()
  }

  #host(): DriverHost {
    const { host, shared, clock } = this.#options
    const guard: DriverHost['guard'] =
      (act) =>
      (...args) => {
        if (this.#closed) return
        try {
          const done = act(...args)
          if (done instanceof Promise) done.catch((error: unknown) => this.#voice.failed(explain(error)))
        } catch (error) {
          this.#voice.failed(explain(error))
        }
      }
    return {
      report: (values) => this.#gate.put(values),
      state: (state) => this.#voice.state(state),
      failed: (reason) => this.#voice.failed(reason),
      tell: (reason, message) => this.#voice.tell(reason, message),
      restart: (reason) => {
        if (this.#closed) return
        this.#voice.failed(reason)
        this.#restart()
      },
      guard,
      topics: {
        subscribe: (filter, hear) => this.#leaving(shared.topics.subscribe(filter, guard(hear))),
        publish: (message) => (this.#closed ? Promise.reject(new Error('stopped')) : shared.topics.publish(message)),
      },
      webhooks: {
        open: async (path, hear) => {
          const webhook = await shared.webhooks.open(path, hear)
          this.#leaving(() => void webhook.close())
          return webhook
        },
      },
      clock,
      random: host.random,
      log: host.log,
    }
  }

  /** Remembers what the driver may forget to close. */
  #leaving(close: () => void): () => void {
    if (this.#closed) close()
    else this.#open.add(close)
    return () => {
      this.#open.delete(close)
      close()
    }
  }
}
